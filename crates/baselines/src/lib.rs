//! Agents without a network: what every learned arm is compared with.
//!
//! Each is a plugin of the `agent` section in a file of its own; [`AGENTS`] lists them.

mod buy_and_hold;
mod flat;
mod macd;
mod mean_reversion;
mod momentum;
mod oracle;
mod random;
mod sma_crossover;

pub use buy_and_hold::{BuyAndHold, BuyAndHoldParams, BuyAndHoldPlugin};
pub use flat::{Flat, FlatParams, FlatPlugin};
pub use macd::{Macd, MacdParams, MacdPlugin};
pub use mean_reversion::{MeanReversion, MeanReversionParams, MeanReversionPlugin};
pub use momentum::{Momentum, MomentumParams, MomentumPlugin};
pub use oracle::{Oracle, OracleParams, OraclePlugin};
pub use random::{Random, RandomParams, RandomPlugin};
pub use sma_crossover::{SmaCrossover, SmaCrossoverParams, SmaCrossoverPlugin};

use plugin::Plugin;
use trading_env::{Action, AgentError, AgentKind, Decision, Observation};

/// The agents of this crate, in the order of listings.
pub static AGENTS: &[&'static dyn Plugin<AgentKind>] = &[
    &BuyAndHoldPlugin,
    &FlatPlugin,
    &RandomPlugin,
    &MomentumPlugin,
    &SmaCrossoverPlugin,
    &MeanReversionPlugin,
    &MacdPlugin,
    &OraclePlugin,
];

/// The wish where it is legal, else Hold.
fn if_legal(wish: Action, observation: &Observation<'_>) -> Action {
    if observation.mask.allows(wish) { wish } else { Action::Hold }
}

/// Buy where `value` is above `reference`, Sell where it is below.
fn toward(value: f64, reference: f64) -> Action {
    match value.partial_cmp(&reference) {
        Some(std::cmp::Ordering::Greater) => Action::Buy,
        Some(std::cmp::Ordering::Less) => Action::Sell,
        _ => Action::Hold,
    }
}

/// One decision per observation by a rule that looks at one at a time.
fn decide_each(
    observations: &[Observation<'_>],
    rule: impl FnMut(&Observation<'_>) -> Action,
) -> Result<Vec<Decision>, AgentError> {
    Ok(observations.iter().map(rule).map(Decision::from).collect())
}

#[cfg(test)]
mod tests;
