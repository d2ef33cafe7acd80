//! `oracle`: knows how to read the planted signal.

use market_data::synth::headlines::{Mood, mood};
use plugin::{BuildError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trading_env::{Action, Agent, AgentContext, AgentError, AgentKind, Decision, Learner, Observation};

use crate::{decide_each, if_legal, toward};

/// Parameters of the `oracle` agent: none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OracleParams {}

/// Buys where more of the bar's headlines are good than bad, sells where more are bad, else holds; holds too where its
/// wish is illegal. It understands the headlines of the synthetic market in every wording, later ones included, and
/// nothing else: on other news it holds. So it earns what the planted signal is worth under the rules, and what a
/// learner reaches of that is how much of the signal it found. It does not know the return itself, of which the signal is
/// right with the probability of the data set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Oracle;

impl Oracle {
    fn wish(observation: &Observation<'_>) -> Action {
        let says = |text: &str| match mood(text) {
            Mood::Good => 1.0,
            Mood::Bad => -1.0,
            Mood::Neutral => 0.0,
        };
        toward(observation.history.recent_news(1).map(|(_, text)| says(text)).sum(), 0.0)
    }
}

impl Agent for Oracle {
    fn learner(&self, _seed: u64) -> Result<Box<dyn Learner + '_>, AgentError> {
        Ok(Box::new(*self))
    }
}

impl Learner for Oracle {
    fn decide(&mut self, observations: &[Observation<'_>]) -> Result<Vec<Decision>, AgentError> {
        decide_each(observations, |o| if_legal(Self::wish(o), o))
    }
}

/// Plugin of [`Oracle`].
pub struct OraclePlugin;

impl Plugin<AgentKind> for OraclePlugin {
    fn name(&self) -> &'static str {
        "oracle"
    }

    fn summary(&self) -> &'static str {
        "Reads the planted signal of the synthetic market's headlines: the mark that a learner can reach."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<OracleParams>()
    }

    fn build(&self, params: &Value, _context: AgentContext<'_>) -> Result<Box<dyn Agent>, BuildError> {
        plugin::params::<OracleParams>(params)?;
        Ok(Box::new(Oracle))
    }
}
