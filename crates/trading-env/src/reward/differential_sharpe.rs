//! `differential-sharpe`: the online reward of Moody and Saffell.

use plugin::{BuildError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RewardFn, RewardKind, Transition, checked_eta, checked_scale};

/// Parameters of the `differential-sharpe` reward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DifferentialSharpeParams {
    /// Factor on the reward.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub scale: f64,
    /// Adaptation rate of the moving moments, per step; their memory is about `1 / eta` steps.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub eta: f64,
}

impl Default for DifferentialSharpeParams {
    fn default() -> Self {
        Self { scale: 1.0, eta: 0.01 }
    }
}

/// `D_t = scale * (B dA - A dB / 2) / (B - A^2)^1.5`, the derivative of the moving Sharpe ratio by `eta`; without unit.
///
/// `A` and `B` are the moving first and second moments of the simple return `r`, both 0 at the start of an episode:
/// `dA = r - A`, `dB = r^2 - B`, then `A += eta * dA`, `B += eta * dB`; the formula uses `A` and `B` from before the
/// step. Without spread so far, `B = A^2`, the ratio is undefined and the reward is 0: the first reward is 0, and so
/// is every one up to and including that of the first return other than 0. A return below 1e-12 is rounding and counts as
/// 0. Source: Moody and Saffell 2001, "Learning to trade via direct reinforcement", equation 14.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DifferentialSharpe {
    scale: f64,
    eta: f64,
    first_moment: f64,
    second_moment: f64,
}

impl DifferentialSharpe {
    /// # Errors
    /// When `scale` is not a finite number above 0 or `eta` not between 0 and 1.
    pub fn new(params: DifferentialSharpeParams) -> Result<Self, BuildError> {
        let (scale, eta) = (checked_scale(params.scale)?, checked_eta(params.eta)?);
        Ok(Self { scale, eta, first_moment: 0.0, second_moment: 0.0 })
    }
}

impl RewardFn for DifferentialSharpe {
    fn fresh(&self) -> Box<dyn RewardFn> {
        let mut fresh = *self;
        fresh.reset();
        Box::new(fresh)
    }

    fn reset(&mut self) {
        self.first_moment = 0.0;
        self.second_moment = 0.0;
    }

    fn step(&mut self, transition: Transition) -> f64 {
        let simple_return = transition.simple_return();
        let (a, b) = (self.first_moment, self.second_moment);
        let delta_a = simple_return - a;
        let delta_b = simple_return * simple_return - b;
        self.first_moment += self.eta * delta_a;
        self.second_moment += self.eta * delta_b;
        let variance = b - a * a;
        // A difference that small against its terms is their rounding.
        if variance <= 1e-12 * b {
            return 0.0;
        }
        self.scale * (b * delta_a - 0.5 * a * delta_b) / (variance * variance.sqrt())
    }
}

/// Plugin of [`DifferentialSharpe`].
pub struct DifferentialSharpePlugin;

impl Plugin<RewardKind> for DifferentialSharpePlugin {
    fn name(&self) -> &'static str {
        "differential-sharpe"
    }

    fn summary(&self) -> &'static str {
        "Derivative of a moving Sharpe ratio, of Moody and Saffell."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<DifferentialSharpeParams>()
    }

    fn build(&self, params: &Value, _context: ()) -> Result<Box<dyn RewardFn>, BuildError> {
        Ok(Box::new(DifferentialSharpe::new(plugin::params(params)?)?))
    }
}
