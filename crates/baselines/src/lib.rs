//! Agents without a network: what every learned arm is compared with.
//!
//! Each is a plugin of the `agent` section in a file of its own; [`AGENTS`] lists them.

mod buy_and_hold;
mod flat;
mod momentum;
mod random;

pub use buy_and_hold::{BuyAndHold, BuyAndHoldParams, BuyAndHoldPlugin};
pub use flat::{Flat, FlatParams, FlatPlugin};
pub use momentum::{Momentum, MomentumParams, MomentumPlugin};
pub use random::{Random, RandomParams, RandomPlugin};

use plugin::Plugin;
use trading_env::{Action, AgentError, AgentKind, Decision, Observation};

/// The agents of this crate, in the order of listings.
pub static AGENTS: &[&'static dyn Plugin<AgentKind>] =
    &[&BuyAndHoldPlugin, &FlatPlugin, &RandomPlugin, &MomentumPlugin];

/// The wish where it is legal, else Hold.
fn if_legal(wish: Action, observation: &Observation<'_>) -> Action {
    if observation.mask.allows(wish) { wish } else { Action::Hold }
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
