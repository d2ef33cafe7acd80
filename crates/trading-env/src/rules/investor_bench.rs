//! `investor-bench`: the scoring rule behind the published tables.

use market_data::Bar;
use plugin::{BuildError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Fill, Rules, RulesKind};
use crate::{Account, Action, ActionMask};

/// The position of day `t` is the action `a`: -1 short, 0 flat, 1 long; its log return is `a * ln(P[t+1] / P[t])`.
///
/// Equity is multiplied by `exp(a * ln(P[t+1] / P[t]))` and the account is then written anew with the same position
/// at the new price, `shares = a * equity / P[t+1]` and `cash = (1 - a) * equity` (long: no cash; short: cash of
/// twice the equity against the borrowed shares). A change of position by `d` counts `|d|` times the equity at the
/// decision as traded. No cost, every action is legal. Source: the evaluator of felis33/INVESTOR-BENCH.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct InvestorBench;

/// The position that the account holds, as a share of equity.
fn position(account: &Account) -> f64 {
    if account.shares == 0.0 { 0.0 } else { account.shares.signum() }
}

impl Rules for InvestorBench {
    fn name(&self) -> &'static str {
        "investor-bench"
    }

    fn mask(&self, _account: &Account) -> ActionMask {
        ActionMask::ALL
    }

    fn advance(&self, account: &mut Account, action: Action, now: &Bar, next: &Bar) -> Fill {
        let before = account.equity();
        let target = f64::from(action.sign());
        let traded = (target - position(account)).abs() * before;
        let after = before * self.log_return(action, now, next, before, before).exp();
        *account =
            Account { cash: (1.0 - target) * after, shares: target * after / next.close, price: next.close };
        Fill { traded, cost: 0.0 }
    }

    fn log_return(&self, action: Action, now: &Bar, next: &Bar, _before: f64, _after: f64) -> f64 {
        // Hold is 0, not -0: a falling price times a position of 0 would print a sign.
        if action == Action::Hold { 0.0 } else { f64::from(action.sign()) * (next.close / now.close).ln() }
    }
}

/// `rules = "investor-bench"` has no parameters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InvestorBenchParams {}

/// Plugin of [`InvestorBench`].
pub struct InvestorBenchPlugin;

impl Plugin<RulesKind> for InvestorBenchPlugin {
    fn name(&self) -> &'static str {
        "investor-bench"
    }

    fn summary(&self) -> &'static str {
        "The scoring rule of the published tables: buy is long, sell is short, hold is flat, at the same day's price."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<InvestorBenchParams>()
    }

    fn build(&self, params: &Value, _context: ()) -> Result<Box<dyn Rules>, BuildError> {
        plugin::params::<InvestorBenchParams>(params)?;
        Ok(Box::new(InvestorBench))
    }
}
