//! `drawdown-penalised`: growth less what it adds to the maximum drawdown.

use plugin::{BuildError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RewardFn, RewardKind, Transition, checked_factor, checked_scale};

/// Parameters of the `drawdown-penalised` reward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DrawdownPenalisedParams {
    /// Factor on the reward.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub scale: f64,
    /// Log return that a maximum drawdown of 1 (everything) costs.
    #[schemars(range(min = 0.0))]
    pub penalty: f64,
}

impl Default for DrawdownPenalisedParams {
    fn default() -> Self {
        Self { scale: 1.0, penalty: 1.0 }
    }
}

/// `R_t = scale * (ln(E_t / E_{t-1}) - penalty * (M_t - M_{t-1}))`; without unit.
///
/// `M_t` is the maximum drawdown of the episode so far, the largest `1 - E_s / max(E_0..E_s)` up to `t`, with `M_0 = 0`:
/// the first step pays for its own fall. Rewards of an episode sum to `scale * (log growth - penalty * M_T)`. Ruin counts
/// as a drawdown of 1. Source: the Calmar-like trade-off of growth and maximum drawdown (Magdon-Ismail and Atiya 2004,
/// "Maximum drawdown"), made additive over steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DrawdownPenalised {
    scale: f64,
    penalty: f64,
    /// Highest equity of the episode, relative to its start.
    peak: f64,
    /// Equity relative to the start.
    equity: f64,
    max_drawdown: f64,
}

impl DrawdownPenalised {
    /// # Errors
    /// When `scale` is not a finite number above 0 or `penalty` not one of at least 0.
    pub fn new(params: DrawdownPenalisedParams) -> Result<Self, BuildError> {
        let (scale, penalty) = (checked_scale(params.scale)?, checked_factor("penalty", params.penalty)?);
        Ok(Self { scale, penalty, peak: 1.0, equity: 1.0, max_drawdown: 0.0 })
    }
}

impl RewardFn for DrawdownPenalised {
    fn fresh(&self) -> Box<dyn RewardFn> {
        let mut fresh = *self;
        fresh.reset();
        Box::new(fresh)
    }

    fn reset(&mut self) {
        *self = Self { peak: 1.0, equity: 1.0, max_drawdown: 0.0, ..*self };
    }

    fn step(&mut self, transition: Transition) -> f64 {
        self.equity *= 1.0 + transition.simple_return();
        self.peak = self.peak.max(self.equity);
        let deepest = self.max_drawdown.max(1.0 - self.equity / self.peak);
        let added = deepest - self.max_drawdown;
        self.max_drawdown = deepest;
        self.scale * (transition.log_return() - self.penalty * added)
    }
}

/// Plugin of [`DrawdownPenalised`].
pub struct DrawdownPenalisedPlugin;

impl Plugin<RewardKind> for DrawdownPenalisedPlugin {
    fn name(&self) -> &'static str {
        "drawdown-penalised"
    }

    fn summary(&self) -> &'static str {
        "Log growth less a penalty on what the step adds to the maximum drawdown."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<DrawdownPenalisedParams>()
    }

    fn build(&self, params: &Value, _context: ()) -> Result<Box<dyn RewardFn>, BuildError> {
        Ok(Box::new(DrawdownPenalised::new(plugin::params(params)?)?))
    }
}
