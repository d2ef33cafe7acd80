//! `mean-reversion`: against the distance from a moving average.

use plugin::{BuildError, ParamError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trading_env::{Action, Agent, AgentContext, AgentError, AgentKind, Decision, Learner, Observation};

use crate::{decide_each, if_legal, toward};

/// Parameters of the `mean-reversion` agent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MeanReversionParams {
    /// Bars of the moving average and of the standard deviation.
    #[schemars(range(min = 2, max = 100_000))]
    pub window: usize,
    /// Standard deviations from the average at which it acts.
    #[schemars(range(min = 0.0))]
    pub threshold: f64,
}

impl Default for MeanReversionParams {
    fn default() -> Self {
        Self { window: 20, threshold: 1.0 }
    }
}

impl MeanReversionParams {
    fn problem(&self) -> Option<ParamError> {
        let problem = |key: &str, found: String, expected: &str| ParamError {
            key: key.to_owned(),
            found,
            expected: expected.to_owned(),
        };
        if self.window < 2 {
            return Some(problem("window", self.window.to_string(), "a whole number, 2 or above"));
        }
        let valid = self.threshold.is_finite() && self.threshold >= 0.0;
        (!valid).then(|| problem("threshold", self.threshold.to_string(), "a finite number, 0 or above"))
    }
}

/// Buys while the close is more than `threshold` sample standard deviations below the mean of the last `window` closes,
/// sells while it is as far above, holds between, with a shorter history and where the closes do not differ; holds too
/// where its wish is illegal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanReversion {
    params: MeanReversionParams,
}

impl MeanReversion {
    /// # Errors
    /// When the window is below 2 or the threshold below 0.
    pub fn new(params: MeanReversionParams) -> Result<Self, BuildError> {
        match params.problem() {
            None => Ok(Self { params }),
            Some(problem) => Err(BuildError::Invalid(format!("agent.{problem}"))),
        }
    }

    fn wish(&self, observation: &Observation<'_>) -> Action {
        let MeanReversionParams { window, threshold } = self.params;
        let closes = observation.history.closes(window);
        let Some(last) = closes.last().filter(|_| closes.len() == window) else { return Action::Hold };
        let mean = closes.iter().sum::<f64>() / window as f64;
        let squares: f64 = closes.iter().map(|c| (c - mean).powi(2)).sum();
        let sd = (squares / (window as f64 - 1.0)).sqrt();
        // Spread of that size is the rounding of the mean.
        if sd <= 1e-12 * mean || (last - mean).abs() <= threshold * sd {
            return Action::Hold;
        }
        toward(mean, *last)
    }
}

impl Agent for MeanReversion {
    fn learner(&self, _seed: u64) -> Result<Box<dyn Learner + '_>, AgentError> {
        Ok(Box::new(*self))
    }
}

impl Learner for MeanReversion {
    fn decide(&mut self, observations: &[Observation<'_>]) -> Result<Vec<Decision>, AgentError> {
        decide_each(observations, |o| if_legal(self.wish(o), o))
    }
}

/// Plugin of [`MeanReversion`].
pub struct MeanReversionPlugin;

impl Plugin<AgentKind> for MeanReversionPlugin {
    fn name(&self) -> &'static str {
        "mean-reversion"
    }

    fn summary(&self) -> &'static str {
        "Buys far below a moving average of the closes, sells far above it."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<MeanReversionParams>()
    }

    fn check(&self, params: &Value) -> Result<(), Vec<ParamError>> {
        // What is not even a number is the schema's to report.
        let problem = plugin::params::<MeanReversionParams>(params).ok().and_then(|p| p.problem());
        problem.map_or(Ok(()), |problem| Err(vec![problem]))
    }

    fn build(&self, params: &Value, _context: AgentContext<'_>) -> Result<Box<dyn Agent>, BuildError> {
        Ok(Box::new(MeanReversion::new(plugin::params(params)?)?))
    }
}
