//! The seam between agents and the rest.
//!
//! The runner builds one [`Agent`] per arm and one [`Learner`] per seed, lets the learner train on the training
//! segment, and then steps the test environment itself with the learner's decisions: an agent never sees test bars
//! other than through the observation of the moment.

use std::any::Any;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use plugin::{Files, Kind, SharedPool};
use serde::{Deserialize, Serialize};

use crate::{Action, Arena, Observation, StepRecord, TimingRecord, UpdateRecord};

/// Plugins that make agents: the `agent` section.
pub enum AgentKind {}

impl Kind for AgentKind {
    const SECTION: &'static str = "agent";
    type Context<'a> = AgentContext<'a>;
    type Output = Box<dyn Agent>;
}

/// Plugins that make compute devices: the `backend` section.
pub enum BackendKind {}

impl Kind for BackendKind {
    const SECTION: &'static str = "backend";
    type Context<'a> = ();
    type Output = Box<dyn Compute>;
}

/// A compute device. `trading-env` does not know burn; agents downcast.
pub trait Compute: Send + Sync {
    /// Adapter and driver, for the manifest.
    fn describe(&self) -> String;

    /// The same part by part, as far as it is known.
    fn device_info(&self) -> Option<DeviceInfo> {
        None
    }

    /// Runs that may use the device at the same time; `None`: as many as there are cores for.
    fn slots(&self) -> Option<NonZeroUsize> {
        None
    }

    /// The device itself.
    fn as_any(&self) -> &dyn Any;
}

/// What is known of a compute device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// Name of the part, for example `NVIDIA H100 80GB HBM3`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub adapter: Option<String>,
    /// Name and version of its driver.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub driver: Option<String>,
    /// Interface that it is driven through, for example `vulkan`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub api: Option<String>,
    /// Memory of its own; of a CPU, the machine's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub memory_bytes: Option<u64>,
}

/// What an agent plugin may use.
#[derive(Clone, Copy)]
pub struct AgentContext<'a> {
    /// Where paths start.
    pub files: &'a Files,
    /// Device of the experiment's backend.
    pub compute: &'a dyn Compute,
    /// Things that arms and seeds of this process share.
    pub shared: &'a SharedPool,
    /// Memory that agents of this process may fill with what saves time and changes no result, in bytes, all together.
    pub cache_bytes: u64,
}

/// One arm's agent: what its seeds share.
pub trait Agent: Send + Sync {
    /// A fresh learner. The same seed gives the same decisions.
    fn learner(&self, seed: u64) -> Result<Box<dyn Learner + '_>, AgentError>;

    /// Runs of this agent that should be carried out at the same time in the place of one, because together they
    /// compute less than one after the other.
    fn side_by_side(&self) -> usize {
        1
    }

    /// A learner with what an earlier one saved into `dir`, for use on data that it has not seen.
    fn load(&self, seed: u64, _dir: &Path) -> Result<Box<dyn Learner + '_>, AgentError> {
        self.learner(seed)
    }
}

/// One seed's agent.
pub trait Learner: Send {
    /// Trains. Agents without training do nothing.
    fn train(&mut self, _training: Training<'_>) -> Result<(), AgentError> {
        Ok(())
    }

    /// Called before episodes of an evaluation begin; forgets what the last ones left.
    fn reset(&mut self) {}

    /// One decision per observation, each legal under its mask. Since the last reset, observations of one episode stand at
    /// one place, and decisions there do not depend on the places beside it; episodes that end leave from the last place on.
    fn decide(&mut self, observations: &[Observation<'_>]) -> Result<Vec<Decision>, AgentError>;

    /// Writes what [`Agent::load`] needs into the existing folder `dir`. `false` when there is nothing to keep.
    fn save(&self, _dir: &Path) -> Result<bool, AgentError> {
        Ok(false)
    }

    /// Proof of what was trained, after training.
    fn receipt(&self) -> Option<FreezeReceipt> {
        None
    }

    /// Entropy of the policy in the last update of training; absent for agents that no updates train.
    fn final_entropy(&self) -> Option<PolicyEntropy> {
        None
    }

    /// Prompts that it has read since it was made; absent for agents that read none.
    fn prompts(&self) -> Option<PromptCounts> {
        None
    }
}

/// What a learner trains with.
pub struct Training<'a> {
    /// Training segment: makes environments.
    pub arena: &'a Arena,
    /// Validation segment, where the split has one; for checkpoint selection only.
    pub validation: Option<&'a Arena>,
    /// Takes rows and progress.
    pub log: &'a mut dyn RunLog,
}

/// Takes what a run reports while it trains.
pub trait RunLog {
    /// One environment step.
    fn step(&mut self, row: StepRecord);
    /// One update.
    fn update(&mut self, row: UpdateRecord);
    /// Speed of one stretch.
    fn timing(&mut self, row: TimingRecord);
    /// A line of the run's log.
    fn note(&mut self, line: &str);
    /// `done` of `total` environment steps; `false` asks the learner to stop with [`AgentError::Interrupted`].
    fn progress(&mut self, done: u64, total: u64) -> bool;

    /// Folder with the state that an earlier training of this run has saved, to go on from. Its rows have been logged.
    fn resume(&self) -> Option<PathBuf> {
        None
    }

    /// Called between updates, of which `done` are done, by a learner that can go on from its saved state. Where the
    /// state is wanted, `save` is called with an empty folder and writes all of it.
    ///
    /// That a state cannot be kept ends no training.
    fn checkpoint(&mut self, _done: u32, _save: &mut dyn FnMut(&Path) -> Result<(), AgentError>) {}

    /// Whether a stop that [`progress`](Self::progress) asks for can wait until the state is saved after the update.
    fn waits_for_checkpoint(&self) -> bool {
        false
    }
}

/// Keeps nothing and never stops.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLog;

impl RunLog for NoLog {
    fn step(&mut self, _: StepRecord) {}
    fn update(&mut self, _: UpdateRecord) {}
    fn timing(&mut self, _: TimingRecord) {}
    fn note(&mut self, _: &str) {}
    fn progress(&mut self, _: u64, _: u64) -> bool {
        true
    }
}

/// A decision and what the policy thought of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// The action.
    pub action: Action,
    /// Its log-probability under the masked policy.
    pub log_prob: Option<f32>,
    /// Value estimate.
    pub value: Option<f32>,
}

impl From<Action> for Decision {
    fn from(action: Action) -> Self {
        Decision { action, log_prob: None, value: None }
    }
}

/// Digest of every tensor before and after training, and gradient norm per group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FreezeReceipt {
    /// One entry per tensor, by name.
    pub tensors: Vec<TensorDigest>,
    /// Mean gradient norm per trained group over the run.
    pub groups: Vec<GroupNorm>,
}

/// One tensor of a [`FreezeReceipt`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorDigest {
    /// Name as in the checkpoint.
    pub name: String,
    /// Whether the spec trains it.
    pub trained: bool,
    /// BLAKE3 (hex) before training.
    pub before: String,
    /// BLAKE3 (hex) after training.
    pub after: String,
}

/// Gradient norm of one trained group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupNorm {
    /// Group, for example `layers.3` or `policy_head`.
    pub group: String,
    /// Mean over updates.
    pub mean_grad_norm: f64,
}

/// How far a policy is from drawing among the legal actions, in nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolicyEntropy {
    /// Entropy of the policy over the legal actions, mean over the samples.
    pub policy: f64,
    /// The same of a uniform policy: the mean of `ln(legal actions)`.
    pub uniform: f64,
}

/// How many prompts a run has read, in training and evaluation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptCounts {
    /// Prompts encoded.
    pub encoded: u64,
    /// Those of them that lost news or prices for want of room.
    pub shortened: u64,
}

/// Why a run stopped.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AgentError {
    /// A loss or gradient is not finite.
    #[error("diverged at update {update}: {what} is {value}")]
    Diverged {
        /// Update, from 0.
        update: u32,
        /// What was not finite.
        what: String,
        /// Its value.
        value: f64,
    },
    /// The receipt disagrees with the spec.
    #[error("freeze receipt: tensor `{tensor}` {problem}")]
    Receipt {
        /// The tensor.
        tensor: String,
        /// `moved although frozen` or `did not move although trained`.
        problem: String,
    },
    /// Asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}
