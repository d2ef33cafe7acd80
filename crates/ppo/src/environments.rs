//! What PPO needs of environments.

use serde_json::Value;
use trading_env::{Action, ActionMask, EnvBatch, Observation, Step, StepRecord};

/// Environments stepped side by side. After a step that ends an episode, `observe` still shows its final observation
/// until `reset`.
pub trait Environments {
    /// What a policy sees of one of them.
    type Observation<'a>
    where
        Self: 'a;

    /// Number of environments, 1 or more.
    fn count(&self) -> usize;

    /// Observation of environment `i`.
    fn observe(&self, i: usize) -> Self::Observation<'_>;

    /// Legal actions of environment `i`.
    fn mask(&self, i: usize) -> ActionMask;

    /// Steps environment `i`.
    fn step(&mut self, i: usize, action: Action) -> Step;

    /// Whether environment `i`'s episode has ended and waits for `reset`.
    fn ended(&self, i: usize) -> bool;

    /// Begins the next episode of environment `i`.
    fn reset(&mut self, i: usize);

    /// The row of environment `i`'s last step, where such rows are kept.
    fn record(&self, _i: usize) -> Option<StepRecord> {
        None
    }

    /// What [`restore`](Self::restore) needs to bring others of the kind to here; `None` where that is not known.
    fn state(&self) -> Option<Value> {
        None
    }

    /// Brings fresh environments to where others were.
    ///
    /// # Errors
    /// When the state is of other environments.
    fn restore(&mut self, _state: &Value) -> Result<(), String> {
        Err("these environments keep no state".to_owned())
    }

    /// Observations of all environments.
    fn observations(&self) -> Vec<Self::Observation<'_>> {
        (0..self.count()).map(|i| self.observe(i)).collect()
    }
}

impl Environments for EnvBatch {
    type Observation<'a> = Observation<'a>;

    fn count(&self) -> usize {
        self.len()
    }

    fn observe(&self, i: usize) -> Observation<'_> {
        EnvBatch::observe(self, i)
    }

    fn mask(&self, i: usize) -> ActionMask {
        EnvBatch::observe(self, i).mask
    }

    fn step(&mut self, i: usize, action: Action) -> Step {
        EnvBatch::step(self, i, action)
    }

    fn ended(&self, i: usize) -> bool {
        EnvBatch::ended(self, i)
    }

    fn reset(&mut self, i: usize) {
        EnvBatch::reset(self, i);
    }

    fn record(&self, i: usize) -> Option<StepRecord> {
        Some(EnvBatch::record(self, i))
    }

    fn state(&self) -> Option<Value> {
        serde_json::to_value(EnvBatch::state(self)).ok()
    }

    fn restore(&mut self, state: &Value) -> Result<(), String> {
        let state = serde_json::from_value(state.clone()).map_err(|e| e.to_string())?;
        EnvBatch::restore(self, &state)
    }
}
