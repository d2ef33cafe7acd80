//! The PPO objective of one sample and its derivatives by the network's outputs.
//!
//! The objective depends on the network only through three logits and one value, so it is computed here in double
//! precision with derivatives in closed form, and the network is differentiated by the backend from there on
//! (`sum(logits * d_logits) + sum(value * d_value)`). The ratio then comes from the same code as the rollout's
//! log-probabilities, a masked action has a derivative of exactly 0, and no graph of small operations is built.

use trading_env::Action;

use crate::policy::Policy;

/// Weights of the terms, all as in CleanRL.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossConfig {
    /// Clip range of ratio and value.
    pub clip_coef: f64,
    /// Whether the value loss is clipped.
    pub clip_vloss: bool,
    /// Weight of the entropy.
    pub ent_coef: f64,
    /// Weight of the value loss.
    pub vf_coef: f64,
    /// Weight of the KL to the initial policy.
    pub kl_coef: f64,
}

/// What the rollout says about one sample.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// Action taken.
    pub action: Action,
    /// Its log-probability when it was taken.
    pub old_log_prob: f64,
    /// Advantage, whitened if so configured.
    pub advantage: f64,
    /// Target of the value: advantage (not whitened) + old value.
    pub target: f64,
    /// Value estimate when the action was taken.
    pub old_value: f64,
    /// The initial policy at this observation; absent when `kl_coef` is 0.
    pub initial: Option<&'a Policy>,
}

/// The objective of one sample, term by term, with its derivatives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// Clipped surrogate to be minimised: `max(-A r, -A clip(r, 1 - c, 1 + c))`, `r = pi(a) / pi_old(a)`.
    pub policy: f64,
    /// `max((v - R)^2, (v_old + clip(v - v_old, -c, c) - R)^2) / 2`, or `(v - R)^2 / 2` unclipped.
    pub value: f64,
    /// Entropy of the masked policy, nats.
    pub entropy: f64,
    /// KL to the initial policy, nats; 0 without one.
    pub kl: f64,
    /// `policy - ent_coef * entropy + vf_coef * value + kl_coef * kl`.
    pub total: f64,
    /// Ratio `r`.
    pub ratio: f64,
    /// Derivative of `total` by the logits; 0 for an illegal action.
    pub d_logits: [f64; 3],
    /// Derivative of `total` by the value.
    pub d_value: f64,
}

impl Loss {
    /// Schulman's k3 estimate of KL(old || new) from this sample: `(r - 1) - ln r`.
    pub fn approx_kl(&self) -> f64 {
        (self.ratio - 1.0) - self.ratio.ln()
    }
}

/// The objective of `sample` when the network now says `policy` and `value`.
pub fn loss(policy: &Policy, value: f64, sample: &Sample<'_>, config: &LossConfig) -> Loss {
    let clip = config.clip_coef;
    let ratio = (policy.log_prob(sample.action) - sample.old_log_prob).exp();
    let unclipped = -sample.advantage * ratio;
    let clipped = -sample.advantage * ratio.clamp(1.0 - clip, 1.0 + clip);
    // d r / d ln pi(a) = r; where the clipped branch is the larger one the ratio is outside its range and constant.
    let d_log_prob = if unclipped >= clipped { -sample.advantage * ratio } else { 0.0 };

    let error = value - sample.target;
    let moved = value - sample.old_value;
    let clipped_error = sample.old_value + moved.clamp(-clip, clip) - sample.target;
    // Within the range both are the same but for rounding, which must not decide whether there is a derivative.
    let is_within = moved.abs() <= clip;
    let (value_loss, d_value_loss) =
        if !config.clip_vloss || is_within || error.powi(2) >= clipped_error.powi(2) {
            (0.5 * error.powi(2), error)
        } else {
            // Larger only outside of the clip range, where it does not depend on the value.
            (0.5 * clipped_error.powi(2), 0.0)
        };

    let entropy = policy.entropy();
    let kl = sample.initial.map_or(0.0, |initial| policy.kl_to(initial));
    let mut d_logits = [0.0; 3];
    for action in policy.mask().legal() {
        let p = policy.prob(action);
        let log_p = policy.log_prob(action);
        let taken = if action == sample.action { 1.0 } else { 0.0 };
        let d_surrogate = d_log_prob * (taken - p);
        let d_entropy = -p * (log_p + entropy);
        let d_kl = sample.initial.map_or(0.0, |initial| p * (log_p - initial.log_prob(action) - kl));
        d_logits[action.index()] = d_surrogate - config.ent_coef * d_entropy + config.kl_coef * d_kl;
    }

    let surrogate = unclipped.max(clipped);
    Loss {
        policy: surrogate,
        value: value_loss,
        entropy,
        kl,
        total: surrogate - config.ent_coef * entropy + config.vf_coef * value_loss + config.kl_coef * kl,
        ratio,
        d_logits,
        d_value: config.vf_coef * d_value_loss,
    }
}

/// Advantages with mean 0 and sample standard deviation 1 (CleanRL's `norm_adv`, 1e-8 added to the deviation). Fewer
/// than two have no deviation and stay as they are.
pub fn whiten(advantages: &[f64]) -> Vec<f64> {
    if advantages.len() < 2 {
        return advantages.to_vec();
    }
    let n = advantages.len() as f64;
    let mean = advantages.iter().sum::<f64>() / n;
    let variance = advantages.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / (n - 1.0);
    advantages.iter().map(|a| (a - mean) / (variance.sqrt() + 1e-8)).collect()
}

#[cfg(test)]
mod tests;
