//! What the source of a plugin names, in one line: `use flaglab::prelude::*;`.
//!
//! Whatever else it needs is in the crates that this one re-exports: [`crate::market_data`], [`crate::trading_env`],
//! [`crate::plugin`], [`crate::chrono`], [`crate::rand`] and [`crate::serde_json`].

pub use crate::{Registry, contract};
pub use market_data::{Bar, BarSeries, Columns, DataSource, History, SeriesError, SourceKind};
pub use plugin::{BuildError, Content, Files, ParamError, Plugin, params, schema_of};
pub use serde_json::{Value, json};
pub use trading_env::{
    Account, Action, ActionMask, Agent, AgentContext, AgentError, AgentKind, Arena, Decision, Fill, Learner,
    Observation, RewardFn, RewardKind, Rules, RulesKind, RunLog, Training, Transition, rng,
};
