//! `momentum`: follow the sign of the recent return.

use plugin::{BuildError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trading_env::{Action, Agent, AgentContext, AgentError, AgentKind, Decision, Learner, Observation};

use crate::{decide_each, if_legal};

/// Parameters of the `momentum` agent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MomentumParams {
    /// Bars over which the return is measured.
    #[schemars(range(min = 1, max = 100_000))]
    pub window: usize,
}

impl Default for MomentumParams {
    fn default() -> Self {
        Self { window: 20 }
    }
}

/// Buys after a rise of the close over `window` bars, sells after a fall, holds without change or with fewer bars of
/// history; holds too where its wish is illegal. Under `investor-bench` a Sell is a short position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Momentum {
    window: usize,
}

impl Momentum {
    /// # Errors
    /// When the window is 0 or above 100000.
    pub fn new(params: MomentumParams) -> Result<Self, BuildError> {
        let MomentumParams { window } = params;
        if !(1..=100_000).contains(&window) {
            let message = format!("agent.window: expected a whole number from 1 to 100000, found {window}");
            return Err(BuildError::Invalid(message));
        }
        Ok(Self { window })
    }

    fn wish(&self, observation: &Observation<'_>) -> Action {
        let closes = observation.history.closes(self.window + 1);
        match closes {
            [first, .., last] if closes.len() == self.window + 1 && last > first => Action::Buy,
            [first, .., last] if closes.len() == self.window + 1 && last < first => Action::Sell,
            _ => Action::Hold,
        }
    }
}

impl Agent for Momentum {
    fn learner(&self, _seed: u64) -> Result<Box<dyn Learner + '_>, AgentError> {
        Ok(Box::new(*self))
    }
}

impl Learner for Momentum {
    fn decide(&mut self, observations: &[Observation<'_>]) -> Result<Vec<Decision>, AgentError> {
        decide_each(observations, |o| if_legal(self.wish(o), o))
    }
}

/// Plugin of [`Momentum`].
pub struct MomentumPlugin;

impl Plugin<AgentKind> for MomentumPlugin {
    fn name(&self) -> &'static str {
        "momentum"
    }

    fn summary(&self) -> &'static str {
        "Follows the sign of the return over the last bars."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<MomentumParams>()
    }

    fn build(&self, params: &Value, _context: AgentContext<'_>) -> Result<Box<dyn Agent>, BuildError> {
        Ok(Box::new(Momentum::new(plugin::params(params)?)?))
    }
}
