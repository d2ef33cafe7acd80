//! The contract on every agent, and what each does by hand.

use std::any::Any;
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use market_data::{BarSeries, Columns, Segment};
use plugin::{Files, SharedPool};
use proptest::prelude::*;
use serde_json::{Value, json};
use trading_env::{
    Action, Agent, AgentContext, Arena, Compute, EnvConfig, LogReturn, LogReturnParams, RULES, SplitName,
    contract,
};

use crate::AGENTS;

struct NoDevice;

impl Compute for NoDevice {
    fn describe(&self) -> String {
        "none".to_owned()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn build(name: &str, params: &Value) -> Result<Box<dyn Agent>, plugin::BuildError> {
    let files = Files { root: "/".into(), ..Files::default() };
    let context =
        AgentContext { files: &files, compute: &NoDevice, shared: &SharedPool::default(), cache_bytes: 0 };
    AGENTS.iter().find(|p| p.name() == name).unwrap().build(params, context)
}

fn agent(name: &str, params: &Value) -> Box<dyn Agent> {
    build(name, params).unwrap()
}

fn arena(closes: &[f64], first: usize, rules: &str) -> Arena {
    let start = NaiveDate::from_ymd_opt(2020, 1, 6).unwrap();
    let dates = (0..closes.len()).map(|i| start + Days::new(i as u64)).collect();
    let series = BarSeries::from_columns("TEST", None, Columns::of_closes(dates, closes.to_vec())).unwrap();
    arena_of(series, first, rules)
}

fn arena_of(series: BarSeries, first: usize, rules: &str) -> Arena {
    let rules = RULES.iter().find(|p| p.name() == rules).unwrap().build(&json!({}), ()).unwrap();
    let config = EnvConfig { num_envs: 3, max_episode_steps: 4, ..EnvConfig::default() };
    let reward = Arc::new(LogReturn::new(LogReturnParams::default()).unwrap());
    Arena::new(Segment { series: Arc::new(series), first }, SplitName::Test, rules.into(), reward, config)
        .unwrap()
}

/// Actions of one evaluation episode.
fn actions(agent: &dyn Agent, seed: u64, arena: &Arena) -> Vec<Action> {
    let mut learner = agent.learner(seed).unwrap();
    learner.reset();
    let mut envs = arena.evaluation();
    let mut taken = Vec::new();
    while !envs.ended(0) {
        let action = learner.decide(&[envs.observe(0)]).unwrap()[0].action;
        envs.step(0, action);
        taken.push(action);
    }
    taken
}

fn wavy(n: usize) -> Vec<f64> {
    (0..n).map(|i| 100.0 + 10.0 * (i as f64 * 0.7).sin() + i as f64 * 0.1).collect()
}

use Action::{Buy, Hold, Sell};

#[test]
fn every_agent_keeps_the_contract() {
    let files = Files { root: "/".into(), ..Files::default() };
    let context =
        AgentContext { files: &files, compute: &NoDevice, shared: &SharedPool::default(), cache_bytes: 0 };
    for plugin in AGENTS {
        contract::agent(*plugin, &json!({}), context, 60);
    }
}

/// Actions under `investor-bench`, where all are legal; there is none at the last close.
fn free(name: &str, params: &Value, closes: &[f64]) -> Vec<Action> {
    actions(&*agent(name, params), 0, &arena(closes, 0, "investor-bench"))
}

#[test]
fn sma_crossover_follows_the_short_average() {
    let params = json!({"short": 1, "long": 2});
    // Too short; 3 > 2; 2 < 2.5; 2 = 2.
    assert_eq!(free("sma-crossover", &params, &[1.0, 3.0, 2.0, 2.0, 9.0]), [Hold, Buy, Sell, Hold]);
    let error = build("sma-crossover", &json!({"short": 5, "long": 5})).err().unwrap().to_string();
    assert!(error.contains("agent.long") && error.contains("more than short (5)"), "{error}");
}

#[test]
fn mean_reversion_acts_beyond_its_threshold() {
    let params = json!({"window": 3, "threshold": 1.0});
    // 1, 1, 4: mean 2, sd sqrt 3, 2 above it is 1.15 sd. 1, 4, 4: mean 3, sd sqrt 3, 0.58 sd.
    assert_eq!(free("mean-reversion", &params, &[1.0, 1.0, 4.0, 4.0, 9.0]), [Hold, Hold, Sell, Hold]);
    assert_eq!(free("mean-reversion", &params, &[4.0, 4.0, 1.0, 9.0]), [Hold, Hold, Buy]);
    assert_eq!(free("mean-reversion", &params, &[0.1; 5]), [Hold; 4]);
    let error = build("mean-reversion", &json!({"window": 1})).err().unwrap().to_string();
    assert!(error.contains("window"), "{error}");
}

#[test]
fn macd_compares_its_line_with_the_signal() {
    let params = json!({"fast": 1, "slow": 2, "signal": 2});
    // Slow average of 1, 2, 4: 1, 5/3, 29/9. Line 0, 1/3, 7/9; signal 0, 2/9, 16/27 < 7/9.
    assert_eq!(free("macd", &params, &[1.0, 2.0, 4.0, 9.0]), [Hold, Hold, Buy]);
    // Of 1, 2, 2: 1, 5/3, 17/9. Line 0, 1/3, 1/9; signal 0, 2/9, 4/27 > 1/9.
    assert_eq!(free("macd", &params, &[1.0, 2.0, 2.0, 9.0]), [Hold, Hold, Sell]);
    let error = build("macd", &json!({"fast": 26})).err().unwrap().to_string();
    assert!(error.contains("agent.slow") && error.contains("more than fast (26)"), "{error}");
}

#[test]
fn oracle_reads_the_news_of_the_bar_and_nothing_else() {
    let start = NaiveDate::from_ymd_opt(2020, 1, 6).unwrap();
    let news = [
        vec!["Solmera beats its quarterly sales target on strong demand"],
        vec!["Regulator in Asia blocks the Solmera plan for a new factory"],
        vec!["Solmera sets the date of its annual meeting in Kenya"],
        vec![
            "Solmera lands a key contract from a bank in Japan",
            "Solmera cedes market share in Europe as backlog melts",
        ],
        vec![],
        vec![],
    ];
    let mut columns = Columns::of_closes(
        (0..news.len()).map(|i| start + Days::new(i as u64)).collect(),
        vec![1.0; news.len()],
    );
    columns.news = news.iter().map(|texts| texts.iter().map(|t| (*t).to_owned()).collect()).collect();
    let series = BarSeries::from_columns("TEST", None, columns).unwrap();
    let arena = arena_of(series, 0, "investor-bench");
    assert_eq!(actions(&*agent("oracle", &json!({})), 0, &arena), [Buy, Sell, Hold, Hold, Hold]);
}

#[test]
fn buy_and_hold_buys_once_where_that_takes_all_cash() {
    let agent = agent("buy-and-hold", &json!({}));
    assert_eq!(actions(&*agent, 0, &arena(&[1.0, 2.0, 3.0, 4.0], 0, "paper")), [Buy, Hold, Hold]);
    assert_eq!(actions(&*agent, 0, &arena(&[1.0, 2.0, 3.0, 4.0], 0, "investor-bench")), [Buy, Buy, Buy]);
}

#[test]
fn flat_never_takes_a_position() {
    for rules in RULES {
        let arena = arena(&wavy(20), 0, rules.name());
        assert_eq!(actions(&*agent("flat", &json!({})), 0, &arena), [Hold; 19]);
    }
}

#[test]
fn momentum_follows_the_sign_of_the_return_over_its_window() {
    // Over 2 bars: no history at bars 0 and 1; 1 -> 3 up; 2 -> 2 unchanged; 3 -> 1 down; 2 -> 5 up.
    let closes = [1.0, 2.0, 3.0, 2.0, 1.0, 5.0, 9.0];
    let momentum = agent("momentum", &json!({"window": 2}));
    assert_eq!(
        actions(&*momentum, 0, &arena(&closes, 0, "investor-bench")),
        [Hold, Hold, Buy, Hold, Sell, Buy]
    );
    // Under paper rules a position is kept until a sell, and a second buy is illegal.
    assert_eq!(actions(&*momentum, 0, &arena(&closes, 0, "paper")), [Hold, Hold, Buy, Hold, Sell, Buy]);
    let rising =
        actions(&*agent("momentum", &json!({"window": 1})), 0, &arena(&[1.0, 2.0, 3.0, 4.0], 0, "paper"));
    assert_eq!(rising, [Hold, Buy, Hold]);
    // The look-back of a split is history.
    assert_eq!(actions(&*momentum, 0, &arena(&closes, 2, "investor-bench")), [Buy, Hold, Sell, Buy]);
}

#[test]
fn random_agents_differ_by_seed() {
    let random = agent("random", &json!({}));
    let arena = arena(&wavy(60), 0, "investor-bench");
    assert_ne!(actions(&*random, 1, &arena), actions(&*random, 2, &arena));
}

/// Share of each action over a long episode.
fn shares(params: &Value, rules: &str) -> [f64; 3] {
    let taken = actions(&*agent("random", params), 5, &arena(&wavy(6001), 0, rules));
    Action::ALL.map(|a| taken.iter().filter(|t| **t == a).count() as f64 / taken.len() as f64)
}

#[test]
fn random_draws_by_its_weights() {
    let near = |found: [f64; 3], wanted: [f64; 3]| {
        assert!(
            found.iter().zip(wanted).all(|(f, w)| (f - w).abs() < 0.03),
            "{found:?} is not near {wanted:?}"
        );
    };
    let third = 1.0 / 3.0;
    near(shares(&json!({}), "investor-bench"), [third; 3]);
    let weights = json!({"sell_prob": 0.1, "hold_prob": 0.2, "buy_prob": 0.1});
    near(shares(&weights, "investor-bench"), [0.25, 0.5, 0.25]);
    assert_eq!(shares(&json!({"sell_prob": 0.0, "hold_prob": 0.0}), "investor-bench"), [0.0, 0.0, 1.0]);
    // Without a legal action of positive weight it holds.
    let only_buy = shares(&json!({"sell_prob": 0.0, "hold_prob": 0.0}), "paper");
    assert!(only_buy[0] == 0.0 && only_buy[1] > 0.99);
}

/// Share of bars whose position differs from the one before.
fn changes(keep_prob: f64, rules: &str) -> f64 {
    let agent = agent("random", &json!({"keep_prob": keep_prob}));
    let arena = arena(&wavy(6001), 0, rules);
    let mut learner = agent.learner(3).unwrap();
    learner.reset();
    let mut envs = arena.evaluation();
    let mut changes = 0;
    while !envs.ended(0) {
        let action = learner.decide(&[envs.observe(0)]).unwrap()[0].action;
        envs.step(0, action);
        changes += usize::from(envs.fill(0).traded > 0.0);
    }
    changes as f64 / 6000.0
}

#[test]
fn keep_prob_scales_the_turnover() {
    for rules in ["investor-bench", "paper"] {
        let all = changes(0.0, rules);
        let tenth = changes(0.9, rules);
        assert!((tenth / all - 0.1).abs() < 0.03, "{rules}: {tenth} of {all}");
        assert!(changes(1.0, rules) < 0.001);
    }
}

#[test]
fn parameters_out_of_range_are_named() {
    for (name, params, key) in [
        ("random", json!({"keep_prob": 1.5}), "agent.keep_prob"),
        ("random", json!({"sell_prob": 0.0, "hold_prob": 0.0, "buy_prob": 0.0}), "agent.buy_prob"),
        ("momentum", json!({"window": 0}), "agent.window"),
        ("flat", json!({"window": 1}), "window"),
    ] {
        let error = build(name, &params).err().expect("out of range").to_string();
        assert!(error.contains(key), "{error}");
    }
    let random = AGENTS.iter().find(|p| p.name() == "random").unwrap();
    assert_eq!(random.check(&json!({})), Ok(()));
    let problems = random.check(&json!({"keep_prob": -1.0, "buy_prob": 2.0})).unwrap_err();
    assert_eq!(problems.iter().map(|p| p.key.as_str()).collect::<Vec<_>>(), ["buy_prob", "keep_prob"]);
}

proptest! {
    #[test]
    fn random_keeps_the_contract_whatever_its_weights(
        sell in 0.0..1.0, hold in 0.0..1.0, buy in 0.01..1.0, keep in 0.0..1.0, seed: u64, rules in 0usize..3,
    ) {
        let params = json!({"sell_prob": sell, "hold_prob": hold, "buy_prob": buy, "keep_prob": keep});
        contract::check_agent(&*agent("random", &params), &arena(&wavy(20), 0, RULES[rules].name()), seed);
    }
}
