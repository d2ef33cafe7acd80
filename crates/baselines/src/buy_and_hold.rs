//! `buy-and-hold`: the market itself.

use plugin::{BuildError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trading_env::{Action, Agent, AgentContext, AgentError, AgentKind, Decision, Learner, Observation};

use crate::{decide_each, if_legal};

/// Buys whenever buying is legal, else holds: long from the first day under every rule set.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BuyAndHold;

impl Agent for BuyAndHold {
    fn learner(&self, _seed: u64) -> Result<Box<dyn Learner + '_>, AgentError> {
        Ok(Box::new(*self))
    }
}

impl Learner for BuyAndHold {
    fn decide(&mut self, observations: &[Observation<'_>]) -> Result<Vec<Decision>, AgentError> {
        decide_each(observations, |o| if_legal(Action::Buy, o))
    }
}

/// `agent = "buy-and-hold"` has no parameters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BuyAndHoldParams {}

/// Plugin of [`BuyAndHold`].
pub struct BuyAndHoldPlugin;

impl Plugin<AgentKind> for BuyAndHoldPlugin {
    fn name(&self) -> &'static str {
        "buy-and-hold"
    }

    fn summary(&self) -> &'static str {
        "Buys on the first day and keeps."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<BuyAndHoldParams>()
    }

    fn build(&self, params: &Value, _context: AgentContext<'_>) -> Result<Box<dyn Agent>, BuildError> {
        plugin::params::<BuyAndHoldParams>(params)?;
        Ok(Box::new(BuyAndHold))
    }
}
