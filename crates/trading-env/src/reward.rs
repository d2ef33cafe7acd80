//! Rewards: what one step is worth to the learner.

mod cvar_penalised;
mod differential_sharpe;
mod downside;
mod drawdown_penalised;
mod log_return;
mod pnl;
mod sharpe_delta;

pub use cvar_penalised::{CvarPenalised, CvarPenalisedParams, CvarPenalisedPlugin};
pub use differential_sharpe::{DifferentialSharpe, DifferentialSharpeParams, DifferentialSharpePlugin};
pub use downside::{Downside, DownsideParams, DownsidePlugin};
pub use drawdown_penalised::{DrawdownPenalised, DrawdownPenalisedParams, DrawdownPenalisedPlugin};
pub use log_return::{LogReturn, LogReturnParams, LogReturnPlugin};
pub use pnl::{Pnl, PnlParams, PnlPlugin};
pub use sharpe_delta::{SharpeDelta, SharpeDeltaParams, SharpeDeltaPlugin};

use plugin::{BuildError, Kind, Plugin};

/// Plugins of the `reward` section.
pub enum RewardKind {}

impl Kind for RewardKind {
    const SECTION: &'static str = "reward";
    type Context<'a> = ();
    type Output = Box<dyn RewardFn>;
}

/// The rewards of this crate, in the order of listings.
pub static REWARDS: &[&'static dyn Plugin<RewardKind>] = &[
    &SharpeDeltaPlugin,
    &DifferentialSharpePlugin,
    &LogReturnPlugin,
    &PnlPlugin,
    &DrawdownPenalisedPlugin,
    &DownsidePlugin,
    &CvarPenalisedPlugin,
];

/// Equity before and after a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transition {
    /// Equity at the close at which the decision was taken, > 0.
    pub before: f64,
    /// Equity at the next close.
    pub after: f64,
}

impl Transition {
    /// Returns smaller than this are the rounding of an order's arithmetic and count as 0: a Sharpe ratio has no unit,
    /// so it would turn such a crumb into a reward of the usual size.
    const ROUNDING: f64 = 1e-12;

    /// What is left of a ruined account in a logarithm, as a share of what it was.
    const RUINED: f64 = 1e-6;

    /// Profit `after - before` in currency; `-before` when the account is gone (`after` not above 0 or not finite).
    pub fn pnl(self) -> f64 {
        let pnl = self.after - self.before;
        if !pnl.is_finite() {
            -self.before
        } else if pnl.abs() <= self.rounding() {
            0.0
        } else {
            pnl.max(-self.before)
        }
    }

    /// Currency amounts up to this are rounding.
    fn rounding(self) -> f64 {
        Self::ROUNDING * self.before
    }

    /// Simple return `after / before - 1`; -1 when the account is gone (`after` not above 0 or not finite).
    pub fn simple_return(self) -> f64 {
        let simple_return = self.after / self.before - 1.0;
        if !simple_return.is_finite() {
            -1.0
        } else if simple_return.abs() <= Self::ROUNDING {
            0.0
        } else {
            simple_return.max(-1.0)
        }
    }

    /// Log return `ln(after / before)`; `ln(1e-6)` when the account is gone or shrinks below that in one step.
    pub fn log_return(self) -> f64 {
        let growth = self.after / self.before;
        if growth.is_finite() { growth.max(Self::RUINED).ln() } else { Self::RUINED.ln() }
    }
}

/// A reward; one instance per environment, made by `fresh`.
pub trait RewardFn: Send + Sync {
    /// Another instance with the same parameters, at the start of an episode.
    fn fresh(&self) -> Box<dyn RewardFn>;
    /// Forgets the episode.
    fn reset(&mut self);
    /// Reward of one step.
    fn step(&mut self, transition: Transition) -> f64;
}

/// `scale` as given when it is finite and above 0.
fn checked_scale(scale: f64) -> Result<f64, BuildError> {
    if scale.is_finite() && scale > 0.0 {
        Ok(scale)
    } else {
        Err(BuildError::Invalid(format!("reward.scale: expected a finite number above 0, found {scale}")))
    }
}

/// `eta`, the rate of moving moments, as given when it is between 0 and 1.
fn checked_eta(eta: f64) -> Result<f64, BuildError> {
    if eta > 0.0 && eta < 1.0 {
        Ok(eta)
    } else {
        let message = format!("reward.eta: expected a number above 0 and below 1, found {eta}");
        Err(BuildError::Invalid(message))
    }
}

/// The parameter `key` as given when it is finite and not below 0.
fn checked_factor(key: &str, value: f64) -> Result<f64, BuildError> {
    if value.is_finite() && value >= 0.0 {
        Ok(value)
    } else {
        let message = format!("reward.{key}: expected a finite number, 0 or above, found {value}");
        Err(BuildError::Invalid(message))
    }
}

#[cfg(test)]
mod tests;
