//! Trading rules: what an action does to the account.

use market_data::Bar;
use plugin::Kind;

use crate::{Account, Action, ActionMask};

/// Plugins of the `rules` section.
pub enum RulesKind {}

impl Kind for RulesKind {
    const SECTION: &'static str = "rules";
    type Context<'a> = ();
    type Output = Box<dyn Rules>;
}

/// What a step did to the account.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Fill {
    /// Absolute value traded, in currency.
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
    fn advance(&self, account: &mut Account, action: Action, now: &Bar, next: &Bar) -> Fill;
}
