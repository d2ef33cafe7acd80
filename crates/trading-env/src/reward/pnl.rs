//! `pnl`: profit in currency.

use plugin::{BuildError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RewardFn, RewardKind, Transition, checked_scale};

/// Parameters of the `pnl` reward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PnlParams {
    /// Factor on the reward; 1 / initial cash makes it a return on the start.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub scale: f64,
}

impl Default for PnlParams {
    fn default() -> Self {
        Self { scale: 1.0 }
    }
}

/// `R_t = scale * (E_t - E_{t-1})` with equity `E`, in currency.
///
/// The first step is like any other. Rewards of an episode sum to `scale` times the profit. A profit below 1e-12 of the
/// equity is rounding and counts as 0; ruin loses the whole equity and no more. Source: the daily PnL of Xiong et al.
/// 2025 (arXiv 2502.11433), section 3.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pnl {
    scale: f64,
}

impl Pnl {
    /// # Errors
    /// When `scale` is not a finite number above 0.
    pub fn new(params: PnlParams) -> Result<Self, BuildError> {
        Ok(Self { scale: checked_scale(params.scale)? })
    }
}

impl RewardFn for Pnl {
    fn fresh(&self) -> Box<dyn RewardFn> {
        Box::new(*self)
    }

    fn reset(&mut self) {}

    fn step(&mut self, transition: Transition) -> f64 {
        self.scale * transition.pnl()
    }
}

/// Plugin of [`Pnl`].
pub struct PnlPlugin;

impl Plugin<RewardKind> for PnlPlugin {
    fn name(&self) -> &'static str {
        "pnl"
    }

    fn summary(&self) -> &'static str {
        "Profit of the step in currency."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<PnlParams>()
    }

    fn build(&self, params: &Value, _context: ()) -> Result<Box<dyn RewardFn>, BuildError> {
        Ok(Box::new(Pnl::new(plugin::params(params)?)?))
    }
}
