//! Steps of all environments under one policy, and what they are worth.

use trading_env::Action;

use crate::gae::{GaeInput, advantages};
use crate::policy::Policy;

/// `n_steps` of `n_envs` environments; every vector is `[n_steps, n_envs]`, step by step, so sample
/// `t * n_envs + e` is step `t` of environment `e`.
#[derive(Debug, Clone)]
pub struct Rollout<E> {
    /// Environments side by side.
    pub n_envs: usize,
    /// Observations at which the steps were decided.
    pub encoded: Vec<E>,
    /// Policy at each observation, with its mask.
    pub policies: Vec<Policy>,
    /// Actions taken.
    pub actions: Vec<Action>,
    /// Value estimates.
    pub values: Vec<f64>,
    /// Rewards.
    pub rewards: Vec<f64>,
    /// Episode ended in ruin.
    pub terminated: Vec<bool>,
    /// Episode ended by a time limit or the end of the data.
    pub truncated: Vec<bool>,
    /// Value of the observation after the step; 0 where nothing reads it.
    pub final_values: Vec<f64>,
}

impl<E> Rollout<E> {
    /// No step yet.
    pub fn new(n_envs: usize) -> Self {
        Self {
            n_envs,
            encoded: Vec::new(),
            policies: Vec::new(),
            actions: Vec::new(),
            values: Vec::new(),
            rewards: Vec::new(),
            terminated: Vec::new(),
            truncated: Vec::new(),
            final_values: Vec::new(),
        }
    }

    /// Number of samples, `n_steps * n_envs`.
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// Log-probability of the action of sample `i` when it was taken.
    pub fn log_prob(&self, i: usize) -> f64 {
        self.policies[i].log_prob(self.actions[i])
    }

    /// Share of each action, in the order of [`Action::ALL`].
    pub fn shares(&self) -> [f64; 3] {
        Action::ALL.map(|a| self.actions.iter().filter(|b| **b == a).count() as f64 / self.len() as f64)
    }

    /// Entropy of the uniform policy over the legal actions, nats, mean over the samples.
    pub fn uniform_entropy(&self) -> f64 {
        let legal = |policy: &Policy| policy.mask().legal().count() as f64;
        self.policies.iter().map(|policy| legal(policy).ln()).sum::<f64>() / self.len() as f64
    }

    /// Advantages and value targets (`advantage + value`) of all samples.
    pub fn estimate(&self, gamma: f64, lambda: f64) -> Estimates {
        let input = GaeInput {
            n_envs: self.n_envs,
            rewards: &self.rewards,
            values: &self.values,
            terminated: &self.terminated,
            truncated: &self.truncated,
            final_values: &self.final_values,
        };
        let advantages = advantages(input, gamma, lambda);
        let targets = advantages.iter().zip(&self.values).map(|(a, v)| a + v).collect();
        Estimates { advantages, targets }
    }
}

/// What a rollout's steps were worth; both are `[n_steps, n_envs]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimates {
    /// Generalised advantage estimates.
    pub advantages: Vec<f64>,
    /// Targets of the value function.
    pub targets: Vec<f64>,
}

/// `1 - Var(target - value) / Var(target)`: 1 is a perfect value function, 0 no better than a constant. `None` when
/// the targets do not vary.
pub fn explained_variance(values: &[f64], targets: &[f64]) -> Option<f64> {
    let variance = |x: &mut dyn Iterator<Item = f64>| {
        let x: Vec<f64> = x.collect();
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64
    };
    let total = variance(&mut targets.iter().copied());
    let spread = targets.iter().any(|t| *t != targets[0]);
    spread.then(|| 1.0 - variance(&mut targets.iter().zip(values).map(|(t, v)| t - v)) / total)
}

#[cfg(test)]
mod tests;
