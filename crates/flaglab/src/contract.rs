//! The promises that plugins keep, as suites that tests call in one line:
//!
//! ```no_run
//! # use flaglab::prelude::*;
//! # fn test(mine: &dyn Plugin<RewardKind>) {
//! flaglab::contract::reward(mine);
//! # }
//! ```
//!
//! A suite panics with the promise that is broken. Settings that have no default are handed to the variant that ends in
//! `_with`. Relative paths of settings start from the current folder, which is that of the crate in a test, and then from
//! `FLAGLAB_DATA`. Built-in plugins pass through the same suites.

use market_data::SourceKind;
use plugin::{Files, Plugin, SharedPool};
use serde_json::{Value, json};
use trading_env::{AgentContext, AgentKind, BackendKind, RewardKind, RulesKind};

/// Bars of the markets on which an agent is looked at.
const BARS: usize = 60;

/// [`trading_env::contract::reward`] with the default settings.
pub fn reward(plugin: &dyn Plugin<RewardKind>) {
    reward_with(plugin, &json!({}));
}

/// [`trading_env::contract::reward`].
pub fn reward_with(plugin: &dyn Plugin<RewardKind>, given: &Value) {
    trading_env::contract::reward(plugin, given);
}

/// [`trading_env::contract::rules`] with the default settings.
pub fn rules(plugin: &dyn Plugin<RulesKind>) {
    rules_with(plugin, &json!({}));
}

/// [`trading_env::contract::rules`].
pub fn rules_with(plugin: &dyn Plugin<RulesKind>, given: &Value) {
    trading_env::contract::rules(plugin, given);
}

/// [`market_data::contract::source`] with the default settings.
pub fn source(plugin: &dyn Plugin<SourceKind>) {
    source_with(plugin, &json!({}));
}

/// [`market_data::contract::source`].
pub fn source_with(plugin: &dyn Plugin<SourceKind>, given: &Value) {
    market_data::contract::source(plugin, given, &files());
}

/// [`trading_env::contract::agent`] with the default settings, on the default backend.
pub fn agent(plugin: &dyn Plugin<AgentKind>) {
    agent_with(plugin, &json!({}));
}

/// [`trading_env::contract::agent`] on the default backend.
///
/// Training takes place five times: hand over few steps.
pub fn agent_with(plugin: &dyn Plugin<AgentKind>, given: &Value) {
    let compute = agents::BACKENDS[0].build(&json!({}), ()).expect("invariant: the default backend is there");
    let (files, shared) = (files(), SharedPool::default());
    let context = AgentContext { files: &files, compute: &*compute, shared: &shared, cache_bytes: 64 << 20 };
    trading_env::contract::agent(plugin, given, context, BARS);
}

/// [`trading_env::contract::backend`] with the default settings.
pub fn backend(plugin: &dyn Plugin<BackendKind>) {
    trading_env::contract::backend(plugin, &json!({}));
}

fn files() -> Files {
    let root = std::env::current_dir().unwrap_or_default();
    let data = std::env::var_os("FLAGLAB_DATA").filter(|data| !data.is_empty()).map(Into::into);
    Files { root, data, ..Files::default() }
}
