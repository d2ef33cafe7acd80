//! `realistic`: fills at the next open, with fee, slippage and, if asked for, whole shares.

use market_data::Bar;
use plugin::{BuildError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Fill, Rules, RulesKind};
use crate::{Account, Action, ActionMask};

/// Parameters of the `realistic` rules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RealisticParams {
    /// Fee in basis points of the traded value.
    #[schemars(range(min = 0.0, max = 10000.0))]
    pub fee_bps: f64,
    /// Slippage in basis points: a buy fills that much above the open, a sell that much below.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 10000.0))]
    pub slippage_bps: f64,
    /// Whether only whole shares are bought; the rest stays cash.
    pub whole_shares: bool,
}

/// A long-only account that decides at a close and fills at the next bar's open `O` (its close where there is no open).
///
/// With `f = fee_bps / 10000` and `s = slippage_bps / 10000`:
///
/// - Buy: a share costs `u = O (1 + s) (1 + f)`; `cash / u` shares are bought, or `floor(cash / u)` of them;
/// - Sell: all shares, for `O (1 - s) (1 - f)` each.
///
/// Cash never falls below 0, so there is no position on credit. The account is marked at closes, and its equity
/// changes by exactly `shares before * (O - P[t]) + shares after * (P[t+1] - O) - cost`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Realistic {
    fee: f64,
    slippage: f64,
    whole_shares: bool,
}

impl Realistic {
    /// # Errors
    /// When a rate is negative, the fee above 10000 basis points or the slippage 10000 and more.
    pub fn new(params: RealisticParams) -> Result<Self, BuildError> {
        let RealisticParams { fee_bps, slippage_bps, whole_shares } = params;
        if !(0.0..=10_000.0).contains(&fee_bps) {
            let message = format!("rules.fee_bps: expected a number from 0 to 10000, found {fee_bps}");
            return Err(BuildError::Invalid(message));
        }
        if !(0.0..10_000.0).contains(&slippage_bps) {
            let message =
                format!("rules.slippage_bps: expected a number from 0 to below 10000, found {slippage_bps}");
            return Err(BuildError::Invalid(message));
        }
        Ok(Self { fee: fee_bps / 10_000.0, slippage: slippage_bps / 10_000.0, whole_shares })
    }

    /// What one share costs at `price`, slippage and fee included.
    fn unit_cost(&self, price: f64) -> f64 {
        price * (1.0 + self.slippage) * (1.0 + self.fee)
    }
}

impl Rules for Realistic {
    fn name(&self) -> &'static str {
        "realistic"
    }

    /// Whole shares: Buy is legal when the cash pays for one share at the last close. The open that it fills at is not
    /// known yet, so such an order can still come to nothing.
    fn mask(&self, account: &Account) -> ActionMask {
        let can_buy = if self.whole_shares {
            account.cash >= self.unit_cost(account.price)
        } else {
            account.cash > 0.0
        };
        ActionMask([account.shares > 0.0, true, can_buy])
    }

    fn advance(&self, account: &mut Account, action: Action, _now: &Bar, next: &Bar) -> Fill {
        let open = next.open.unwrap_or(next.close);
        account.price = next.close;
        match action {
            Action::Buy if account.cash > 0.0 => {
                let unit_cost = self.unit_cost(open);
                let affordable = account.cash / unit_cost;
                let bought = if self.whole_shares { affordable.floor() } else { affordable };
                // All cash goes: the difference would be its rounding. Whole shares: `floor` of a quotient that was
                // rounded up to an integer can cost an ulp more than there is.
                account.cash =
                    if self.whole_shares { (account.cash - bought * unit_cost).max(0.0) } else { 0.0 };
                account.shares += bought;
                Fill { traded: bought * open * (1.0 + self.slippage), cost: bought * (unit_cost - open) }
            }
            Action::Sell if account.shares > 0.0 => {
                let sold = account.shares;
                let fill_price = open * (1.0 - self.slippage);
                let unit_proceeds = fill_price * (1.0 - self.fee);
                account.cash += sold * unit_proceeds;
                account.shares = 0.0;
                Fill { traded: sold * fill_price, cost: sold * (open - unit_proceeds) }
            }
            _ => Fill::default(),
        }
    }
}

/// Plugin of [`Realistic`].
pub struct RealisticPlugin;

impl Plugin<RulesKind> for RealisticPlugin {
    fn name(&self) -> &'static str {
        "realistic"
    }

    fn summary(&self) -> &'static str {
        "Long only; orders fill at the next open with proportional fee and slippage, in whole or fractional shares."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<RealisticParams>()
    }

    fn build(&self, params: &Value, _context: ()) -> Result<Box<dyn Rules>, BuildError> {
        Ok(Box::new(Realistic::new(plugin::params(params)?)?))
    }
}
