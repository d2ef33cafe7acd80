//! Trading rules: what an action does to the account.

mod investor_bench;
mod paper;
mod realistic;

pub use investor_bench::{InvestorBench, InvestorBenchParams, InvestorBenchPlugin};
pub use paper::{Paper, PaperParams, PaperPlugin};
pub use realistic::{Realistic, RealisticParams, RealisticPlugin};

use market_data::Bar;
use plugin::{Kind, Plugin};

use crate::{Account, Action, ActionMask};

/// Plugins of the `rules` section.
pub enum RulesKind {}

impl Kind for RulesKind {
    const SECTION: &'static str = "rules";
    type Context<'a> = ();
    type Output = Box<dyn Rules>;
}

/// The rules of this crate, in the order of listings.
pub static RULES: &[&'static dyn Plugin<RulesKind>] = &[&PaperPlugin, &InvestorBenchPlugin, &RealisticPlugin];

/// What a step did to the account.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Fill {
    /// Absolute value traded, in currency: shares times the price of the fill (slippage included, fee not). Above 0
    /// exactly when the position changed.
    pub traded: f64,
    /// Fees and slippage paid, in currency.
    pub cost: f64,
}

/// One set of trading rules.
pub trait Rules: Send + Sync {
    /// Name, as in experiment files.
    fn name(&self) -> &'static str;

    /// Actions that do something (Hold always is legal).
    fn mask(&self, account: &Account) -> ActionMask;

    /// Carries out `action`, decided at the close of `now`, and marks the account at the close of `next`.
    ///
    /// An action outside the mask changes no position.
    fn advance(&self, account: &mut Account, action: Action, now: &Bar, next: &Bar) -> Fill;

    /// Log return of a step that took the equity from `before` to `after`.
    ///
    /// Rules that define it by prices and not by the account return that number, free of the account's rounding.
    fn log_return(&self, _action: Action, _now: &Bar, _next: &Bar, before: f64, after: f64) -> f64 {
        (after / before).ln()
    }
}

#[cfg(test)]
mod tests;
