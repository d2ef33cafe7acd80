//! Takes a stored run's policy to other data.

use std::path::Path;
use std::sync::Arc;

use experiment::RunSpec;
use market_data::Segment;
use plugin::{BuildError, Files, Kind, SharedPool};
use trading_env::{
    AgentContext, AgentError, AgentKind, Arena, BackendKind, Compute, EnvConfig, RewardFn, RewardKind, Rules,
    SplitName,
};

use crate::memory;
use crate::plan::find;
use crate::{Evaluation, Registry, evaluate};

/// Why a stored policy cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Something that the run's settings name cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The agent refuses.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The segment or the settings of the environment do not fit.
    #[error("{0}")]
    Arena(String),
}

/// Loads what the run of `spec` saved into `checkpoint` and steps it through `segment` under `rules`.
///
/// The observation is the run's own (its `env` section); the account starts with `initial_cash`.
///
/// # Errors
/// When the run's device or agent cannot be built, or the agent refuses its checkpoint.
pub fn evaluate_policy(
    registry: &Registry,
    files: &Files,
    spec: &RunSpec,
    checkpoint: &Path,
    segment: Segment,
    rules: Arc<dyn Rules>,
    initial_cash: f64,
) -> Result<Evaluation, PolicyError> {
    let device: Arc<dyn Compute> = find(&registry.backends, spec.kind(BackendKind::SECTION))?
        .build(&spec.params(BackendKind::SECTION), ())
        .map(Arc::from)?;
    let shared = SharedPool::default();
    let cache_bytes = memory::cache_bytes(None);
    let context = AgentContext { files, compute: &*device, shared: &shared, cache_bytes };
    let agent = find(&registry.agents, spec.kind(AgentKind::SECTION))?
        .build(&spec.params(AgentKind::SECTION), context)?;
    let reward: Arc<dyn RewardFn> = find(&registry.rewards, spec.kind(RewardKind::SECTION))?
        .build(&spec.params(RewardKind::SECTION), ())
        .map(Arc::from)?;
    let env = EnvConfig { initial_cash, ..plugin::params(spec.section("env"))? };
    let arena = Arena::new(segment, SplitName::Test, rules, reward, env).map_err(PolicyError::Arena)?;
    let mut learner = agent.load(spec.seed, checkpoint)?;
    let mut evaluations = evaluate(&mut *learner, &[&arena], || true)?;
    Ok(evaluations.pop().expect("invariant: one evaluation per arena"))
}
