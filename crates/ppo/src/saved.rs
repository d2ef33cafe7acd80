//! What a training saves between two updates, to go on from there as if it had never stopped.

use std::path::Path;

use llm::{Adam, AdamConfig, ParamSet};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trading_env::AgentError;

/// Trained tensors, in safetensors.
const PARAMS: &str = "params.safetensors";
/// Moments of the optimiser.
const OPTIMIZER: &str = "optimizer.safetensors";
/// Everything else.
const TRAINING: &str = "training.json";

/// Contents of `training.json`. Floats come back bit by bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// Update to begin with.
    pub next_update: u32,
    pub global_step: u64,
    /// Words that the streams of minibatches and actions have given.
    pub minibatch: u64,
    pub action: u64,
    pub running_returns: Vec<f64>,
    pub episode_returns: Vec<f64>,
    /// Sums over the updates.
    pub group_norms: Vec<(String, f64)>,
    pub envs: Value,
    pub network: Value,
    /// What looks on after each update.
    pub after: Value,
}

impl Saved {
    /// Writes it with the tensors into the empty folder `dir`.
    pub fn write(&self, dir: &Path, params: &ParamSet, adam: &Adam) -> Result<(), AgentError> {
        params.save(&dir.join(PARAMS)).map_err(other)?;
        adam.save(params, &dir.join(OPTIMIZER)).map_err(other)?;
        let path = dir.join(TRAINING);
        let text = serde_json::to_string(self).map_err(other)?;
        std::fs::write(&path, text).map_err(|e| other(format!("{}: {e}", path.display())))
    }

    /// Reads it, with the tensors into `params` and a new optimiser.
    pub fn read(dir: &Path, params: &mut ParamSet, config: AdamConfig) -> Result<(Self, Adam), AgentError> {
        let path = dir.join(TRAINING);
        let text = std::fs::read_to_string(&path).map_err(|e| other(format!("{}: {e}", path.display())))?;
        let saved = serde_json::from_str(&text).map_err(|e| other(format!("{}: {e}", path.display())))?;
        params.load(&dir.join(PARAMS)).map_err(other)?;
        let adam = Adam::load(config, params, &dir.join(OPTIMIZER)).map_err(other)?;
        Ok((saved, adam))
    }
}

/// Words that a stream has given.
pub(crate) fn words(stream: &ChaCha8Rng) -> u64 {
    u64::try_from(stream.get_word_pos()).expect("invariant: nobody draws 2^64 words")
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn other(error: impl ToString) -> AgentError {
    AgentError::Other(error.to_string())
}
