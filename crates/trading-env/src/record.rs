//! The rows that a run reports; `store` writes them.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::Action;

/// Part of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitName {
    /// Seen by PPO.
    Train,
    /// For selection only.
    Valid,
    /// For scores only.
    Test,
}

impl SplitName {
    /// `train`, `valid` or `test`.
    pub fn word(self) -> &'static str {
        match self {
            SplitName::Train => "train",
            SplitName::Valid => "valid",
            SplitName::Test => "test",
        }
    }
}

/// What a run is in its experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A subject of the sweep.
    Arm,
    /// Something it is compared with.
    Baseline,
    /// A subject with one cause taken away.
    Control,
}

/// One environment step: the decision at the close of bar `t` and what it earned until the next close.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepRecord {
    /// Split.
    pub split: SplitName,
    /// Episode, counted over the split from 0 (training: environments of a batch take numbers as they begin).
    pub episode: u32,
    /// Step within the episode, from 0.
    pub t: u32,
    /// Date of the bar at whose close the decision was taken.
    pub date: NaiveDate,
    /// The decision.
    pub action: Action,
    /// Exposure after the fill as a share of equity: -1 short, 0 flat, 1 long.
    pub position: f64,
    /// Next close, at which equity is marked.
    pub price: f64,
    /// Cash after the fill.
    pub cash: f64,
    /// Equity at the next close.
    pub equity: f64,
    /// Reward of the step.
    pub reward: f64,
    /// Log-probability of the action under the policy that took it; absent for agents without one.
    pub log_prob: Option<f32>,
    /// Value estimate at the decision; absent for agents without one.
    pub value: Option<f32>,
}

/// One PPO update (one rollout); every number is a mean over its minibatches unless it says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UpdateRecord {
    /// Update, from 0.
    pub update: u32,
    /// Environment steps taken so far.
    pub global_step: u64,
    /// Learning rate of the update.
    pub learning_rate: f64,
    /// Clipped surrogate, to be minimised.
    pub policy_loss: f64,
    /// Value loss before `vf_coef`.
    pub value_loss: f64,
    /// Entropy of the masked policy, nats.
    pub entropy: f64,
    /// KL to the initial policy; absent when `kl_coef` is 0.
    pub kl: Option<f64>,
    /// Schulman's k3 estimate of the KL between old and new policy.
    pub approx_kl: f64,
    /// Share of ratios outside the clip range.
    pub clipfrac: f64,
    /// 1 - Var(return - value) / Var(return) over the rollout; absent when the returns do not vary.
    pub explained_variance: Option<f64>,
    /// Global gradient norm before clipping.
    pub grad_norm: f64,
    /// Largest |ratio - 1| in the first minibatch of the first epoch, before any step: 0 up to float error.
    pub first_ratio_error: f64,
    /// Sum of rewards per episode, mean over the episodes that ended in the rollout; absent when none did.
    pub episode_return: Option<f64>,
    /// Share of `sell` in the rollout.
    pub share_sell: f64,
    /// Share of `hold` in the rollout.
    pub share_hold: f64,
    /// Share of `buy` in the rollout.
    pub share_buy: f64,
}

/// Speed and memory of one stretch of a run; never part of an equality.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TimingRecord {
    /// Update, from 0.
    pub update: u32,
    /// Environment steps per second.
    pub steps_per_s: f64,
    /// Tokens encoded per second, cached ones not counted.
    pub tokens_per_s: f64,
    /// Prompts so far whose shared part the prefix cache had in memory.
    pub cache_hits: u64,
    /// Prompts so far whose shared part was computed from its tokens.
    pub cache_misses: u64,
    /// Prompts so far whose shared part the prefix cache had on disk.
    pub cache_spilled: u64,
    /// Prompts so far whose shared part was continued from where an arm with more trained layers had left it.
    pub cache_extended: u64,
    /// Prompts so far, of `cache_misses`, whose shared part had been computed before and was evicted.
    pub cache_recomputed: u64,
    /// Resident memory of the process, bytes.
    pub rss_bytes: u64,
}
