//! Desk notes: what a trading policy reads at a bar, with a record of what the news did in place of its answer.

use std::sync::Arc;

use chrono::{Days, NaiveDate};
use market_data::synth::headlines::{COMPANY, Mood};
use market_data::{BarSeries, Columns, Segment};
use prompt::PromptConfig;
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use trading_env::{
    Arena, DifferentialSharpe, DifferentialSharpeParams, EnvConfig, InvestorBench, LogReturn,
    LogReturnParams, Paper, RewardFn, Rules, SharpeDelta, SharpeDeltaParams, SplitName,
};

use super::{Writer, company, mood, record};

/// Bars of one market.
const BARS: usize = 24;

const SYMBOLS: [&str; 6] = ["SYNTH", "SOLM", "BRNT", "CLVR", "DNHT", "ASSET"];

/// Notes of one market, one per bar, under random rules and with random decisions.
pub(super) fn notes(writer: &Writer, rng: &mut ChaCha8Rng) -> Vec<String> {
    let company = if rng.random_bool(0.5) { COMPANY } else { company(rng) };
    let moods: Vec<Mood> = (0..BARS).map(|_| mood(rng)).collect();
    let first = NaiveDate::from_ymd_opt(2004, 1, 1).expect("invariant: a date");
    let first = first + Days::new(rng.random_range(0..7000u64));
    let mut columns = Columns::of_closes(first.iter_days().take(BARS).collect(), closes(BARS, rng));
    columns.news = moods.iter().map(|mood| writer.headlines(*mood, company, rng)).collect();
    let symbol = SYMBOLS.choose(rng).expect("invariant: there are symbols");
    let series = BarSeries::from_columns(symbol, Some(252.0), columns).expect("invariant: a sound series");
    let (rules, reward) = setting(rng);
    let env = EnvConfig {
        memory: *[0, 3, 3, 3, 10].choose(rng).expect("invariant: not empty"),
        initial_cash: *[1e3, 1e5, 1e5].choose(rng).expect("invariant: not empty"),
        ..EnvConfig::default()
    };
    let prompt = PromptConfig {
        history: *[0, 5, 10, 10].choose(rng).expect("invariant: not empty"),
        symbol: rng.random_bool(0.9),
        date: rng.random_bool(0.9),
        ..PromptConfig::default()
    };
    let arena = Arena::new(Segment::whole(series), SplitName::Train, rules, reward, env)
        .expect("invariant: a sound setting");
    let mut envs = arena.evaluation();
    let mut notes = Vec::with_capacity(BARS);
    for mood in moods {
        let observation = envs.observe(0);
        let parts = prompt.render(&observation);
        let (account, _cue) =
            parts.own.rsplit_once('\n').expect("invariant: the cue for the answer is the last line");
        notes.push(format!("{}{account}\n{}\n", parts.shared, record(mood, rng)));
        let legal: Vec<_> = observation.mask.legal().collect();
        let action = *legal.choose(rng).expect("invariant: an action is legal");
        let step = envs.step(0, action);
        if step.terminated || step.truncated {
            break;
        }
    }
    notes
}

/// Rules and rewards whose numbers the account part may show.
fn setting(rng: &mut ChaCha8Rng) -> (Arc<dyn Rules>, Arc<dyn RewardFn>) {
    let log_return = |scale| LogReturn::new(LogReturnParams { scale }).expect("invariant: a sound scale");
    let delta = SharpeDelta::new(SharpeDeltaParams::default()).expect("invariant: sound defaults");
    let differential =
        DifferentialSharpe::new(DifferentialSharpeParams::default()).expect("invariant: sound defaults");
    match rng.random_range(0..4u32) {
        0 => (Arc::new(InvestorBench), Arc::new(log_return(1.0))),
        1 => (Arc::new(InvestorBench), Arc::new(log_return(100.0))),
        2 => (Arc::new(Paper), Arc::new(delta)),
        _ => (Arc::new(Paper), Arc::new(differential)),
    }
}

/// A random walk of `n` prices in cents, with about the volatility of a stock.
pub(super) fn closes(n: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let mut price = 20.0 * (2.0 * rng.random::<f64>()).exp();
    let mut next = || {
        let shock: f64 = StandardNormal.sample(rng);
        price *= (0.013 * shock).exp();
        (price * 100.0).round() / 100.0
    };
    (0..n).map(|_| next()).collect()
}
