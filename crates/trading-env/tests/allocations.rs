//! Steps, resets and observations allocate nothing: training takes millions of them, and an allocator that many runs
//! share would make them wait for each other.

#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;

use allocation_counter::measure;
use chrono::{Days, NaiveDate};
use market_data::{BarSeries, Columns, Segment};
use rand::RngExt;
use serde_json::{Value, json};
use trading_env::{
    Action, Arena, EnvBatch, EnvConfig, Observation, REWARDS, RULES, RewardFn, Rules, SplitName, rng,
};

const BARS: u64 = 400;
const MAX_EPISODE_STEPS: usize = 65;
/// Steps of each environment that are counted.
const STEPS: usize = 2000;

/// Bars with news of which every third has no open, and whose moves ruin nobody.
fn segment() -> Segment {
    let first = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap();
    let close = (0..BARS).map(|i| 100.0 + 10.0 * (i as f64 * 0.3).sin() + 0.05 * i as f64).collect();
    let mut columns = Columns::of_closes((0..BARS).map(|i| first + Days::new(i)).collect(), close);
    for (i, open) in columns.open.iter_mut().enumerate() {
        *open = (i % 3 > 0).then(|| columns.close[i.saturating_sub(1)] + 0.1);
        columns.news[i] = vec!["Profit rises".to_owned(), "Analysts wait".to_owned()];
    }
    Segment::whole(BarSeries::from_columns("TEST", None, columns).unwrap())
}

/// Every rule set with its own defaults; besides, orders that cost something.
fn all_rules() -> Vec<(String, Arc<dyn Rules>)> {
    let costs = json!({ "fee_bps": 10.0, "slippage_bps": 5.0, "whole_shares": true });
    let with_costs =
        RULES.iter().filter(|plugin| plugin.name() == "realistic").map(|plugin| (plugin, &costs));
    let defaults = json!({});
    let all = RULES.iter().map(|plugin| (plugin, &defaults)).chain(with_costs);
    all.map(|(plugin, params): (_, &Value)| {
        let rules: Arc<dyn Rules> = plugin.build(params, ()).unwrap().into();
        (format!("{} {params}", plugin.name()), rules)
    })
    .collect()
}

fn all_rewards() -> Vec<(&'static str, Arc<dyn RewardFn>)> {
    REWARDS.iter().map(|plugin| (plugin.name(), plugin.build(&json!({}), ()).unwrap().into())).collect()
}

fn arena(rules: Arc<dyn Rules>, reward: Arc<dyn RewardFn>) -> Arena {
    let config = EnvConfig { num_envs: 4, max_episode_steps: MAX_EPISODE_STEPS, ..EnvConfig::default() };
    Arena::new(segment(), SplitName::Train, rules, reward, config).unwrap()
}

/// Reads everything that an observation offers.
fn read(observation: &Observation<'_>) -> f64 {
    let history = &observation.history;
    let news: usize = history.recent_news(5).map(|(ago, text)| ago + text.len()).sum();
    let memory: f64 = observation.rewards.iter().chain(observation.equities).sum();
    let closes: f64 = history.closes(10).iter().sum();
    observation.account.equity() + memory + closes + (news + observation.actions.len()) as f64
}

/// `steps` steps of every environment with random legal actions, each observed, recorded and scored.
fn trade(envs: &mut EnvBatch, steps: usize, actions: &mut impl rand::Rng) {
    for _ in 0..steps {
        for i in 0..envs.len() {
            let observation = envs.observe(i);
            black_box(read(&observation));
            let wish = Action::ALL[actions.random_range(0..3)];
            let action = if observation.mask.allows(wish) { wish } else { Action::Hold };
            black_box(envs.step(i, action));
            black_box((envs.record(i), envs.fill(i), envs.log_return(i)));
            if envs.ended(i) {
                envs.reset(i);
            }
        }
    }
}

#[test]
fn a_step_allocates_nothing_under_any_rules_and_reward() {
    for (rules_name, rules) in all_rules() {
        for (reward_name, reward) in all_rewards() {
            let mut envs = arena(rules.clone(), reward).training(7);
            let mut actions = rng(7, "actions");
            // Rewards that remember an episode have then room for the longest one.
            trade(&mut envs, MAX_EPISODE_STEPS, &mut actions);
            let counted = measure(|| trade(&mut envs, STEPS, &mut actions));
            assert_eq!(counted.count_total, 0, "{rules_name}, {reward_name}");
        }
    }
}

#[test]
fn a_second_walk_through_a_segment_allocates_nothing() {
    for (name, reward) in all_rewards() {
        let mut envs = arena(all_rules().remove(0).1, reward).evaluation();
        let mut walk = || {
            envs.reset(0);
            while !envs.ended(0) {
                black_box(envs.step(0, Action::Hold));
            }
        };
        walk();
        assert_eq!(measure(walk).count_total, 0, "{name}");
    }
}

/// What the counts above would show: making environments allocates, and a list of observations is one allocation.
#[test]
fn the_counter_counts() {
    let arena = arena(all_rules().remove(0).1, all_rewards().remove(0).1);
    assert!(measure(|| drop(black_box(arena.training(7)))).count_total > 0);
    let envs = arena.training(7);
    assert_eq!(measure(|| drop(black_box(envs.observations()))).count_total, 1);
}
