//! `random`: a policy that knows nothing, with a turnover of its own choosing.

use plugin::{BuildError, ParamError, Plugin};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trading_env::{Action, Agent, AgentContext, AgentError, AgentKind, Decision, Learner, Observation, rng};

use crate::if_legal;

/// Parameters of the `random` agent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RandomParams {
    /// Weight of Sell in a draw. The three weights need not sum to 1; those of illegal actions are left out.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sell_prob: f64,
    /// Weight of Hold in a draw.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub hold_prob: f64,
    /// Weight of Buy in a draw.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub buy_prob: f64,
    /// Probability per bar of keeping the position and not drawing: it sets the turnover, of which a share of
    /// `1 - keep_prob` is left.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub keep_prob: f64,
}

impl Default for RandomParams {
    fn default() -> Self {
        let third = 1.0 / 3.0;
        Self { sell_prob: third, hold_prob: third, buy_prob: third, keep_prob: 0.0 }
    }
}

impl RandomParams {
    /// Problems of the values and of their relation.
    fn problems(&self) -> Vec<ParamError> {
        let Self { sell_prob, hold_prob, buy_prob, keep_prob } = *self;
        let named = [
            ("sell_prob", sell_prob),
            ("hold_prob", hold_prob),
            ("buy_prob", buy_prob),
            ("keep_prob", keep_prob),
        ];
        let problem = |key: &str, found: f64, expected: &str| ParamError {
            key: key.to_owned(),
            found: found.to_string(),
            expected: expected.to_owned(),
        };
        let out_of_range = named.iter().filter(|(_, p)| !(0.0..=1.0).contains(p));
        let mut problems: Vec<_> =
            out_of_range.map(|(key, p)| problem(key, *p, "a number from 0 to 1")).collect();
        if problems.is_empty() && sell_prob + hold_prob + buy_prob == 0.0 {
            problems.push(problem("buy_prob", buy_prob, "one of sell_prob, hold_prob and buy_prob above 0"));
        }
        problems
    }
}

/// Draws one of the legal actions by weight, or keeps its position with `keep_prob`.
///
/// Keeping repeats the last action where that is legal and holds where it is not: under `investor-bench`, where Hold
/// is flat, the same position again; under `paper` and `realistic`, where a second Buy has no cash, Hold. The first
/// decision after a reset is always a draw. Each place among the observations draws from the stream `action` from its
/// beginning on, so that no decision depends on the places beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Random {
    params: RandomParams,
}

impl Random {
    /// # Errors
    /// When a probability is not from 0 to 1 or all three weights are 0.
    pub fn new(params: RandomParams) -> Result<Self, BuildError> {
        match params.problems().first() {
            None => Ok(Self { params }),
            Some(problem) => Err(BuildError::Invalid(format!("agent.{problem}"))),
        }
    }
}

impl Agent for Random {
    fn learner(&self, seed: u64) -> Result<Box<dyn Learner + '_>, AgentError> {
        Ok(Box::new(RandomLearner { params: self.params, seed, places: Vec::new() }))
    }
}

struct RandomLearner {
    params: RandomParams,
    seed: u64,
    places: Vec<Place>,
}

/// What belongs to one place among the observations.
struct Place {
    stream: ChaCha8Rng,
    last: Option<Action>,
}

impl Place {
    fn decide(&mut self, params: &RandomParams, observation: &Observation<'_>) -> Action {
        // Two numbers per decision whatever comes of them, so that a setting changes decisions and not the stream.
        let (keep, draw) = (self.stream.random::<f64>(), self.stream.random::<f64>());
        let action = match self.last {
            Some(last) if keep < params.keep_prob => if_legal(last, observation),
            _ => params.draw(draw, observation),
        };
        self.last = Some(action);
        action
    }
}

impl RandomParams {
    /// The legal action at `share` (from 0 to 1) of the legal weights laid end to end.
    fn draw(&self, share: f64, observation: &Observation<'_>) -> Action {
        let weights = [self.sell_prob, self.hold_prob, self.buy_prob];
        let weighted = || observation.mask.legal().map(|a| (a, weights[a.index()])).filter(|(_, w)| *w > 0.0);
        let total: f64 = weighted().map(|(_, w)| w).sum();
        let mut rest = share * total;
        let mut chosen = Action::Hold;
        for (action, weight) in weighted() {
            chosen = action;
            if rest < weight {
                break;
            }
            rest -= weight;
        }
        chosen
    }
}

impl Learner for RandomLearner {
    fn reset(&mut self) {
        self.places.clear();
    }

    fn decide(&mut self, observations: &[Observation<'_>]) -> Result<Vec<Decision>, AgentError> {
        let Self { params, seed, places } = self;
        while places.len() < observations.len() {
            places.push(Place { stream: rng(*seed, "action"), last: None });
        }
        let each = places.iter_mut().zip(observations);
        Ok(each.map(|(place, observation)| Decision::from(place.decide(params, observation))).collect())
    }
}

/// Plugin of [`Random`].
pub struct RandomPlugin;

impl Plugin<AgentKind> for RandomPlugin {
    fn name(&self) -> &'static str {
        "random"
    }

    fn summary(&self) -> &'static str {
        "Draws legal actions by weight, with a probability of keeping the position."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<RandomParams>()
    }

    fn check(&self, params: &Value) -> Result<(), Vec<ParamError>> {
        // What is not even a number is the schema's to report.
        let problems = plugin::params::<RandomParams>(params).map(|p| p.problems()).unwrap_or_default();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn build(&self, params: &Value, _context: AgentContext<'_>) -> Result<Box<dyn Agent>, BuildError> {
        Ok(Box::new(Random::new(plugin::params(params)?)?))
    }
}
