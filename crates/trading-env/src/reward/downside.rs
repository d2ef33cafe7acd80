//! `downside`: the online Sortino-like reward of Moody and Saffell.

use plugin::{BuildError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RewardFn, RewardKind, Transition, checked_eta, checked_scale};

/// Parameters of the `downside` reward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DownsideParams {
    /// Factor on the reward.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub scale: f64,
    /// Adaptation rate of the moving moments, per step; their memory is about `1 / eta` steps.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub eta: f64,
}

impl Default for DownsideParams {
    fn default() -> Self {
        Self { scale: 1.0, eta: 0.01 }
    }
}

/// `D_t = scale * ((r - A / 2) / DD - A min(r, 0)^2 / (2 DD^3))`, the derivative of the moving downside deviation ratio
/// `A / DD` by `eta`; without unit.
///
/// `A` is the moving mean of the simple return `r` and `DD^2` that of `min(r, 0)^2`, both 0 at the start of an episode
/// and moved by `eta` after each step; the formula uses those from before the step. Without a loss so far `DD` is 0, the
/// ratio is undefined and the reward is 0: so is the first one, and every one up to and including that of the first
/// loss. A return below 1e-12 is rounding and counts as 0. Source: Moody and Saffell 2001, "Learning to trade via
/// direct reinforcement", the differential downside deviation ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Downside {
    scale: f64,
    eta: f64,
    mean: f64,
    /// `DD^2`.
    downside: f64,
}

impl Downside {
    /// # Errors
    /// When `scale` is not a finite number above 0 or `eta` not between 0 and 1.
    pub fn new(params: DownsideParams) -> Result<Self, BuildError> {
        let (scale, eta) = (checked_scale(params.scale)?, checked_eta(params.eta)?);
        Ok(Self { scale, eta, mean: 0.0, downside: 0.0 })
    }
}

impl RewardFn for Downside {
    fn fresh(&self) -> Box<dyn RewardFn> {
        let mut fresh = *self;
        fresh.reset();
        Box::new(fresh)
    }

    fn reset(&mut self) {
        self.mean = 0.0;
        self.downside = 0.0;
    }

    fn step(&mut self, transition: Transition) -> f64 {
        let simple_return = transition.simple_return();
        let loss = simple_return.min(0.0).powi(2);
        let (a, square) = (self.mean, self.downside);
        self.mean += self.eta * (simple_return - a);
        self.downside += self.eta * (loss - square);
        if square == 0.0 {
            return 0.0;
        }
        let deviation = square.sqrt();
        self.scale * ((simple_return - 0.5 * a) / deviation - 0.5 * a * loss / (square * deviation))
    }
}

/// Plugin of [`Downside`].
pub struct DownsidePlugin;

impl Plugin<RewardKind> for DownsidePlugin {
    fn name(&self) -> &'static str {
        "downside"
    }

    fn summary(&self) -> &'static str {
        "Derivative of a moving Sortino-like ratio, of Moody and Saffell."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<DownsideParams>()
    }

    fn build(&self, params: &Value, _context: ()) -> Result<Box<dyn RewardFn>, BuildError> {
        Ok(Box::new(Downside::new(plugin::params(params)?)?))
    }
}
