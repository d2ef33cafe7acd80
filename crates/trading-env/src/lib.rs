//! The trading environment: account, rules, rewards, episodes; and the traits of agents and backends.
//!
//! The environment owns the clock. It opens no files and knows no network.

mod account;
mod action;
mod agent;
mod env;
mod record;
mod reward;
mod rules;

pub use account::Account;
pub use action::{Action, ActionMask};
pub use agent::{
    Agent, AgentContext, AgentError, AgentKind, BackendKind, Compute, Decision, FreezeReceipt, GroupNorm, Learner,
    RunLog, TensorDigest, Training,
};
pub use env::{Arena, EnvBatch, EnvConfig, Observation, Step};
pub use record::{Role, SplitName, StepRecord, TimingRecord, UpdateRecord};
pub use reward::{RewardFn, RewardKind, Transition};
pub use rules::{Fill, Rules, RulesKind};
