//! The trading environment: account, rules, rewards, episodes; and the traits of agents and backends.
//!
//! The environment owns the clock. It opens no files and knows no network.

mod account;
mod action;
mod agent;
pub mod contract;
mod env;
mod record;
mod reward;
mod rng;
mod rules;
#[cfg(test)]
mod testing;
mod window;

pub use account::Account;
pub use action::{Action, ActionMask};
pub use agent::{
    Agent, AgentContext, AgentError, AgentKind, BackendKind, Compute, Decision, DeviceInfo, FreezeReceipt,
    GroupNorm, Learner, NoLog, PolicyEntropy, PromptCounts, RunLog, TensorDigest, Training,
};
pub use env::{Arena, EnvBatch, EnvBatchState, EnvConfig, Observation, Step};
pub use record::{Role, SplitName, StepRecord, TimingRecord, UpdateRecord};
pub use reward::{
    CvarPenalised, CvarPenalisedParams, CvarPenalisedPlugin, DifferentialSharpe, DifferentialSharpeParams,
    DifferentialSharpePlugin, Downside, DownsideParams, DownsidePlugin, DrawdownPenalised,
    DrawdownPenalisedParams, DrawdownPenalisedPlugin, LogReturn, LogReturnParams, LogReturnPlugin, Pnl,
    PnlParams, PnlPlugin, REWARDS, RewardFn, RewardKind, SharpeDelta, SharpeDeltaParams, SharpeDeltaPlugin,
    Transition,
};
pub use rng::rng;
pub use rules::{
    Fill, InvestorBench, InvestorBenchParams, InvestorBenchPlugin, Paper, PaperParams, PaperPlugin, RULES,
    Realistic, RealisticParams, RealisticPlugin, Rules, RulesKind,
};
