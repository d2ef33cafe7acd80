//! `cvar-penalised`: growth less what it adds to the expected shortfall.

use plugin::{BuildError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RewardFn, RewardKind, Transition, checked_factor, checked_scale};

/// Parameters of the `cvar-penalised` reward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CvarPenalisedParams {
    /// Factor on the reward.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub scale: f64,
    /// Log return that an expected shortfall of 1 (everything, in the worst steps) costs.
    #[schemars(range(min = 0.0))]
    pub penalty: f64,
    /// Share of the worst steps that the expected shortfall averages.
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
    pub tail: f64,
}

impl Default for CvarPenalisedParams {
    fn default() -> Self {
        Self { scale: 1.0, penalty: 1.0, tail: 0.05 }
    }
}

/// `R_t = scale * (ln(E_t / E_{t-1}) - penalty * (C_t - C_{t-1}))`; without unit.
///
/// `C_t` is the expected shortfall of the episode so far: minus the mean of the `ceil(tail * t)` smallest simple returns,
/// 0 where that mean is above 0, and `C_0 = 0`. The first step pays for its own loss. Rewards of an episode sum to
/// `scale * (log growth - penalty * C_T)`. Source: the conditional value at risk of Rockafellar and Uryasev 2000, in its
/// sample form, made additive over steps.
#[derive(Debug, Clone, PartialEq)]
pub struct CvarPenalised {
    params: CvarPenalisedParams,
    /// Returns of the episode, ascending.
    returns: Vec<f64>,
    shortfall: f64,
}

impl CvarPenalised {
    /// # Errors
    /// When `scale` is not a finite number above 0, `penalty` not one of at least 0, or `tail` not in (0, 1].
    pub fn new(params: CvarPenalisedParams) -> Result<Self, BuildError> {
        checked_scale(params.scale)?;
        checked_factor("penalty", params.penalty)?;
        if !(params.tail > 0.0 && params.tail <= 1.0) {
            let message =
                format!("reward.tail: expected a number above 0 and up to 1, found {}", params.tail);
            return Err(BuildError::Invalid(message));
        }
        Ok(Self { params, returns: Vec::new(), shortfall: 0.0 })
    }
}

impl RewardFn for CvarPenalised {
    fn fresh(&self) -> Box<dyn RewardFn> {
        Box::new(Self { params: self.params, returns: Vec::new(), shortfall: 0.0 })
    }

    fn reset(&mut self) {
        self.returns.clear();
        self.shortfall = 0.0;
    }

    fn step(&mut self, transition: Transition) -> f64 {
        let simple_return = transition.simple_return();
        let at = self.returns.partition_point(|r| *r < simple_return);
        self.returns.insert(at, simple_return);
        let worst = (self.params.tail * self.returns.len() as f64).ceil().max(1.0) as usize;
        let mean = self.returns[..worst].iter().sum::<f64>() / worst as f64;
        let shortfall = (-mean).max(0.0);
        let added = shortfall - self.shortfall;
        self.shortfall = shortfall;
        self.params.scale * (transition.log_return() - self.params.penalty * added)
    }
}

/// Plugin of [`CvarPenalised`].
pub struct CvarPenalisedPlugin;

impl Plugin<RewardKind> for CvarPenalisedPlugin {
    fn name(&self) -> &'static str {
        "cvar-penalised"
    }

    fn summary(&self) -> &'static str {
        "Log growth less a penalty on what the step adds to the expected shortfall."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<CvarPenalisedParams>()
    }

    fn build(&self, params: &Value, _context: ()) -> Result<Box<dyn RewardFn>, BuildError> {
        Ok(Box::new(CvarPenalised::new(plugin::params(params)?)?))
    }
}
