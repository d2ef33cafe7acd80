//! `macd`: the moving average convergence divergence of Appel.

use plugin::{BuildError, ParamError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trading_env::{Action, Agent, AgentContext, AgentError, AgentKind, Decision, Learner, Observation};

use crate::{decide_each, if_legal, toward};

/// Parameters of the `macd` agent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MacdParams {
    /// Bars of the fast average.
    #[schemars(range(min = 1, max = 10_000))]
    pub fast: usize,
    /// Bars of the slow average, more than `fast`.
    #[schemars(range(min = 2, max = 10_000))]
    pub slow: usize,
    /// Bars of the signal line's average.
    #[schemars(range(min = 1, max = 10_000))]
    pub signal: usize,
}

impl Default for MacdParams {
    fn default() -> Self {
        Self { fast: 12, slow: 26, signal: 9 }
    }
}

impl MacdParams {
    fn problem(&self) -> Option<ParamError> {
        let problem = |key: &str, found: usize, expected: String| {
            Some(ParamError { key: key.to_owned(), found: found.to_string(), expected })
        };
        match *self {
            Self { fast, slow, .. } if fast == 0 || slow <= fast => {
                problem("slow", slow, format!("more than fast ({fast}), which is at least 1"))
            }
            Self { signal: 0, .. } => problem("signal", 0, "a whole number, 1 or above".to_owned()),
            _ => None,
        }
    }
}

/// Buys while the MACD line (fast less slow exponential average of the closes) is above its own exponential average, the
/// signal line, and sells while it is below; holds with fewer than `slow + signal - 1` bars and where its wish is illegal.
///
/// An average over `n` bars moves by `2 / (n + 1)` of the distance and starts at its first value. Averages start
/// `8 (slow + signal)` bars back, where what came before has less than 1e-6 of its weight left, so that a decision
/// costs the same at any length of history. Source: Appel 1979, "The moving average convergence divergence method".
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Macd {
    params: MacdParams,
}

impl Macd {
    /// # Errors
    /// When `slow` is not more than `fast`, or `fast` or `signal` is 0.
    pub fn new(params: MacdParams) -> Result<Self, BuildError> {
        match params.problem() {
            None => Ok(Self { params }),
            Some(problem) => Err(BuildError::Invalid(format!("agent.{problem}"))),
        }
    }

    fn wish(&self, observation: &Observation<'_>) -> Action {
        let MacdParams { fast, slow, signal } = self.params;
        let closes = observation.history.closes(8 * (slow + signal));
        let Some(first) = closes.first().filter(|_| closes.len() >= slow + signal - 1) else {
            return Action::Hold;
        };
        let rate = |bars: usize| 2.0 / (bars as f64 + 1.0);
        let (mut quick, mut lazy, mut line) = (*first, *first, 0.0);
        for close in &closes[1..] {
            quick += rate(fast) * (close - quick);
            lazy += rate(slow) * (close - lazy);
            line += rate(signal) * (quick - lazy - line);
        }
        toward(quick - lazy, line)
    }
}

impl Agent for Macd {
    fn learner(&self, _seed: u64) -> Result<Box<dyn Learner + '_>, AgentError> {
        Ok(Box::new(*self))
    }
}

impl Learner for Macd {
    fn decide(&mut self, observations: &[Observation<'_>]) -> Result<Vec<Decision>, AgentError> {
        decide_each(observations, |o| if_legal(self.wish(o), o))
    }
}

/// Plugin of [`Macd`].
pub struct MacdPlugin;

impl Plugin<AgentKind> for MacdPlugin {
    fn name(&self) -> &'static str {
        "macd"
    }

    fn summary(&self) -> &'static str {
        "Long while the MACD line of the closes is above its signal line."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<MacdParams>()
    }

    fn check(&self, params: &Value) -> Result<(), Vec<ParamError>> {
        // What is not even a number is the schema's to report.
        let problem = plugin::params::<MacdParams>(params).ok().and_then(|p| p.problem());
        problem.map_or(Ok(()), |problem| Err(vec![problem]))
    }

    fn build(&self, params: &Value, _context: AgentContext<'_>) -> Result<Box<dyn Agent>, BuildError> {
        Ok(Box::new(Macd::new(plugin::params(params)?)?))
    }
}
