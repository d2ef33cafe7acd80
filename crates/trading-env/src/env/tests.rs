//! Episodes: starts, ends, memory, records, and that no step knows a later bar.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use market_data::Segment;
use proptest::prelude::*;
use serde_json::json;

use super::{Arena, EnvBatch, EnvConfig, Observation};
use crate::testing::{actions, all_rules, bars, date, realistic, segment, segment_of_closes};
use crate::{Action, ActionMask, InvestorBench, Paper, REWARDS, RewardFn, Rules, SplitName};

fn reward(name: &str) -> Arc<dyn RewardFn> {
    REWARDS.iter().find(|p| p.name() == name).unwrap().build(&json!({}), ()).unwrap().into()
}

fn arena(segment: Segment, rules: impl Rules + 'static, config: EnvConfig) -> Arena {
    Arena::new(segment, SplitName::Train, Arc::new(rules), reward("log-return"), config).unwrap()
}

fn rising(n: usize) -> Vec<f64> {
    (0..n).map(|i| 100.0 + i as f64).collect()
}

fn config(max_episode_steps: usize) -> EnvConfig {
    EnvConfig { max_episode_steps, random_start: false, ..EnvConfig::default() }
}

#[test]
fn two_bars_by_hand() {
    // Paper rules, 1000 cash at 10. Buy fills at 20 (50 shares, worth 1000), Hold carries them to 25 (1250).
    let config = EnvConfig { initial_cash: 1000.0, ..config(65) };
    let mut envs = arena(segment_of_closes(&[10.0, 20.0, 25.0]), Paper, config).training(0);
    let start = envs.observe(0);
    assert_eq!((start.account.cash, start.account.price, start.history.t()), (1000.0, 10.0, 0));
    assert_eq!(start.mask, ActionMask([false, true, true]));
    assert!(start.rewards.is_empty() && start.equities.is_empty() && start.actions.is_empty());

    let step = envs.step(0, Action::Buy);
    assert_eq!((step.reward, step.terminated, step.truncated), (0.0, false, false));
    let record = envs.record(0);
    assert_eq!((record.split, record.episode, record.t, record.date), (SplitName::Train, 0, 0, date(0)));
    assert_eq!((record.action, record.position, record.price), (Action::Buy, 1.0, 20.0));
    assert_eq!((record.cash, record.equity, record.reward), (0.0, 1000.0, 0.0));
    assert_eq!(envs.fill(0).traded, 1000.0);

    let step = envs.step(0, Action::Hold);
    assert_eq!((step.reward, step.terminated, step.truncated), (1.25f64.ln(), false, true));
    assert_eq!(envs.log_return(0), 1.25f64.ln());
    let last = envs.observe(0);
    assert_eq!((last.history.t(), last.account.equity()), (2, 1250.0));
    assert_eq!((last.rewards, last.equities), (&[0.0, 1.25f64.ln()][..], &[1000.0, 1250.0][..]));
    assert_eq!(last.actions, [Action::Buy, Action::Hold]);
    assert_eq!((envs.record(0).t, envs.record(0).date), (1, date(1)));
}

#[test]
fn an_episode_is_truncated_at_its_step_limit_and_at_the_end_of_the_data() {
    let lengths = |max_episode_steps| {
        let mut envs =
            arena(segment_of_closes(&rising(11)), InvestorBench, config(max_episode_steps)).training(0);
        let mut steps = 0;
        loop {
            let step = envs.step(0, Action::Buy);
            steps += 1;
            assert!(!step.terminated);
            assert_eq!(step.truncated, envs.ended(0));
            if step.truncated {
                return steps;
            }
        }
    };
    assert_eq!([lengths(1), lengths(4), lengths(10), lengths(11), lengths(1000)], [1, 4, 10, 10, 10]);
}

#[test]
fn an_evaluation_takes_every_step_of_the_segment_once() {
    let config = EnvConfig { num_envs: 5, random_start: true, ..config(2) };
    let mut envs = arena(segment_of_closes(&rising(11)), InvestorBench, config).evaluation();
    assert_eq!(envs.len(), 1);
    let dates: Vec<_> = std::iter::from_fn(|| {
        (!envs.ended(0)).then(|| {
            envs.step(0, Action::Hold);
            envs.record(0).date
        })
    })
    .collect();
    assert_eq!(dates, (0..10).map(date).collect::<Vec<_>>());
}

#[test]
fn ruin_is_termination_even_at_the_step_limit() {
    // A fee of 100%: a share costs twice its price and its sale brings nothing.
    for limit in [2, 5] {
        let mut envs =
            arena(segment_of_closes(&rising(11)), realistic(10_000.0, 0.0, false), config(limit)).training(0);
        assert!(!envs.step(0, Action::Buy).terminated);
        let step = envs.step(0, Action::Sell);
        assert_eq!((step.terminated, step.truncated), (true, false));
        assert_eq!(envs.record(0).equity, 0.0);
        assert!(step.reward.is_finite() && step.reward < -10.0);
        assert!(envs.ended(0));
    }
}

#[test]
fn the_final_observation_stands_until_the_reset() {
    let config = EnvConfig { num_envs: 2, ..config(2) };
    let mut envs = arena(segment_of_closes(&rising(11)), InvestorBench, config).training(0);
    envs.step(0, Action::Buy);
    envs.step(0, Action::Buy);
    envs.step(1, Action::Sell);
    assert_eq!((envs.ended(0), envs.ended(1)), (true, false));
    assert_eq!((envs.observe(0).history.t(), envs.observe(0).actions.len()), (2, 2));
    envs.reset(0);
    assert!(!envs.ended(0));
    let fresh = envs.observe(0);
    assert_eq!((fresh.history.t(), fresh.account.equity()), (0, 100_000.0));
    assert!(fresh.rewards.is_empty() && fresh.equities.is_empty() && fresh.actions.is_empty());
    assert_eq!(envs.observe(1).actions, [Action::Sell]);
    // Episodes 0 and 1 began with the batch.
    envs.step(0, Action::Buy);
    assert_eq!((envs.record(0).episode, envs.record(0).t, envs.record(1).episode), (2, 0, 1));
}

#[test]
fn misuse_panics_with_what_went_wrong() {
    let message = |misuse: &dyn Fn(&mut EnvBatch)| {
        let mut envs = arena(segment_of_closes(&rising(3)), Paper, config(1)).training(0);
        let panic = catch_unwind(AssertUnwindSafe(|| misuse(&mut envs))).unwrap_err();
        panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            .unwrap()
    };
    let illegal = message(&|envs| {
        envs.step(0, Action::Sell);
    });
    assert!(illegal.contains("sell is illegal"), "{illegal}");
    let ended = message(&|envs| {
        envs.step(0, Action::Hold);
        envs.step(0, Action::Hold);
    });
    assert!(ended.contains("after the end"), "{ended}");
    let no_step = message(&|envs| {
        envs.record(0);
    });
    assert!(no_step.contains("last step"), "{no_step}");
}

#[test]
fn an_arena_says_what_it_cannot_use() {
    let of = |segment, config| {
        Arena::new(segment, SplitName::Valid, Arc::new(Paper), reward("log-return"), config).err()
    };
    let ten = segment_of_closes(&rising(10));
    let error = |config| of(ten.clone(), config).unwrap();
    assert!(error(EnvConfig { num_envs: 0, ..config(5) }).contains("env.num_envs"));
    assert!(error(config(0)).contains("env.max_episode_steps"));
    assert!(error(EnvConfig { initial_cash: f64::NAN, ..config(5) }).contains("env.initial_cash"));
    let one_bar = Segment { first: 9, ..ten.clone() };
    assert!(of(one_bar, config(5)).unwrap().contains("the valid split has 1 bars"));
    assert_eq!(of(ten, config(5)), None);
}

#[test]
fn look_back_is_seen_and_never_decided_on() {
    let segment = Segment { first: 3, ..segment_of_closes(&rising(8)) };
    let arena = arena(segment, InvestorBench, config(65));
    let mut envs = arena.evaluation();
    assert_eq!(envs.observe(0).history.closes(4), [100.0, 101.0, 102.0, 103.0]);
    envs.step(0, Action::Hold);
    assert_eq!(envs.record(0).date, date(3));
    let config = EnvConfig { random_start: true, ..config(1) };
    let random = Arena { config, ..arena };
    let mut envs = random.training(1);
    for _ in 0..200 {
        assert!(envs.observe(0).history.t() >= 3);
        envs.reset(0);
    }
}

/// Bars at which the first `episodes` episodes of each environment start.
fn starts(num_envs: usize, seed: u64, episodes: usize) -> Vec<Vec<usize>> {
    let config = EnvConfig { num_envs, random_start: true, max_episode_steps: 6, ..EnvConfig::default() };
    let mut envs = arena(segment_of_closes(&rising(16)), InvestorBench, config).training(seed);
    (0..num_envs)
        .map(|i| {
            (0..episodes)
                .map(|_| {
                    let start = envs.observe(i).history.t();
                    envs.reset(i);
                    start
                })
                .collect()
        })
        .collect()
}

#[test]
fn random_starts_leave_room_for_a_whole_episode_and_reach_every_such_bar() {
    // 16 bars, 6 steps: the last possible start is bar 9.
    let mut seen = [0; 16];
    starts(1, 4, 2000)[0].iter().for_each(|start| seen[*start] += 1);
    assert!(seen[..10].iter().all(|n| (140..=260).contains(n)), "{seen:?}");
    assert_eq!(seen[10..], [0; 6]);
}

#[test]
fn random_starts_belong_to_the_seed_and_the_environment() {
    assert_eq!(starts(3, 4, 20), starts(3, 4, 20));
    assert_ne!(starts(3, 4, 20), starts(3, 5, 20));
    assert_eq!(starts(3, 4, 20)[..2], starts(2, 4, 20)[..]);
    assert_ne!(starts(2, 4, 20)[0], starts(2, 4, 20)[1]);
}

#[test]
fn a_segment_shorter_than_an_episode_starts_at_its_first_bar() {
    let config = EnvConfig { random_start: true, ..EnvConfig::default() };
    let envs = arena(segment_of_closes(&rising(10)), InvestorBench, config).training(3);
    assert_eq!(envs.observe(0).history.t(), 0);
}

#[test]
fn memory_keeps_the_last_steps() {
    for (memory, wanted) in [(0, vec![]), (2, vec![102.0, 103.0])] {
        let config = EnvConfig { memory, initial_cash: 100.0, ..config(65) };
        let mut envs = arena(segment_of_closes(&rising(5)), InvestorBench, config).training(0);
        for _ in 0..3 {
            envs.step(0, Action::Buy);
        }
        let seen = envs.observe(0);
        assert_eq!(seen.equities.iter().map(|e| e.round()).collect::<Vec<_>>(), wanted);
        assert_eq!((seen.rewards.len(), seen.actions.len()), (memory, memory));
    }
}

/// The decision of a policy that looks at everything: price, account, memory, mask.
fn decide(seen: &Observation<'_>, salt: usize) -> Action {
    let bits = seen
        .history
        .closes(5)
        .iter()
        .chain(seen.rewards)
        .chain(seen.equities)
        .fold(salt as u64, |hash, x| hash.rotate_left(7).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ x.to_bits());
    let legal: Vec<_> = seen.mask.legal().collect();
    legal[(bits >> 32) as usize % legal.len()]
}

/// All that is observed, decided and rewarded up to the decision at bar `t`, as text.
fn trace(arena: &Arena, t: usize, salt: usize) -> Vec<String> {
    let mut envs = arena.evaluation();
    let mut trace = Vec::new();
    loop {
        let seen = envs.observe(0);
        let action = decide(&seen, salt);
        let memory = (seen.rewards, seen.equities, seen.actions);
        trace.push(format!(
            "{:?} {:?} {:?} {memory:?} {action:?}",
            seen.history.bar(),
            seen.account,
            seen.mask
        ));
        if seen.history.t() == t {
            return trace;
        }
        envs.step(0, action);
    }
}

proptest! {
    #[test]
    fn no_bar_after_t_changes_anything_up_to_t(
        prices in bars(12), other in bars(12), t in 0usize..11, salt: usize,
    ) {
        let mut perturbed = prices.clone();
        perturbed[t + 1..].copy_from_slice(&other[t + 1..]);
        let segment = |prices: &[(Option<f64>, f64)]| {
            let (opens, closes): (Vec<_>, Vec<_>) = prices.iter().copied().unzip();
            segment(&opens, &closes)
        };
        for rules in all_rules().into_iter().map(Arc::<dyn Rules>::from) {
            for plugin in REWARDS {
                let arena = |prices: &[(Option<f64>, f64)]| {
                    let config = EnvConfig { memory: 4, ..EnvConfig::default() };
                    Arena::new(segment(prices), SplitName::Test, rules.clone(), reward(plugin.name()), config).unwrap()
                };
                prop_assert_eq!(trace(&arena(&prices), t, salt), trace(&arena(&perturbed), t, salt));
            }
        }
    }

    #[test]
    fn log_return_rewards_sum_to_the_log_wealth(prices in bars(12), wishes in actions(11)) {
        for rules in all_rules().into_iter().map(Arc::<dyn Rules>::from) {
            let (opens, closes): (Vec<_>, Vec<_>) = prices.iter().copied().unzip();
            let config = EnvConfig::default();
            let segment = segment(&opens, &closes);
            let arena = Arena::new(segment, SplitName::Test, rules, reward("log-return"), config).unwrap();
            let mut envs = arena.evaluation();
            let mut total = 0.0;
            for wish in &wishes {
                let action = if envs.observe(0).mask.allows(*wish) { *wish } else { Action::Hold };
                let step = envs.step(0, action);
                prop_assert!((envs.log_return(0) - step.reward).abs() < 1e-9);
                total += step.reward;
            }
            prop_assert!((total - (envs.record(0).equity / 100_000.0).ln()).abs() < 1e-9);
        }
    }
}

proptest! {
    /// From any moment on, restored environments do what the others do: their starts, episodes, memories and rewards.
    #[test]
    fn restored_environments_go_on_as_the_others(choices in actions(120), at in 0usize..60, seed in 0u64..4) {
        let settings = EnvConfig { num_envs: 2, max_episode_steps: 9, memory: 4, ..EnvConfig::default() };
        for (rules, name) in [("paper", "sharpe-delta"), ("investor-bench", "drawdown-penalised")] {
            let rules: Arc<dyn Rules> = all_rules().into_iter().find(|r| r.name() == rules).unwrap().into();
            let closes: Vec<f64> = (0..60).map(|i| 100.0 + 7.0 * f64::sin(i as f64)).collect();
            let segment = segment_of_closes(&closes);
            let arena =
                Arena::new(segment, SplitName::Train, rules, reward(name), settings.clone()).unwrap();
            let walk = |envs: &mut EnvBatch, choices: &[Action]| {
                let mut rows = Vec::new();
                for (i, wanted) in choices.iter().enumerate() {
                    let place = i % 2;
                    let mask = envs.observe(place).mask;
                    let action = if mask.allows(*wanted) { *wanted } else { Action::Hold };
                    envs.step(place, action);
                    rows.push((envs.record(place), envs.observe(place).rewards.to_vec()));
                    if envs.ended(place) {
                        envs.reset(place);
                    }
                }
                rows
            };
            let mut envs = arena.training(seed);
            walk(&mut envs, &choices[..2 * at]);
            let state = serde_json::to_string(&envs.state()).unwrap();
            let mut restored = arena.training(seed);
            restored.restore(&serde_json::from_str(&state).unwrap()).unwrap();
            for i in 0..2 {
                prop_assert_eq!(restored.observe(i).equities, envs.observe(i).equities);
                prop_assert_eq!(restored.observe(i).account, envs.observe(i).account);
            }
            let rest = &choices[2 * at..];
            prop_assert_eq!(walk(&mut envs, rest), walk(&mut restored, rest));
        }
    }
}

#[test]
fn a_state_of_other_environments_is_refused() {
    let of = |n: usize, num_envs| {
        arena(segment_of_closes(&rising(n)), Paper, EnvConfig { num_envs, ..config(5) }).training(0)
    };
    let state = of(20, 2).state();
    assert!(of(20, 1).restore(&state).unwrap_err().contains("expected the state of 1 environments, found 2"));
    let mut sold = serde_json::to_value(of(20, 1).state()).unwrap();
    sold["envs"][0]["actions"] = json!([Action::Sell]);
    let state = serde_json::from_value(sold).unwrap();
    assert!(of(20, 1).restore(&state).unwrap_err().contains("sell is illegal"));
}
