//! One PPO update: epochs of shuffled minibatches over a rollout, each one optimiser step.

use burn::tensor::{Tensor, TensorData};
use llm::{Adam, GradSet};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::actor_critic::{ActorCritic, HostOutput};
use crate::config::{LearningRates, PpoConfig};
use crate::loss::{Loss, LossConfig, Sample, loss, whiten};
use crate::policy::Policy;
use crate::rollout::{Estimates, Rollout};

/// Means over the minibatches of an update (each itself a mean over its samples), unless they say otherwise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UpdateStats {
    /// Clipped surrogate.
    pub policy_loss: f64,
    /// Value loss before `vf_coef`.
    pub value_loss: f64,
    /// Entropy, nats.
    pub entropy: f64,
    /// KL to the initial policy, nats; 0 without one.
    pub kl: f64,
    /// Schulman's k3 estimate of the KL between old and new policy.
    pub approx_kl: f64,
    /// Share of ratios outside the clip range.
    pub clipfrac: f64,
    /// Norm of the whole gradient before clipping.
    pub grad_norm: f64,
    /// Norm of the gradient of each group before clipping.
    pub group_norms: Vec<(String, f64)>,
    /// Largest `|ratio - 1|` of the first minibatch, taken before any step.
    pub first_ratio_error: f64,
    /// Minibatches.
    pub n_minibatches: usize,
}

/// A number that is not finite.
#[derive(Debug, Clone, PartialEq)]
pub struct NonFinite {
    /// What it is.
    pub what: String,
    /// NaN or an infinity.
    pub value: f64,
}

/// Everything that an update learns from.
pub struct Batch<'a, E> {
    /// The steps.
    pub rollout: &'a Rollout<E>,
    /// What they were worth.
    pub estimates: &'a Estimates,
    /// The initial policy at every sample; absent when `kl_coef` is 0.
    pub initial: Option<&'a [Policy]>,
}

/// Trains `actor_critic` on `batch`. Minibatches are the pieces of a fresh shuffle per epoch; the last one of an
/// epoch holds what is left.
pub fn update<A: ActorCritic>(
    actor_critic: &mut A,
    adam: &mut Adam,
    batch: &Batch<'_, A::Encoded>,
    config: &PpoConfig,
    rates: LearningRates,
    shuffle: &mut ChaCha8Rng,
) -> Result<UpdateStats, NonFinite> {
    let mut totals = UpdateStats::default();
    let mut order: Vec<usize> = (0..batch.rollout.len()).collect();
    for _ in 0..config.update_epochs {
        order.shuffle(shuffle);
        let mut epoch_kl = Vec::new();
        for minibatch in order.chunks(config.minibatch_size) {
            let (mut grads, stats) = gradient(actor_critic, batch, minibatch, config)?;
            let group_norms = grads.group_norms(actor_critic.params());
            let grad_norm = grads.clip_global_norm(config.max_grad_norm);
            if !grad_norm.is_finite() {
                return Err(NonFinite { what: "gradient norm".to_owned(), value: grad_norm });
            }
            if totals.n_minibatches == 0 {
                totals.first_ratio_error = stats.ratio_error;
            }
            adam.step(actor_critic.params_mut(), &grads, |param| rates.of(param));
            epoch_kl.push(stats.approx_kl);
            totals.add(&stats, grad_norm, &group_norms);
        }
        let mean_kl = epoch_kl.iter().sum::<f64>() / epoch_kl.len() as f64;
        if config.target_kl.is_some_and(|target| mean_kl > target) {
            break;
        }
    }
    totals.divide();
    Ok(totals)
}

/// Means over one minibatch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct MinibatchStats {
    pub policy_loss: f64,
    pub value_loss: f64,
    pub entropy: f64,
    pub kl: f64,
    pub approx_kl: f64,
    pub clipfrac: f64,
    /// Largest, not mean.
    pub ratio_error: f64,
}

/// Gradient of the mean loss over the samples `minibatch`, which go through the network in micro-batches. Each
/// sample's derivative is divided by the size of the minibatch, so the sum over micro-batches of any sizes is the
/// mean over the minibatch.
pub(crate) fn gradient<A: ActorCritic>(
    actor_critic: &A,
    batch: &Batch<'_, A::Encoded>,
    minibatch: &[usize],
    config: &PpoConfig,
) -> Result<(GradSet, MinibatchStats), NonFinite> {
    let loss_config = LossConfig {
        clip_coef: config.clip_coef,
        clip_vloss: config.clip_vloss,
        ent_coef: config.ent_coef,
        vf_coef: config.vf_coef,
        kl_coef: config.kl_coef,
    };
    let raw: Vec<f64> = minibatch.iter().map(|i| batch.estimates.advantages[*i]).collect();
    let advantages = if config.norm_adv { whiten(&raw) } else { raw };
    let weight = 1.0 / minibatch.len() as f64;
    let mut grads = GradSet::default();
    let mut stats = MinibatchStats::default();
    let encoded: Vec<&A::Encoded> = minibatch.iter().map(|i| &batch.rollout.encoded[*i]).collect();
    let micro = actor_critic.micro_batch_size(&encoded, config.micro_batch_size());
    let pieces = minibatch.chunks(micro).zip(encoded.chunks(micro)).zip(advantages.chunks(micro));
    for ((samples, encoded), advantages) in pieces {
        let output = actor_critic.forward(encoded);
        let mut d_logits = Vec::with_capacity(3 * samples.len());
        let mut d_values = Vec::with_capacity(samples.len());
        for ((i, advantage), row) in samples.iter().zip(advantages).zip(output.to_host()) {
            let loss = sample_loss(batch, *i, *advantage, row, &loss_config)?;
            stats.add(&loss, weight, config.clip_coef);
            d_logits.extend(loss.d_logits.map(|d| (weight * d) as f32));
            d_values.push((weight * loss.d_value) as f32);
        }
        let n = samples.len();
        let device = actor_critic.params().device();
        let d_logits = Tensor::<2>::from_data(TensorData::new(d_logits, [n, 3]), device);
        let d_values = Tensor::<2>::from_data(TensorData::new(d_values, [n, 1]), device);
        let objective = (output.logits * d_logits).sum() + (output.values * d_values).sum();
        grads.accumulate(actor_critic.params().gradients(&mut objective.backward()));
    }
    Ok((grads, stats))
}

fn sample_loss<E>(
    batch: &Batch<'_, E>,
    i: usize,
    advantage: f64,
    row: HostOutput,
    config: &LossConfig,
) -> Result<Loss, NonFinite> {
    let rollout = batch.rollout;
    let policy = Policy::new(row.logits, rollout.policies[i].mask());
    let sample = Sample {
        action: rollout.actions[i],
        old_log_prob: rollout.log_prob(i),
        advantage,
        target: batch.estimates.targets[i],
        old_value: rollout.values[i],
        initial: batch.initial.map(|policies| &policies[i]),
    };
    let loss = loss(&policy, f64::from(row.value), &sample, config);
    let terms = [
        ("policy loss", loss.policy),
        ("value loss", loss.value),
        ("entropy", loss.entropy),
        ("kl", loss.kl),
    ];
    match terms.iter().find(|(_, value)| !value.is_finite()) {
        Some((what, value)) => Err(NonFinite { what: (*what).to_owned(), value: *value }),
        None => Ok(loss),
    }
}

impl MinibatchStats {
    fn add(&mut self, loss: &Loss, weight: f64, clip_coef: f64) {
        let clipped = (loss.ratio - 1.0).abs() > clip_coef;
        self.policy_loss += weight * loss.policy;
        self.value_loss += weight * loss.value;
        self.entropy += weight * loss.entropy;
        self.kl += weight * loss.kl;
        self.approx_kl += weight * loss.approx_kl();
        self.clipfrac += if clipped { weight } else { 0.0 };
        self.ratio_error = self.ratio_error.max((loss.ratio - 1.0).abs());
    }
}

impl UpdateStats {
    fn add(&mut self, stats: &MinibatchStats, grad_norm: f64, group_norms: &[(String, f64)]) {
        self.policy_loss += stats.policy_loss;
        self.value_loss += stats.value_loss;
        self.entropy += stats.entropy;
        self.kl += stats.kl;
        self.approx_kl += stats.approx_kl;
        self.clipfrac += stats.clipfrac;
        self.grad_norm += grad_norm;
        add_norms(&mut self.group_norms, group_norms);
        self.n_minibatches += 1;
    }

    fn divide(&mut self) {
        let n = self.n_minibatches as f64;
        let means = [
            &mut self.policy_loss,
            &mut self.value_loss,
            &mut self.entropy,
            &mut self.kl,
            &mut self.approx_kl,
            &mut self.clipfrac,
            &mut self.grad_norm,
        ];
        means.into_iter().chain(self.group_norms.iter_mut().map(|(_, norm)| norm)).for_each(|sum| *sum /= n);
    }
}

/// Adds norms of the same groups in the same order; an empty list takes them.
pub(crate) fn add_norms(totals: &mut Vec<(String, f64)>, norms: &[(String, f64)]) {
    if totals.is_empty() {
        totals.extend_from_slice(norms);
    } else {
        totals.iter_mut().zip(norms).for_each(|(total, (_, norm))| total.1 += norm);
    }
}

#[cfg(test)]
mod tests;
