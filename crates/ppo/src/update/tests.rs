use burn::tensor::Tensor;
use proptest::prelude::*;
use rand::RngExt;
use trading_env::{Action, ActionMask};

use super::*;
use crate::test_net::TestNet;

/// A rollout of made-up observations whose policies and values come from `net`, shifted by `shift` so that ratios
/// differ from 1.
fn rollout(net: &TestNet, seed: u64, n: usize, shift: f32, masks: bool) -> (Rollout<[f32; 2]>, Estimates) {
    let mut rng = trading_env::rng(seed, "rollout");
    let mut rollout = Rollout::new(1);
    for i in 0..n {
        let encoded = [rng.random_range(-1.0f32..1.0), rng.random_range(-1.0f32..1.0)];
        let row = net.forward(&[&encoded]).to_host()[0];
        let mask = if masks && i % 3 == 0 { ActionMask([false, true, true]) } else { ActionMask::ALL };
        let [sell, hold, buy] = row.logits;
        let policy = Policy::new([sell, hold + shift, buy - shift], mask);
        rollout.encoded.push(encoded);
        rollout.actions.push(policy.sample(rng.random()));
        rollout.policies.push(policy);
        rollout.values.push(f64::from(row.value));
        rollout.rewards.push(rng.random_range(-1.0..1.0));
        rollout.terminated.push(i % 7 == 6);
        rollout.truncated.push(false);
        rollout.final_values.push(0.0);
    }
    let estimates = rollout.estimate(0.95, 0.98);
    (rollout, estimates)
}

fn rates(both: f64) -> LearningRates {
    LearningRates { layers: both, heads: both }
}

/// Adam's first step moves every number by the rate, whatever its gradient: the heads by theirs, the body by its own.
#[test]
fn heads_and_layers_move_by_their_own_rates() {
    let mut net = TestNet::new(5);
    let (rollout, estimates) = rollout(&net, 6, 16, 0.2, true);
    let batch = Batch { rollout: &rollout, estimates: &estimates, initial: None };
    let before = net.params.clone();
    let config = PpoConfig { minibatch_size: 16, kl_coef: 0.0, ..PpoConfig::default() };
    let rates = LearningRates { layers: 1e-4, heads: 1e-2 };
    let mut shuffle = trading_env::rng(1, "minibatch");
    update(&mut net, &mut Adam::new(llm::AdamConfig::default()), &batch, &config, rates, &mut shuffle)
        .unwrap();
    for (old, new) in before.iter().zip(net.params.iter()) {
        let moved = old.values().iter().zip(new.values()).map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max);
        let rate = if old.group().ends_with("_head") { 1e-2 } else { 1e-4 };
        assert!((moved - rate).abs() < 0.02 * rate, "{}: {moved}", old.name());
    }
}

fn host(grads: &GradSet, net: &TestNet) -> Vec<Vec<f32>> {
    (0..net.params.len()).map(|i| grads.get(i).unwrap().try_into_vec_as::<f32>().unwrap()).collect()
}

#[test]
fn accumulated_micro_batches_equal_the_whole_minibatch() {
    let net = TestNet::new(1);
    let (rollout, estimates) = rollout(&net, 2, 31, 0.3, true);
    let batch = Batch { rollout: &rollout, estimates: &estimates, initial: Some(&rollout.policies) };
    let minibatch: Vec<usize> = (0..31).rev().collect();
    let of = |pieces| {
        let config =
            PpoConfig { minibatch_size: 32, gradient_accumulation_steps: pieces, ..PpoConfig::default() };
        gradient(&net, &batch, &minibatch, &config).unwrap()
    };
    let (whole, whole_stats) = of(1);
    let whole = host(&whole, &net);
    // Micro-batches of 16 and 15, of 4 with 3 left over, and of 1.
    for pieces in [2, 8, 32] {
        let (grads, stats) = of(pieces);
        for (a, b) in host(&grads, &net).iter().zip(&whole) {
            let scale = b.iter().fold(0f32, |m, x| m.max(x.abs()));
            assert!(scale > 0.0);
            assert!(a.iter().zip(b).all(|(x, y)| (x - y).abs() <= 1e-5 * scale), "{pieces} pieces");
        }
        assert!((stats.policy_loss - whole_stats.policy_loss).abs() < 1e-6);
        assert!((stats.value_loss - whole_stats.value_loss).abs() < 1e-6);
    }
}

/// The gradient of a parameter by moving it: the mean of the samples' total loss, as the network computes it.
#[test]
fn the_gradient_is_the_slope_of_the_mean_loss() {
    let mut net = TestNet::new(3);
    let (rollout, estimates) = rollout(&net, 4, 8, 0.1, true);
    let batch = Batch { rollout: &rollout, estimates: &estimates, initial: Some(&rollout.policies) };
    let config = PpoConfig { norm_adv: false, ..PpoConfig::default() };
    let minibatch: Vec<usize> = (0..8).collect();
    let (grads, _) = gradient(&net, &batch, &minibatch, &config).unwrap();
    let grads = host(&grads, &net);
    let total = |net: &TestNet| {
        let (_, s) = gradient(net, &batch, &minibatch, &config).unwrap();
        s.policy_loss - config.ent_coef * s.entropy + config.vf_coef * s.value_loss + config.kl_coef * s.kl
    };
    let names: Vec<String> = net.params.iter().map(|p| p.name().to_owned()).collect();
    for (i, name) in names.iter().enumerate() {
        // Along the gradient itself the slope is its squared norm; f32 noise is small against it.
        let norm2: f64 = grads[i].iter().map(|g| f64::from(*g).powi(2)).sum();
        let h = 1e-2 / norm2.sqrt();
        let before = net.params.clone();
        let mut at = |step: f64| {
            let g = host_tensor(&grads[i], &net.params.get(name).unwrap().plain());
            let mut moved = before.clone();
            move_param(&mut moved, name, &g, step);
            net.params = moved;
            total(&net)
        };
        let slope = (at(h) - at(-h)) / (2.0 * h);
        net.params = before;
        assert!((slope - norm2).abs() < 0.02 * norm2 + 1e-6, "{name}: {slope} {norm2}");
    }
}

fn host_tensor(values: &[f32], like: &Tensor<2>) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), like.dims()), &like.device())
}

/// Adds `step * direction` to one parameter by way of a file, the public road for values.
fn move_param(params: &mut llm::ParamSet, name: &str, direction: &Tensor<2>, step: f64) {
    let mut set = llm::ParamSet::new(params.device());
    for p in params.iter() {
        let mut values = p.values();
        if p.name() == name {
            let transposed = p.shape().len() == 2;
            let direction = if transposed { direction.clone().transpose() } else { direction.clone() };
            let direction = direction.try_into_vec_as::<f32>().unwrap();
            values.iter_mut().zip(direction).for_each(|(v, d)| *v += (step * f64::from(d)) as f32);
        }
        set.insert(match p.shape() {
            [rows, columns] => llm::NewParam::linear(p.name(), p.group(), [*rows, *columns], values),
            _ => llm::NewParam::vector(p.name(), p.group(), values),
        });
    }
    *params = set;
}

#[test]
fn a_masked_action_gets_no_gradient() {
    let net = TestNet::new(5);
    let (mut rollout, estimates) = rollout(&net, 6, 12, 0.0, false);
    let mask = ActionMask([false, true, true]);
    for i in 0..rollout.len() {
        rollout.policies[i] = Policy::new([9.0, 0.0, 0.0], mask);
        rollout.actions[i] = Action::Buy;
    }
    let batch = Batch { rollout: &rollout, estimates: &estimates, initial: None };
    let minibatch: Vec<usize> = (0..12).collect();
    let (grads, _) = gradient(&net, &batch, &minibatch, &PpoConfig::default()).unwrap();
    let index = net.params.iter().position(|p| p.name() == "policy_head.0.bias").unwrap();
    let bias = grads.get(index).unwrap().try_into_vec_as::<f32>().unwrap();
    assert_eq!(bias[0], 0.0);
    assert!(bias[1] != 0.0 && (bias[1] + bias[2]).abs() < 1e-6);
}

#[test]
fn the_first_ratio_is_one_and_the_last_minibatch_holds_the_rest() {
    let mut net = TestNet::new(7);
    let (rollout, estimates) = rollout(&net, 8, 40, 0.0, true);
    let batch = Batch { rollout: &rollout, estimates: &estimates, initial: None };
    let config = PpoConfig { update_epochs: 3, ..PpoConfig::default() };
    let mut adam = Adam::new(llm::AdamConfig::default());
    let mut shuffle = trading_env::rng(9, "minibatch");
    let stats = update(&mut net, &mut adam, &batch, &config, rates(1e-3), &mut shuffle).unwrap();
    assert!(stats.first_ratio_error < 1e-6, "{}", stats.first_ratio_error);
    assert_eq!(stats.n_minibatches, 6, "32 and 8, three times");
    assert_eq!(adam.steps(), 6);
    assert!(stats.approx_kl > 0.0, "later minibatches have moved");
    let groups: Vec<_> = stats.group_norms.iter().map(|(g, _)| g.as_str()).collect();
    assert_eq!(groups, ["body", "policy_head", "value_head"]);
}

#[test]
fn target_kl_ends_the_epochs() {
    let n_minibatches = |target_kl| {
        let mut net = TestNet::new(7);
        let (rollout, estimates) = rollout(&net, 8, 40, 0.0, true);
        let batch = Batch { rollout: &rollout, estimates: &estimates, initial: None };
        let config = PpoConfig { update_epochs: 5, target_kl, ..PpoConfig::default() };
        let mut adam = Adam::new(llm::AdamConfig::default());
        let mut shuffle = trading_env::rng(9, "minibatch");
        update(&mut net, &mut adam, &batch, &config, rates(1e-2), &mut shuffle).unwrap().n_minibatches
    };
    assert_eq!(n_minibatches(None), 10);
    assert_eq!(n_minibatches(Some(0.0)), 2, "one epoch");
}

#[test]
fn a_loss_that_is_not_finite_is_an_error() {
    let mut net = TestNet::new(1);
    let (mut rollout, _) = rollout(&net, 2, 10, 0.0, false);
    rollout.rewards[4] = f64::NAN;
    let estimates = rollout.estimate(0.95, 0.98);
    let batch = Batch { rollout: &rollout, estimates: &estimates, initial: None };
    let mut adam = Adam::new(llm::AdamConfig::default());
    let mut shuffle = trading_env::rng(9, "minibatch");
    let before = net.params.digests();
    let config = PpoConfig { norm_adv: false, ..PpoConfig::default() };
    let error = update(&mut net, &mut adam, &batch, &config, rates(1e-2), &mut shuffle).unwrap_err();
    assert_eq!(error.what, "policy loss");
    assert_eq!(net.params.digests(), before, "nothing was learned from it");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever the sizes, every sample is in exactly one minibatch of an epoch: with a learning rate of 0 the mean
    /// over samples of any statistic is the size-weighted mean over minibatches, here of the plain surrogate.
    #[test]
    fn every_sample_counts_once(n in 2usize..30, size in 1usize..12) {
        let net = TestNet::new(1);
        let (rollout, estimates) = rollout(&net, n as u64, n, 0.2, true);
        let batch = Batch { rollout: &rollout, estimates: &estimates, initial: None };
        let config = PpoConfig {
            minibatch_size: size, gradient_accumulation_steps: 1, norm_adv: false, ..PpoConfig::default()
        };
        let all: Vec<usize> = (0..n).collect();
        let whole = gradient(&net, &batch, &all, &config).unwrap().1.policy_loss * n as f64;
        let parts: f64 =
            all.chunks(size).map(|m| gradient(&net, &batch, m, &config).unwrap().1.policy_loss * m.len() as f64).sum();
        prop_assert!((whole - parts).abs() < 1e-5);
    }
}
