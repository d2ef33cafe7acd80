//! `sma-crossover`: a short moving average against a long one.

use plugin::{BuildError, ParamError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trading_env::{Action, Agent, AgentContext, AgentError, AgentKind, Decision, Learner, Observation};

use crate::{decide_each, if_legal, toward};

/// Parameters of the `sma-crossover` agent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SmaCrossoverParams {
    /// Bars of the short average.
    #[schemars(range(min = 1, max = 100_000))]
    pub short: usize,
    /// Bars of the long average, more than `short`.
    #[schemars(range(min = 2, max = 100_000))]
    pub long: usize,
}

impl Default for SmaCrossoverParams {
    fn default() -> Self {
        Self { short: 10, long: 50 }
    }
}

impl SmaCrossoverParams {
    fn problem(&self) -> Option<ParamError> {
        (self.short == 0 || self.long <= self.short).then(|| ParamError {
            key: "long".to_owned(),
            found: self.long.to_string(),
            expected: format!("more than short ({}), which is at least 1", self.short),
        })
    }
}

/// Buys while the mean of the last `short` closes is above that of the last `long` ones, sells while it is below, holds
/// while they are equal or the history is shorter; holds too where its wish is illegal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmaCrossover {
    params: SmaCrossoverParams,
}

impl SmaCrossover {
    /// # Errors
    /// When `long` is not more than `short` or `short` is 0.
    pub fn new(params: SmaCrossoverParams) -> Result<Self, BuildError> {
        match params.problem() {
            None => Ok(Self { params }),
            Some(problem) => Err(BuildError::Invalid(format!("agent.{problem}"))),
        }
    }

    fn wish(&self, observation: &Observation<'_>) -> Action {
        let SmaCrossoverParams { short, long } = self.params;
        let closes = observation.history.closes(long);
        if closes.len() < long {
            return Action::Hold;
        }
        let mean = |closes: &[f64]| closes.iter().sum::<f64>() / closes.len() as f64;
        toward(mean(&closes[long - short..]), mean(closes))
    }
}

impl Agent for SmaCrossover {
    fn learner(&self, _seed: u64) -> Result<Box<dyn Learner + '_>, AgentError> {
        Ok(Box::new(*self))
    }
}

impl Learner for SmaCrossover {
    fn decide(&mut self, observations: &[Observation<'_>]) -> Result<Vec<Decision>, AgentError> {
        decide_each(observations, |o| if_legal(self.wish(o), o))
    }
}

/// Plugin of [`SmaCrossover`].
pub struct SmaCrossoverPlugin;

impl Plugin<AgentKind> for SmaCrossoverPlugin {
    fn name(&self) -> &'static str {
        "sma-crossover"
    }

    fn summary(&self) -> &'static str {
        "Long while a short moving average of the closes is above a long one."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<SmaCrossoverParams>()
    }

    fn check(&self, params: &Value) -> Result<(), Vec<ParamError>> {
        // What is not even a number is the schema's to report.
        let problem = plugin::params::<SmaCrossoverParams>(params).ok().and_then(|p| p.problem());
        problem.map_or(Ok(()), |problem| Err(vec![problem]))
    }

    fn build(&self, params: &Value, _context: AgentContext<'_>) -> Result<Box<dyn Agent>, BuildError> {
        Ok(Box::new(SmaCrossover::new(plugin::params(params)?)?))
    }
}
