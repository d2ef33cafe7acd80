//! `sharpe-delta`: the reward of the FLAG-Trader paper.

use plugin::{BuildError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RewardFn, RewardKind, Transition, checked_scale};

/// Parameters of the `sharpe-delta` reward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SharpeDeltaParams {
    /// Factor on the reward.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub scale: f64,
}

impl Default for SharpeDeltaParams {
    fn default() -> Self {
        Self { scale: 1.0 }
    }
}

/// `R_t = scale * (SR_t - SR_{t-1})`, the change of the Sharpe ratio of the episode so far; without unit.
///
/// `SR_t = mean(pnl_1..pnl_t) / sd(pnl_1..pnl_t)` with `pnl_t = E_t - E_{t-1}` in currency and the sample standard
/// deviation; not annualised, risk-free rate 0. The ratio is undefined for the first PnL and while the PnLs do not
/// differ, and counts as 0 then, so the first reward is 0. Rewards of an episode sum to `scale * SR_T`. A PnL or a
/// deviation below 1e-12 of the equity is rounding and counts as 0. Source: Xiong et al. 2025 (arXiv 2502.11433),
/// section 3, which leaves the risk-free rate and the first values open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SharpeDelta {
    scale: f64,
    /// Welford's running moments of the PnL: count, mean, sum of squared deviations.
    n: f64,
    mean: f64,
    squares: f64,
    sharpe: f64,
}

impl SharpeDelta {
    /// # Errors
    /// When `scale` is not a finite number above 0.
    pub fn new(params: SharpeDeltaParams) -> Result<Self, BuildError> {
        Ok(Self { scale: checked_scale(params.scale)?, n: 0.0, mean: 0.0, squares: 0.0, sharpe: 0.0 })
    }
}

impl RewardFn for SharpeDelta {
    fn fresh(&self) -> Box<dyn RewardFn> {
        let mut fresh = *self;
        fresh.reset();
        Box::new(fresh)
    }

    fn reset(&mut self) {
        *self = Self { scale: self.scale, n: 0.0, mean: 0.0, squares: 0.0, sharpe: 0.0 };
    }

    fn step(&mut self, transition: Transition) -> f64 {
        let pnl = transition.pnl();
        self.n += 1.0;
        let deviation = pnl - self.mean;
        self.mean += deviation / self.n;
        self.squares += deviation * (pnl - self.mean);
        let sd = if self.n > 1.0 { (self.squares / (self.n - 1.0)).sqrt() } else { 0.0 };
        let sharpe = if sd > transition.rounding() { self.mean / sd } else { 0.0 };
        let reward = self.scale * (sharpe - self.sharpe);
        self.sharpe = sharpe;
        reward
    }
}

/// Plugin of [`SharpeDelta`].
pub struct SharpeDeltaPlugin;

impl Plugin<RewardKind> for SharpeDeltaPlugin {
    fn name(&self) -> &'static str {
        "sharpe-delta"
    }

    fn summary(&self) -> &'static str {
        "Change of the Sharpe ratio of the episode's profits so far, as in the paper."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<SharpeDeltaParams>()
    }

    fn build(&self, params: &Value, _context: ()) -> Result<Box<dyn RewardFn>, BuildError> {
        Ok(Box::new(SharpeDelta::new(plugin::params(params)?)?))
    }
}
