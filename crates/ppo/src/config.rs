//! The settings of PPO, under CleanRL's names, with the FLAG-Trader paper's values as defaults.

use llm::Param;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::mlp::{POLICY_HEAD, VALUE_HEAD};

/// Settings of PPO that every learned agent has. Defaults are those of the paper's table of hyperparameters; the
/// last group of keys holds what the paper leaves open. `num_envs` and `max_episode_steps` of the same table are keys
/// of `[env]`, its `llm` is the agent's `model`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PpoConfig {
    /// Environment steps of the whole training. The last incomplete rollout is not run: 13860 steps in rollouts of 40
    /// are 346 updates (the paper: 13860).
    #[schemars(range(min = 1))]
    pub total_timesteps: u64,
    /// Adam's step size at the start of training (the paper: 5e-4).
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f64,
    /// The same for the policy head and the value head, which start from nothing where layers start from what they
    /// know (the paper's Algorithm 1 has a rate for each, its table one); absent: `learning_rate`.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub head_learning_rate: Option<f64>,
    /// Steps per environment in one rollout (the paper: 40).
    #[schemars(range(min = 1, max = 1_000_000))]
    pub num_steps: usize,
    /// Lowers both learning rates linearly, from their values at the first update towards 0 after the last.
    pub anneal_lr: bool,
    /// Discount of future rewards, per step (the paper: 0.95).
    #[schemars(range(min = 0.0, max = 1.0))]
    pub gamma: f64,
    /// Lambda of generalised advantage estimation: 0 trusts the value function, 1 the rewards (the paper: 0.98).
    #[schemars(range(min = 0.0, max = 1.0))]
    pub gae_lambda: f64,
    /// Passes over each rollout (the paper: 1).
    #[schemars(range(min = 1, max = 1000))]
    pub update_epochs: usize,
    /// Samples per optimiser step; the last one of an epoch may be smaller (the paper: 32).
    #[schemars(range(min = 1, max = 1_000_000))]
    pub minibatch_size: usize,
    /// Pieces, at most, in which a minibatch goes through the network, to bound memory: 32 samples in 8 pieces are 4 at a
    /// time, or more at a time where their graph takes less than 64 MiB. The gradient stays the mean over the minibatch
    /// (the paper: 8).
    #[schemars(range(min = 1, max = 1_000_000))]
    pub gradient_accumulation_steps: usize,
    /// Whitens the advantages of each minibatch: mean 0, standard deviation 1.
    pub norm_adv: bool,
    /// Half-width of the range around 1 in which the probability ratio is rewarded, and of the value clip (the paper: 0.2).
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub clip_coef: f64,
    /// Clips the value loss around the rollout's value, by `clip_coef`.
    pub clip_vloss: bool,
    /// Weight of the policy's entropy, which is rewarded (the paper: 0.05).
    #[schemars(range(min = 0.0))]
    pub ent_coef: f64,
    /// Weight of the value loss (the paper: 0.5).
    #[schemars(range(min = 0.0))]
    pub vf_coef: f64,
    /// Weight of the KL divergence from the policy at the start of training; 0 turns it off (the paper: 0.05).
    #[schemars(range(min = 0.0))]
    pub kl_coef: f64,
    /// Upper bound of the norm of the whole gradient, all tensors together (the paper: 0.5).
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub max_grad_norm: f64,
    /// Ends the epochs of an update early once the mean `approx_kl` of an epoch is above this; absent: never (the paper).
    #[schemars(range(min = 0.0))]
    pub target_kl: Option<f64>,
    /// Dropout; only 0 is possible, because the ratio of old and new policy would be noise otherwise (the paper: 0).
    #[schemars(range(min = 0.0, max = 0.0))]
    pub dropout: f64,
    /// Number format in which the language model computes, where the backend can; heads, optimiser and the weights that it
    /// moves are float32 (the paper: float16).
    pub train_dtype: TrainDtype,

    /// Adam's epsilon (CleanRL: 1e-5).
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub adam_eps: f64,
    /// Decoupled weight decay (AdamW); 0 is plain Adam.
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
    /// Widths of the hidden layers between the network's last state and the three logits; empty: one linear layer. Tanh follows
    /// each, or what `ppo-mlp` has as its `activation`.
    #[schemars(inner(range(min = 1, max = 65536)))]
    pub policy_head: Vec<usize>,
    /// Widths of the hidden layers between the network's last state and the value; empty: one linear layer. Tanh follows
    /// each, or what `ppo-mlp` has as its `activation`.
    #[schemars(inner(range(min = 1, max = 65536)))]
    pub value_head: Vec<usize>,
    /// How the trained policy decides on validation and test data.
    pub action_at_test: ActionAtTest,
    /// Divides the logits when `action_at_test` is `sample`; training always samples at 1.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub temperature: f64,
    /// Which parameters a run keeps.
    pub checkpoint_rule: CheckpointRule,
    /// Updates between two looks at the validation split, when `checkpoint_rule` is `best-validation`.
    #[schemars(range(min = 1))]
    pub validation_every: u32,
}

/// Adam's step sizes in one update.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningRates {
    /// Of everything that is no head.
    pub layers: f64,
    /// Of the policy head and the value head.
    pub heads: f64,
}

impl LearningRates {
    /// The rate of a parameter: heads are the groups [`POLICY_HEAD`] and [`VALUE_HEAD`].
    pub(crate) fn of(&self, param: &Param) -> f64 {
        if [POLICY_HEAD, VALUE_HEAD].contains(&param.group()) { self.heads } else { self.layers }
    }
}

/// Number format of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum TrainDtype {
    /// 32-bit floats.
    #[default]
    #[serde(rename = "float32")]
    Float32,
    /// 16-bit floats with 11 bits of precision, up to 65504.
    #[serde(rename = "float16")]
    Float16,
    /// 16-bit floats with 8 bits of precision and the range of `float32`.
    #[serde(rename = "bfloat16")]
    Bfloat16,
}

/// How a trained policy decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ActionAtTest {
    /// The most probable legal action; of equal ones the first of sell, hold, buy.
    #[default]
    Argmax,
    /// Drawn from the policy, by a stream of the run's seed.
    Sample,
}

/// Which parameters a run keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckpointRule {
    /// Those after the last update.
    #[default]
    Last,
    /// Those with the highest sum of rewards on the validation split; of equal ones the earliest.
    BestValidation,
}

impl Default for PpoConfig {
    fn default() -> Self {
        Self {
            total_timesteps: 13_860,
            learning_rate: 5e-4,
            head_learning_rate: None,
            num_steps: 40,
            anneal_lr: true,
            gamma: 0.95,
            gae_lambda: 0.98,
            update_epochs: 1,
            minibatch_size: 32,
            gradient_accumulation_steps: 8,
            norm_adv: true,
            clip_coef: 0.2,
            clip_vloss: true,
            ent_coef: 0.05,
            vf_coef: 0.5,
            kl_coef: 0.05,
            max_grad_norm: 0.5,
            target_kl: None,
            dropout: 0.0,
            train_dtype: TrainDtype::Float32,
            adam_eps: 1e-5,
            weight_decay: 0.0,
            policy_head: vec![64],
            value_head: vec![64],
            action_at_test: ActionAtTest::Argmax,
            temperature: 1.0,
            checkpoint_rule: CheckpointRule::Last,
            validation_every: 10,
        }
    }
}

impl PpoConfig {
    /// Samples of one rollout of `num_envs` environments.
    pub fn batch_size(&self, num_envs: usize) -> usize {
        self.num_steps * num_envs
    }

    /// Whole rollouts in `total_timesteps`.
    pub fn n_updates(&self, num_envs: usize) -> u32 {
        u32::try_from(self.total_timesteps / self.batch_size(num_envs) as u64).unwrap_or(u32::MAX)
    }

    /// Samples that go through the network at once, at least: `ceil(minibatch_size / gradient_accumulation_steps)`.
    pub fn micro_batch_size(&self) -> usize {
        self.minibatch_size.div_ceil(self.gradient_accumulation_steps)
    }

    /// Learning rates of update `update` (from 0) of `n_updates`: CleanRL's `(1 - update / n_updates) * learning_rate`,
    /// and the same of the heads' rate.
    pub fn learning_rates_at(&self, update: u32, n_updates: u32) -> LearningRates {
        let at = |rate: f64| match self.anneal_lr {
            true => (1.0 - f64::from(update) / f64::from(n_updates)) * rate,
            false => rate,
        };
        LearningRates {
            layers: at(self.learning_rate),
            heads: at(self.head_learning_rate.unwrap_or(self.learning_rate)),
        }
    }

    /// Relations between settings that a schema cannot say, as `(key, found, expected)`.
    pub fn check(&self) -> Vec<(String, String, String)> {
        let mut problems = Vec::new();
        if self.total_timesteps < self.num_steps as u64 {
            problems.push((
                "total_timesteps".to_owned(),
                self.total_timesteps.to_string(),
                format!("at least num_steps = {}, which is one rollout", self.num_steps),
            ));
        }
        if self.gradient_accumulation_steps > self.minibatch_size {
            problems.push((
                "gradient_accumulation_steps".to_owned(),
                self.gradient_accumulation_steps.to_string(),
                format!("at most minibatch_size = {}", self.minibatch_size),
            ));
        }
        problems
    }
}

#[cfg(test)]
mod tests;
