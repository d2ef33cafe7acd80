//! `log-return`: the growth of the account.

use plugin::{BuildError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RewardFn, RewardKind, Transition, checked_scale};

/// Parameters of the `log-return` reward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogReturnParams {
    /// Factor on the reward.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub scale: f64,
}

impl Default for LogReturnParams {
    fn default() -> Self {
        Self { scale: 1.0 }
    }
}

/// `R_t = scale * ln(E_t / E_{t-1})` with equity `E`; without unit, per step.
///
/// The first step is like any other. Rewards of an episode sum to `scale` times the log growth of the account. Ruin
/// gives `scale * ln(1e-6)`, about -13.8, so that no reward is infinite. Source: the log utility of Kelly 1956, and
/// the return that the InvestorBench evaluator sums.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogReturn {
    scale: f64,
}

impl LogReturn {
    /// # Errors
    /// When `scale` is not a finite number above 0.
    pub fn new(params: LogReturnParams) -> Result<Self, BuildError> {
        Ok(Self { scale: checked_scale(params.scale)? })
    }
}

impl RewardFn for LogReturn {
    fn fresh(&self) -> Box<dyn RewardFn> {
        Box::new(*self)
    }

    fn reset(&mut self) {}

    fn step(&mut self, transition: Transition) -> f64 {
        self.scale * transition.log_return()
    }
}

/// Plugin of [`LogReturn`].
pub struct LogReturnPlugin;

impl Plugin<RewardKind> for LogReturnPlugin {
    fn name(&self) -> &'static str {
        "log-return"
    }

    fn summary(&self) -> &'static str {
        "Log growth of the account over the step."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<LogReturnParams>()
    }

    fn build(&self, params: &Value, _context: ()) -> Result<Box<dyn RewardFn>, BuildError> {
        Ok(Box::new(LogReturn::new(plugin::params(params)?)?))
    }
}
