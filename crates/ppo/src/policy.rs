//! The masked categorical policy over the three actions, in double precision on the host.

use trading_env::{Action, ActionMask};

/// Probabilities of sell, hold and buy: the softmax of the logits over the legal actions, 0 for the others.
///
/// Rollout and update both compute it here from the network's logits, so that equal logits give a probability ratio
/// of exactly 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    log_probs: [f64; 3],
    mask: ActionMask,
}

impl Policy {
    /// The policy of `logits` under `mask`.
    pub fn new(logits: [f32; 3], mask: ActionMask) -> Self {
        Self::with_temperature(logits, mask, 1.0)
    }

    /// The policy of `logits / temperature` under `mask`.
    pub fn with_temperature(logits: [f32; 3], mask: ActionMask, temperature: f64) -> Self {
        Self::from_f64(logits.map(|l| f64::from(l) / temperature), mask)
    }

    pub(crate) fn from_f64(logits: [f64; 3], mask: ActionMask) -> Self {
        let legal = || mask.legal().map(|a| logits[a.index()]);
        let max = legal().fold(f64::NEG_INFINITY, f64::max);
        let log_sum = max + legal().map(|l| (l - max).exp()).sum::<f64>().ln();
        let mut log_probs = [f64::NEG_INFINITY; 3];
        for action in mask.legal() {
            log_probs[action.index()] = logits[action.index()] - log_sum;
        }
        Self { log_probs, mask }
    }

    /// Log-probability of `action`, minus infinity when it is illegal.
    pub fn log_prob(&self, action: Action) -> f64 {
        self.log_probs[action.index()]
    }

    /// Probability of `action`, exactly 0 when it is illegal.
    pub fn prob(&self, action: Action) -> f64 {
        self.log_prob(action).exp()
    }

    /// Legal actions.
    pub fn mask(&self) -> ActionMask {
        self.mask
    }

    /// Entropy in nats: `-sum p ln p` over the legal actions.
    pub fn entropy(&self) -> f64 {
        -self.mask.legal().map(|a| self.prob(a) * self.log_prob(a)).sum::<f64>()
    }

    /// `KL(self || reference) = sum p (ln p - ln q)` over the legal actions, in nats; both have the same mask.
    pub fn kl_to(&self, reference: &Policy) -> f64 {
        self.mask.legal().map(|a| self.prob(a) * (self.log_prob(a) - reference.log_prob(a))).sum()
    }

    /// The action at `u` in `[0, 1)` of the cumulated probabilities, in the order of the logits.
    pub fn sample(&self, u: f64) -> Action {
        let mut sum = 0.0;
        let mut last = Action::Hold;
        for action in self.mask.legal() {
            sum += self.prob(action);
            last = action;
            if u < sum {
                return action;
            }
        }
        // Rounding can leave the sum a hair below 1.
        last
    }

    /// The most probable legal action; of equal ones the first.
    pub fn argmax(&self) -> Action {
        let mut best = None;
        for action in self.mask.legal() {
            if best.is_none_or(|b: Action| self.log_prob(action) > self.log_prob(b)) {
                best = Some(action);
            }
        }
        best.unwrap_or(Action::Hold)
    }

    /// Whether every legal action has a finite log-probability.
    pub fn is_finite(&self) -> bool {
        self.mask.legal().all(|a| self.log_prob(a).is_finite())
    }
}

#[cfg(test)]
mod tests;
