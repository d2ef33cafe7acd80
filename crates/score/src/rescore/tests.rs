//! Re-scored decisions beside a run's own scores and beside `evaluate`.

use std::sync::Arc;

use chrono::{Days, NaiveDate};
use market_data::{BarSeries, Columns, Segment};
use proptest::prelude::*;
use trading_env::{
    Action, Arena, EnvConfig, InvestorBench, LogReturn, LogReturnParams, Paper, Realistic, RealisticParams,
    Rules, SplitName,
};

use super::{COST_AXIS_BPS, Rescored, rescore};
use crate::{Decisions, EvaluateOptions, Scorecard, ScoredStep, evaluate};

fn date(day: usize) -> NaiveDate {
    NaiveDate::from_ymd_opt(2020, 1, 6).unwrap() + Days::new(day as u64)
}

/// `(open, close)` of consecutive days.
fn segment(prices: &[(Option<f64>, f64)]) -> Segment {
    let closes = prices.iter().map(|(_, close)| *close).collect();
    let mut columns = Columns::of_closes((0..prices.len()).map(date).collect(), closes);
    columns.open = prices.iter().map(|(open, _)| *open).collect();
    Segment::whole(BarSeries::from_columns("TEST", Some(252.0), columns).unwrap())
}

fn arena(segment: Segment, rules: Arc<dyn Rules>) -> Arena {
    let reward = Arc::new(LogReturn::new(LogReturnParams::default()).unwrap());
    let config = EnvConfig { initial_cash: 5_000.0, ..EnvConfig::default() };
    Arena::new(segment, SplitName::Test, rules, reward, config).unwrap()
}

fn realistic(fee_bps: f64) -> Arc<dyn Rules> {
    Arc::new(Realistic::new(RealisticParams { fee_bps, ..RealisticParams::default() }).unwrap())
}

/// What a policy that wishes for `wishes` does where it obeys the mask, and the score of its run.
fn run(arena: &Arena, wishes: &[Action]) -> (Vec<Action>, Scorecard) {
    let mut envs = arena.evaluation();
    let (mut actions, mut steps) = (Vec::new(), Vec::new());
    for wish in wishes {
        if envs.ended(0) {
            break;
        }
        let action = if envs.observe(0).mask.allows(*wish) { *wish } else { Action::Hold };
        envs.step(0, action);
        actions.push(action);
        steps.push(ScoredStep::last(&envs, 0));
    }
    (actions, Scorecard::from_steps(5_000.0, &steps, 252.0).unwrap())
}

#[track_caller]
fn found<'a>(rescored: &'a [Rescored], rules: &str, cost_bps: f64) -> &'a Scorecard {
    &rescored.iter().find(|r| r.rules == rules && r.cost_bps == cost_bps).expect("one of each").scores
}

#[test]
fn every_rules_once_and_realistic_at_every_cost() {
    let arena = arena(segment(&[(None, 10.0), (None, 11.0), (None, 12.0)]), Arc::new(Paper));
    let rescored = rescore(arena.segment(), &[Action::Buy, Action::Hold], 100.0, 252.0).unwrap();
    let found: Vec<_> = rescored.iter().map(|r| (r.rules, r.cost_bps)).collect();
    let costs = [0.0, 5.0, 10.0, 15.0, 20.0].map(|bps| ("realistic", bps));
    assert_eq!(found[..2], [("paper", 0.0), ("investor-bench", 0.0)]);
    assert_eq!(found[2..], costs);
}

#[test]
fn words_and_not_positions_are_carried_out() {
    // Buy, hold, sell on 10, 20, 40, 20. investor-bench: long to 20, flat to 40, short to 20: 2 * 2 = 4 times the cash.
    // paper: bought at 20, kept to 40, sold at 20: nothing gained. realistic: the same at fills of 20 and 20, less the fee.
    let arena = arena(segment(&[(None, 10.0), (None, 20.0), (None, 40.0), (None, 20.0)]), Arc::new(Paper));
    let words = [Action::Buy, Action::Hold, Action::Sell];
    let rescored = rescore(arena.segment(), &words, 100.0, 252.0).unwrap();
    let equity = |rules, cost| found(&rescored, rules, cost).final_equity.unwrap();
    assert!((equity("investor-bench", 0.0) - 400.0).abs() < 1e-9);
    assert!((equity("paper", 0.0) - 100.0).abs() < 1e-9);
    for bps in COST_AXIS_BPS {
        let fee = bps / 10_000.0;
        assert!((equity("realistic", bps) - 100.0 / (1.0 + fee) * (1.0 - fee)).abs() < 1e-9, "{bps}");
    }
}

#[test]
fn without_a_step_there_is_nothing_to_score() {
    let arena = arena(segment(&[(None, 10.0), (None, 20.0)]), Arc::new(Paper));
    assert!(rescore(arena.segment(), &[], 100.0, 252.0).is_err());
    let one = Segment { first: 1, ..arena.segment().clone() };
    assert!(rescore(&one, &[Action::Buy], 100.0, 252.0).is_err());
    assert!(rescore(arena.segment(), &[Action::Buy], 100.0, f64::NAN).is_err());
}

/// A run whose fee takes everything ends at its first trade: one step, and under other rules no more than that one.
#[test]
fn a_ruined_run_is_scored_over_the_steps_it_took() {
    let arena =
        arena(segment(&[(None, 10.0), (None, 20.0), (None, 40.0), (None, 20.0)]), realistic(10_000.0));
    let (actions, own) = run(&arena, &[Action::Buy, Action::Sell, Action::Buy]);
    assert_eq!((actions.len(), own.final_equity), (2, Some(0.0)));
    let rescored = rescore(arena.segment(), &actions, 5_000.0, 252.0).unwrap();
    assert_eq!(rescored.iter().map(|r| r.scores.sheet.n).collect::<Vec<_>>(), [2; 7]);
}

proptest! {
    /// Under a run's own rules the re-scored numbers are the run's own, bit by bit, and those of `evaluate`.
    #[test]
    fn a_run_under_the_same_settings_has_the_same_scores(
        prices in prop::collection::vec((prop::option::of(1.0..500.0), 1.0..500.0), 2..30),
        wishes in prop::collection::vec(prop::sample::select(&Action::ALL[..]), 30),
    ) {
        let mut settings: Vec<(Arc<dyn Rules>, f64)> = vec![(Arc::new(Paper), 0.0), (Arc::new(InvestorBench), 0.0)];
        settings.extend(COST_AXIS_BPS.map(|bps| (realistic(bps), bps)));
        for (rules, cost_bps) in settings {
            let arena = arena(segment(&prices), rules.clone());
            let (actions, own) = run(&arena, &wishes);
            let rescored = rescore(arena.segment(), &actions, 5_000.0, 252.0).unwrap();
            prop_assert_eq!(found(&rescored, rules.name(), cost_bps), &own);

            let decisions: Decisions = actions.iter().enumerate().map(|(day, a)| (date(day), *a)).collect();
            let options = EvaluateOptions { initial_cash: 5_000.0, periods_per_year: None };
            let series = &arena.segment().series;
            for other in &rescored {
                let rules: Box<dyn Rules> = match other.rules {
                    "paper" => Box::new(Paper),
                    "investor-bench" => Box::new(InvestorBench),
                    _ => Box::new(Realistic::new(RealisticParams { fee_bps: other.cost_bps, ..RealisticParams::default() }).unwrap()),
                };
                let last = date(prices.len() - 1);
                let card = evaluate(series, date(0), last, &decisions, &*rules, &options).unwrap();
                prop_assert_eq!(&other.scores, &card);
            }
        }
    }
}
