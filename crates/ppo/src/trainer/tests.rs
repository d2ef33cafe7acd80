use std::sync::Arc;

use trading_env::{EnvConfig, Paper, SplitName};

use super::*;
use crate::test_net::{MemoryLog, TestNet, announced_market, arena, arena_under};

fn config() -> PpoConfig {
    PpoConfig {
        total_timesteps: 10_000,
        num_steps: 64,
        learning_rate: 5e-3,
        gamma: 0.0,
        update_epochs: 4,
        minibatch_size: 32,
        gradient_accumulation_steps: 1,
        ent_coef: 0.05,
        kl_coef: 0.0,
        clip_coef: 0.2,
        clip_vloss: false,
        ..PpoConfig::default()
    }
}

fn env() -> EnvConfig {
    EnvConfig { num_envs: 2, max_episode_steps: 64, ..EnvConfig::default() }
}

fn run(config: &PpoConfig, seed: u64) -> (TestNet, MemoryLog, Trained) {
    let training = arena(announced_market(1, 600), SplitName::Train, env());
    let validation = arena(announced_market(2, 200), SplitName::Valid, env());
    let mut net = TestNet::new(seed);
    let mut log = MemoryLog::default();
    let training = Training { arena: &training, validation: Some(&validation), log: &mut log };
    let trained = train(&mut net, training, config, seed).unwrap();
    (net, log, trained)
}

/// A policy that always follows the announcement earns the absolute value of every move but the first, whose
/// announcement came before the data.
fn optimum(closes: &[f64]) -> f64 {
    closes.windows(2).skip(1).map(|w| (w[1] / w[0]).ln().abs()).sum()
}

#[test]
fn learns_a_contextual_bandit() {
    let (mut net, log, trained) = run(&config(), 3);
    let series = announced_market(4, 400);
    let best = optimum(series.closes());
    let unseen = arena(series, SplitName::Test, env());
    let score = |net: &mut TestNet| Decider::new(3).score(net, &unseen, &config()).unwrap();
    let before = score(&mut TestNet::new(3));
    let after = score(&mut net);
    assert!(before < 0.5 * best, "untrained: {before} of {best}");
    assert!(after > 0.9 * best, "trained: {after} of {best}");
    assert_eq!(trained.kept_update as usize + 1, log.updates.len());
    assert_eq!(trained.group_norms.len(), 3);
    assert!(trained.group_norms.iter().all(|g| g.mean_grad_norm > 0.0));
}

#[test]
fn rows_report_every_step_and_update() {
    let small =
        PpoConfig { total_timesteps: 1000, num_steps: 100, minibatch_size: 128, kl_coef: 0.05, ..config() };
    let (_, log, _) = run(&small, 1);
    assert_eq!(log.updates.len(), 5, "1000 steps in rollouts of 2 x 100");
    assert_eq!(log.steps.len(), 1000);
    assert_eq!(log.timings.len(), 5);
    assert!(log.steps.iter().all(|s| s.log_prob.unwrap() < 0.0 && s.value.unwrap().is_finite()));
    for (i, update) in log.updates.iter().enumerate() {
        assert_eq!((update.update as usize, update.global_step), (i, 200 * (i as u64 + 1)));
        assert!(update.first_ratio_error < 1e-5, "{}", update.first_ratio_error);
        assert!((update.share_sell + update.share_hold + update.share_buy - 1.0).abs() < 1e-12);
        assert!(update.episode_return.is_some() && update.explained_variance.is_some());
    }
    assert_eq!(log.updates[0].learning_rate, 5e-3);
    assert!((log.updates[4].learning_rate - 1e-3).abs() < 1e-12);
    // A tanh network with a small last layer starts at the uniform policy, from which it only moves within the update.
    assert!(log.updates[0].kl.unwrap() < log.updates[4].kl.unwrap());

    let returns: f64 = log.updates[0].episode_return.unwrap();
    let in_rollout = &log.steps[..200];
    // Two environments of 64 steps an episode end one each in 100 steps.
    let ended: f64 = in_rollout.iter().filter(|s| s.episode < 2).map(|s| s.reward).sum();
    assert!((returns - ended / 2.0).abs() < 1e-12);
}

#[test]
fn every_setting_changes_the_result() {
    let base = PpoConfig { total_timesteps: 512, num_steps: 64, kl_coef: 0.05, update_epochs: 2, ..config() };
    let base = PpoConfig { minibatch_size: 48, ..base };
    let result = |config: &PpoConfig| run(config, 5).0.params.digests();
    let reference = result(&base);
    let variants: Vec<(&str, PpoConfig)> = vec![
        ("total_timesteps", PpoConfig { total_timesteps: 640, ..base.clone() }),
        ("learning_rate", PpoConfig { learning_rate: 4e-3, ..base.clone() }),
        ("num_steps", PpoConfig { num_steps: 32, ..base.clone() }),
        ("anneal_lr", PpoConfig { anneal_lr: false, ..base.clone() }),
        ("gamma", PpoConfig { gamma: 0.5, ..base.clone() }),
        ("gae_lambda", PpoConfig { gamma: 0.5, gae_lambda: 0.5, ..base.clone() }),
        ("update_epochs", PpoConfig { update_epochs: 3, ..base.clone() }),
        ("minibatch_size", PpoConfig { minibatch_size: 40, ..base.clone() }),
        ("norm_adv", PpoConfig { norm_adv: false, ..base.clone() }),
        ("clip_coef", PpoConfig { clip_coef: 0.001, ..base.clone() }),
        ("clip_vloss", PpoConfig { clip_vloss: true, clip_coef: 0.001, ..base.clone() }),
        ("ent_coef", PpoConfig { ent_coef: 0.1, ..base.clone() }),
        ("vf_coef", PpoConfig { vf_coef: 0.1, ..base.clone() }),
        ("kl_coef", PpoConfig { kl_coef: 0.5, ..base.clone() }),
        ("max_grad_norm", PpoConfig { max_grad_norm: 0.01, ..base.clone() }),
        ("target_kl", PpoConfig { target_kl: Some(0.0), ..base.clone() }),
        ("adam_eps", PpoConfig { adam_eps: 1e-2, ..base.clone() }),
        ("weight_decay", PpoConfig { weight_decay: 0.1, ..base }),
    ];
    let mut seen = vec![("the base", reference)];
    for (name, config) in variants {
        let digests = result(&config);
        for (other, known) in &seen {
            assert_ne!(*known, digests, "{name} gives the same parameters as {other}");
        }
        seen.push((name, digests));
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_alone_and_beside_another() {
    let small = PpoConfig { total_timesteps: 1024, kl_coef: 0.05, ..config() };
    let result = |seed| {
        let (net, log, _) = run(&small, seed);
        (net.params.digests(), log.steps, log.updates)
    };
    let (one, two) = (result(1), result(2));
    assert!(one.0 != two.0 && one.1 != two.1);
    let (a, b) = std::thread::scope(|s| {
        let a = s.spawn(|| result(1));
        let b = s.spawn(|| result(2));
        (a.join().unwrap(), b.join().unwrap())
    });
    assert!(a == one && b == two);
}

#[test]
fn masked_actions_are_never_taken() {
    let training = arena_under(Arc::new(Paper), announced_market(1, 300), SplitName::Train, env());
    let mut log = MemoryLog::default();
    let small = PpoConfig { total_timesteps: 512, ..config() };
    let mut net = TestNet::new(1);
    train(&mut net, Training { arena: &training, validation: None, log: &mut log }, &small, 1).unwrap();
    // The environment panics on an illegal action; both were illegal at some time.
    assert!(
        log.updates.iter().all(|u| u.entropy < 3f64.ln() - 0.1),
        "two of three actions at most are legal"
    );
}

#[test]
fn the_best_on_validation_is_kept() {
    let config = PpoConfig {
        total_timesteps: 2560,
        checkpoint_rule: CheckpointRule::BestValidation,
        validation_every: 3,
        ..config()
    };
    let (mut net, log, trained) = run(&config, 2);
    assert_eq!(log.updates.len(), 20);
    let scores: Vec<f64> =
        log.notes.iter().map(|n| n.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).collect();
    assert_eq!(scores.len(), 7, "after updates 3, 6, .., 18 and the last");
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let at = scores.iter().position(|s| *s == best).unwrap();
    assert_eq!(trained.kept_update as usize, [2, 5, 8, 11, 14, 17, 19][at]);
    let validation = arena(announced_market(2, 200), SplitName::Valid, env());
    assert_eq!(Decider::new(2).score(&mut net, &validation, &config).unwrap(), best);
}

#[test]
fn best_on_validation_needs_a_validation_split() {
    let training = arena(announced_market(1, 100), SplitName::Train, env());
    let config = PpoConfig { checkpoint_rule: CheckpointRule::BestValidation, ..config() };
    let mut log = MemoryLog::default();
    let training = Training { arena: &training, validation: None, log: &mut log };
    let error = train(&mut TestNet::new(1), training, &config, 1).unwrap_err();
    assert!(error.to_string().contains("split.valid"), "{error}");
}

#[test]
fn stops_when_asked() {
    let training = arena(announced_market(1, 100), SplitName::Train, env());
    let mut log = MemoryLog { stop_at: Some(300), ..MemoryLog::default() };
    let training = Training { arena: &training, validation: None, log: &mut log };
    assert_eq!(train(&mut TestNet::new(1), training, &config(), 1).unwrap_err(), AgentError::Interrupted);
    assert_eq!(log.steps.len(), 300);
}

#[test]
fn sampling_at_test_follows_the_seed_and_the_temperature() {
    let unseen = arena(announced_market(4, 200), SplitName::Test, env());
    let decisions = |seed, temperature| {
        let config = PpoConfig { action_at_test: crate::ActionAtTest::Sample, temperature, ..config() };
        let mut net = TestNet::new(1);
        let mut decider = Decider::new(seed);
        let mut envs = unseen.evaluation();
        let mut made = Vec::new();
        while !envs.ended(0) {
            let decision = decider.decide(&mut net, &envs.observations(), &config).unwrap()[0];
            envs.step(0, decision.action);
            made.push(decision.action);
        }
        made
    };
    assert_eq!(decisions(1, 1.0), decisions(1, 1.0));
    assert_ne!(decisions(1, 1.0), decisions(2, 1.0));
    let distinct =
        |made: Vec<trading_env::Action>| made.into_iter().collect::<std::collections::HashSet<_>>().len();
    assert_eq!(distinct(decisions(1, 1.0)), 3);
    // At a very low temperature sampling is argmax, here nearly constant because the untrained head is nearly linear.
    assert!(decisions(1, 1e-6) == decisions(2, 1e-6));
}
