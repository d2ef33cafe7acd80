//! `paper`: the MDP of the FLAG-Trader paper.

use market_data::Bar;
use plugin::{BuildError, Plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Fill, Rules, RulesKind};
use crate::{Account, Action, ActionMask};

/// Buy spends all cash, Sell liquidates, Hold keeps; orders fill at the next price, in fractional shares, without cost.
///
/// With price `P`, cash `C` and shares `H` at the close of bar `t`:
///
/// - Buy: `H' = H + C / P[t+1]`, `C' = 0`;
/// - Sell: `C' = C + H * P[t+1]`, `H' = 0`.
///
/// So a Sell still carries the return from `t` to `t+1`, and a Buy earns from `t+1` on. Source: Xiong et al. 2025
/// (arXiv 2502.11433), section 3. Buy is legal with cash only and Sell with shares only.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Paper;

impl Rules for Paper {
    fn name(&self) -> &'static str {
        "paper"
    }

    fn mask(&self, account: &Account) -> ActionMask {
        ActionMask([account.shares > 0.0, true, account.cash > 0.0])
    }

    fn advance(&self, account: &mut Account, action: Action, _now: &Bar, next: &Bar) -> Fill {
        account.price = next.close;
        let mut traded = 0.0;
        match action {
            Action::Buy if account.cash > 0.0 => {
                traded = account.cash;
                account.shares += account.cash / next.close;
                account.cash = 0.0;
            }
            Action::Sell if account.shares > 0.0 => {
                traded = account.shares * next.close;
                account.cash += traded;
                account.shares = 0.0;
            }
            _ => {}
        }
        Fill { traded, cost: 0.0 }
    }
}

/// `rules = "paper"` has no parameters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PaperParams {}

/// Plugin of [`Paper`].
pub struct PaperPlugin;

impl Plugin<RulesKind> for PaperPlugin {
    fn name(&self) -> &'static str {
        "paper"
    }

    fn summary(&self) -> &'static str {
        "The MDP of the paper: buy spends all cash and sell liquidates at the next price, hold keeps, no cost."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<PaperParams>()
    }

    fn build(&self, params: &Value, _context: ()) -> Result<Box<dyn Rules>, BuildError> {
        plugin::params::<PaperParams>(params)?;
        Ok(Box::new(Paper))
    }
}
