//! Three whole updates beside PyTorch's, from `fixtures/update.json`, which `fixtures/make.py` makes.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use llm::{Adam, AdamConfig, ParamSet};
use serde::Deserialize;
use trading_env::{Action, ActionMask, AgentError, EnvBatch, Observation};

use crate::actor_critic::{ActorCritic, Output};
use crate::config::PpoConfig;
use crate::mlp::Mlp;
use crate::policy::Policy;
use crate::rollout::Rollout;
use crate::update::{Batch, gradient};

/// Largest difference that is accepted, relative to the largest number of its kind.
const ACCEPTED: f64 = 1e-4;

#[derive(Deserialize)]
struct Fixture {
    config: Settings,
    n_envs: usize,
    /// Shape on disk and values.
    parameters: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    observations: Vec<f32>,
    masks: Vec<[bool; 3]>,
    initial_logits: Vec<f64>,
    old_logits: Vec<f32>,
    old_values: Vec<f64>,
    actions: Vec<usize>,
    rewards: Vec<f64>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    final_values: Vec<f64>,
    advantages: Vec<f64>,
    minibatches: Vec<Vec<usize>>,
    updates: Vec<Update>,
}

#[derive(Deserialize)]
struct Settings {
    gamma: f64,
    gae_lambda: f64,
    clip_coef: f64,
    ent_coef: f64,
    vf_coef: f64,
    kl_coef: f64,
    max_grad_norm: f64,
    learning_rate: f64,
    adam_eps: f64,
    weight_decay: f64,
}

#[derive(Deserialize)]
struct Update {
    policy_loss: f64,
    value_loss: f64,
    entropy: f64,
    kl: f64,
    approx_kl: f64,
    clipfrac: f64,
    grad_norm: f64,
    gradients: BTreeMap<String, Vec<f64>>,
    parameters: BTreeMap<String, Vec<f64>>,
}

/// One tanh layer and two linear heads over three numbers.
struct Net {
    params: ParamSet,
    body: Mlp,
    policy: Mlp,
    value: Mlp,
}

impl Net {
    fn new(fixture: &Fixture) -> Self {
        let mut params = ParamSet::new(&Device::flex());
        let hidden = fixture.parameters["body.0.bias"].0[0];
        let body = Mlp::body(&mut params, "body", 3, &[hidden], 0);
        let policy = Mlp::head(&mut params, "policy_head", [hidden, 3], &[], 1.0, 0);
        let value = Mlp::head(&mut params, "value_head", [hidden, 1], &[], 1.0, 0);
        for (name, (shape, values)) in &fixture.parameters {
            assert_eq!(params.get(name).expect("a parameter of the fixture").shape(), shape, "{name}");
            params.set(name, values.clone());
        }
        assert_eq!(params.len(), fixture.parameters.len());
        Self { params, body, policy, value }
    }
}

impl ActorCritic for Net {
    type Envs = EnvBatch;
    type Encoded = [f32; 3];

    fn encode(&mut self, _: &[Observation<'_>]) -> Result<Vec<[f32; 3]>, AgentError> {
        unreachable!("the fixture's observations are encoded")
    }

    fn forward(&self, batch: &[&[f32; 3]]) -> Output {
        let numbers: Vec<f32> = batch.iter().flat_map(|row| **row).collect();
        let x = Tensor::from_data(TensorData::new(numbers, [batch.len(), 3]), self.params.device());
        let hidden = self.body.forward(&self.params, x);
        Output {
            logits: self.policy.forward(&self.params, hidden.clone()),
            values: self.value.forward(&self.params, hidden),
        }
    }

    fn forward_frozen(&self, batch: &[&[f32; 3]]) -> Output {
        let Output { logits, values } = self.forward(batch);
        Output { logits: logits.inner(), values: values.inner() }
    }

    fn params(&self) -> &ParamSet {
        &self.params
    }

    fn params_mut(&mut self) -> &mut ParamSet {
        &mut self.params
    }
}

fn rollout(fixture: &Fixture) -> Rollout<[f32; 3]> {
    let mut rollout = Rollout::new(fixture.n_envs);
    rollout.encoded = fixture.observations.as_chunks().0.to_vec();
    let logits = fixture.old_logits.as_chunks::<3>().0.iter();
    rollout.policies = logits.zip(&fixture.masks).map(|(l, m)| Policy::new(*l, ActionMask(*m))).collect();
    rollout.actions = fixture.actions.iter().map(|i| Action::ALL[*i]).collect();
    rollout.values = fixture.old_values.clone();
    rollout.rewards = fixture.rewards.clone();
    rollout.terminated = fixture.terminated.clone();
    rollout.truncated = fixture.truncated.clone();
    rollout.final_values = fixture.final_values.clone();
    rollout
}

/// Largest difference, relative to the largest expected number.
fn difference(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    let worst = found.iter().zip(expected).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
    if worst == 0.0 { 0.0 } else { worst / scale }
}

/// As on disk: `[d_out, d_in]` for a weight, which is `[d_in, d_out]` in memory.
fn as_on_disk(values: &[f32], shape: &[usize]) -> Vec<f64> {
    match shape {
        [rows, columns] => {
            let at = |i: usize| f64::from(values[(i % columns) * rows + i / columns]);
            (0..values.len()).map(at).collect()
        }
        _ => values.iter().map(|v| f64::from(*v)).collect(),
    }
}

#[test]
fn three_updates_are_those_of_pytorch() {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/update.json")).unwrap();
    let Settings { gamma, gae_lambda, .. } = fixture.config;
    let rollout = rollout(&fixture);
    let estimates = rollout.estimate(gamma, gae_lambda);
    let mut worst = BTreeMap::from([("advantages", difference(&estimates.advantages, &fixture.advantages))]);
    let mut see = |what: &'static str, found: &[f64], expected: &[f64]| {
        let entry = worst.entry(what).or_insert(0.0);
        *entry = entry.max(difference(found, expected));
    };

    let initial = fixture.initial_logits.as_chunks::<3>().0.iter().zip(&fixture.masks);
    let initial: Vec<Policy> = initial.map(|(l, m)| Policy::from_f64(*l, ActionMask(*m))).collect();
    let batch = Batch { rollout: &rollout, estimates: &estimates, initial: Some(&initial) };
    let Settings { clip_coef, ent_coef, vf_coef, kl_coef, .. } = fixture.config;
    let config = PpoConfig {
        minibatch_size: 10,
        // Pieces of 4, 4 and 2: accumulation is part of what is compared.
        gradient_accumulation_steps: 3,
        clip_coef,
        ent_coef,
        vf_coef,
        kl_coef,
        ..PpoConfig::default()
    };
    let Settings { adam_eps, weight_decay, .. } = fixture.config;
    let mut adam = Adam::new(AdamConfig { eps: adam_eps, weight_decay, ..AdamConfig::default() });
    let mut net = Net::new(&fixture);
    for (minibatch, expected) in fixture.minibatches.iter().zip(&fixture.updates) {
        let (mut grads, stats) = gradient(&net, &batch, minibatch, &config).unwrap();
        for (what, found, expected) in [
            ("policy loss", stats.policy_loss, expected.policy_loss),
            ("value loss", stats.value_loss, expected.value_loss),
            ("entropy", stats.entropy, expected.entropy),
            ("approx_kl", stats.approx_kl, expected.approx_kl),
            ("clipfrac", stats.clipfrac, expected.clipfrac),
        ] {
            see(what, &[found], &[expected]);
        }
        // 0 in the first update, up to rounding.
        assert!((stats.kl - expected.kl).abs() < 1e-7, "{} {}", stats.kl, expected.kl);
        let shapes: Vec<(String, Vec<usize>)> =
            net.params.iter().map(|p| (p.name().to_owned(), p.shape().to_vec())).collect();
        for (i, (name, shape)) in shapes.iter().enumerate() {
            let values = grads.get(i).unwrap().try_into_vec_as::<f32>().unwrap();
            see("gradients", &as_on_disk(&values, shape), &expected.gradients[name]);
        }
        let norm = grads.clip_global_norm(fixture.config.max_grad_norm);
        see("gradient norm", &[norm], &[expected.grad_norm]);
        adam.step(&mut net.params, &grads, |_| fixture.config.learning_rate);
        for p in net.params.iter() {
            let values: Vec<f64> = p.values().into_iter().map(f64::from).collect();
            see("parameters", &values, &expected.parameters[p.name()]);
        }
    }
    println!("three PPO updates beside PyTorch, worst difference relative to the largest number");
    for (what, worst) in &worst {
        println!("  {what:<14} {worst:.1e}");
        assert!(*worst < ACCEPTED, "{what}: {worst}");
    }
}
