//! `flat`: no position, ever.

use plugin::{BuildError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trading_env::{Action, Agent, AgentContext, AgentError, AgentKind, Decision, Learner, Observation};

use crate::decide_each;

/// Holds every day. Under `paper` and `realistic` that keeps the cash of the start, under `investor-bench` it is the
/// flat position.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Flat;

impl Agent for Flat {
    fn learner(&self, _seed: u64) -> Result<Box<dyn Learner + '_>, AgentError> {
        Ok(Box::new(*self))
    }
}

impl Learner for Flat {
    fn decide(&mut self, observations: &[Observation<'_>]) -> Result<Vec<Decision>, AgentError> {
        decide_each(observations, |_| Action::Hold)
    }
}

/// `agent = "flat"` has no parameters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FlatParams {}

/// Plugin of [`Flat`].
pub struct FlatPlugin;

impl Plugin<AgentKind> for FlatPlugin {
    fn name(&self) -> &'static str {
        "flat"
    }

    fn summary(&self) -> &'static str {
        "Never takes a position."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<FlatParams>()
    }

    fn build(&self, params: &Value, _context: AgentContext<'_>) -> Result<Box<dyn Agent>, BuildError> {
        plugin::params::<FlatParams>(params)?;
        Ok(Box::new(Flat))
    }
}
