//! Environments: what an agent observes and what a step gives.

use std::sync::Arc;

use market_data::{History, Segment};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Account, Action, ActionMask, RewardFn, Rules, SplitName, StepRecord};

/// The `[env]` section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EnvConfig {
    /// Environments stepped as a batch during training (the paper: 1).
    #[schemars(range(min = 1, max = 65536))]
    pub num_envs: usize,
    /// Longest training episode in steps; reaching it is truncation (the paper: 65).
    #[schemars(range(min = 1))]
    pub max_episode_steps: usize,
    /// Where training episodes begin: at a random bar of the training split, or at its first.
    pub random_start: bool,
    /// Account at the start of an episode, in currency.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub initial_cash: f64,
    /// Entries of recent rewards, account values and actions that an observation holds (the paper: 10).
    #[schemars(range(min = 0, max = 1000))]
    pub memory: usize,
}

impl Default for EnvConfig {
    fn default() -> Self {
        Self { num_envs: 1, max_episode_steps: 65, random_start: true, initial_cash: 100_000.0, memory: 10 }
    }
}

/// What an agent may know at the close of a bar.
#[derive(Clone, Copy)]
pub struct Observation<'a> {
    /// Bars and news up to now.
    pub history: History<'a>,
    /// The account, marked at the last close.
    pub account: &'a Account,
    /// Legal actions.
    pub mask: ActionMask,
    /// Rewards of the last `memory` steps of this episode, oldest first.
    pub rewards: &'a [f64],
    /// Equity after each of those steps, oldest first.
    pub equities: &'a [f64],
    /// Actions of those steps, oldest first.
    pub actions: &'a [Action],
}

/// Result of one environment's step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Reward.
    pub reward: f64,
    /// Ruin: equity is gone. Bootstrap from 0.
    pub terminated: bool,
    /// Time limit or end of the data. Bootstrap from the value of the observation that stands now.
    pub truncated: bool,
}

/// A segment under rules and a reward: makes environments.
#[derive(Clone)]
pub struct Arena {
    pub(crate) segment: Segment,
    pub(crate) split: SplitName,
    pub(crate) rules: Arc<dyn Rules>,
    pub(crate) reward: Arc<dyn RewardFn>,
    pub(crate) config: EnvConfig,
}

impl Arena {
    /// # Errors
    /// When the segment has fewer than two bars.
    pub fn new(
        _segment: Segment,
        _split: SplitName,
        _rules: Arc<dyn Rules>,
        _reward: Arc<dyn RewardFn>,
        _config: EnvConfig,
    ) -> Result<Self, String> {
        todo!()
    }
    /// `config.num_envs` training environments, each at the start of an episode; `seed` drives the random starts.
    pub fn training(&self, _seed: u64) -> EnvBatch {
        todo!()
    }
    /// One environment over the whole segment, from its first bar to its last, without a step limit.
    pub fn evaluation(&self) -> EnvBatch {
        todo!()
    }
    /// Settings.
    pub fn config(&self) -> &EnvConfig {
        &self.config
    }
}

/// Environments stepped side by side. After a step that ends an episode, `observe(i)` still shows its final
/// observation until `reset(i)`.
pub struct EnvBatch {}

#[allow(unused_variables)]
impl EnvBatch {
    /// Number of environments.
    pub fn len(&self) -> usize { todo!() }
    /// Never true.
    pub fn is_empty(&self) -> bool { false }
    /// Observation of environment `i`.
    pub fn observe(&self, i: usize) -> Observation<'_> { todo!() }
    /// Observations of all environments.
    pub fn observations(&self) -> Vec<Observation<'_>> { todo!() }
    /// Steps environment `i`; an illegal action is a programming error and panics. Stepping an ended one too.
    pub fn step(&mut self, i: usize, action: Action) -> Step { todo!() }
    /// The row of environment `i`'s last step, without log-probability and value.
    pub fn record(&self, i: usize) -> StepRecord { todo!() }
    /// Begins the next episode of environment `i`.
    pub fn reset(&mut self, i: usize) { todo!() }
}
