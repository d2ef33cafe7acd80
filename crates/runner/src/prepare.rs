//! Checks every run that is to be done by building its device and its agent. Still nothing is written.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use experiment::canonical_json;
use market_data::{Segment, Splits};
use plugin::{BuildError, Kind, SharedPool};
use serde_json::Value;
use store::RunState;
use trading_env::{
    Agent, AgentContext, AgentKind, Arena, BackendKind, Compute, DeviceInfo, RewardFn, RewardKind, Rules,
    RulesKind, SplitName,
};

use crate::plan::{Problems, find};
use crate::{Launcher, LauncherKind, Plan, PlanError};

/// Which runs of a plan to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// What is planned, interrupted or skipped.
    Unfinished,
    /// The failed ones, as new attempts beside the old.
    Failed,
    /// All of them, as new attempts beside the old where there are any.
    All,
}

impl Selection {
    fn takes(self, state: &RunState) -> bool {
        match self {
            Selection::Unfinished => {
                matches!(state, RunState::Planned | RunState::Interrupted | RunState::Skipped { .. })
            }
            Selection::Failed => matches!(state, RunState::Failed { .. }),
            Selection::All => !matches!(state, RunState::Running { .. }),
        }
    }
}

/// A plan whose runs can be executed.
pub struct Ready<'a> {
    /// The plan.
    pub plan: Plan<'a>,
    pub(crate) launcher: Box<dyn Launcher>,
    /// Index into `plan.runs`, whether it is a new attempt.
    pub(crate) selected: Vec<(usize, bool)>,
    /// One per arm of the plan; `None` where no run of the arm was selected, or when all have ended.
    pub(crate) arms: Vec<Mutex<Option<Cast>>>,
}

/// What the runs of one arm use together.
#[derive(Clone)]
pub(crate) struct Cast {
    /// Adapter and driver.
    pub adapter: String,
    pub device: Option<DeviceInfo>,
    pub agent: Result<Arc<dyn Agent>, Skip>,
    pub train: Arena,
    /// Part of the training data on which the trained policy is scored.
    pub in_sample: Arena,
    pub valid: Option<Arena>,
    pub test: Arena,
    /// Runs that have not ended.
    pub left: usize,
}

/// Why an arm's runs are skipped on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Skip(pub String);

impl<'a> Plan<'a> {
    /// Builds the devices, rules, rewards and agents of the selected runs.
    ///
    /// # Errors
    /// All problems together; missing cargo features only when there is no other problem.
    pub fn prepare(self, selection: Selection) -> Result<Ready<'a>, PlanError> {
        let mut seen = HashSet::new();
        let selected: Vec<(usize, bool)> = (self.runs.iter().enumerate())
            .filter(|(_, run)| selection.takes(&run.state) && seen.insert(&run.id))
            .map(|(i, run)| (i, selection != Selection::Unfinished && run.state != RunState::Planned))
            .collect();
        let mut builder = Builder {
            plan: &self,
            problems: Problems::of(self.experiment),
            missing: Vec::new(),
            devices: HashMap::new(),
            arenas: HashMap::new(),
            shared: SharedPool::default(),
        };
        let launcher = builder.launcher();
        let mut left = vec![0; self.arms.len()];
        selected.iter().for_each(|(run, _)| left[self.runs[*run].arm] += 1);
        let mut arms = Vec::new();
        for (i, left) in left.into_iter().enumerate() {
            arms.push(Mutex::new(if left > 0 { builder.cast(i, left) } else { None }));
        }
        let Builder { problems, missing, .. } = builder;
        problems.finish()?;
        match launcher {
            Some(launcher) if missing.is_empty() => Ok(Ready { plan: self, launcher, selected, arms }),
            _ => Err(PlanError::MissingFeatures(missing)),
        }
    }
}

/// Builds what runs need, collecting what is wrong.
struct Builder<'p> {
    plan: &'p Plan<'p>,
    problems: Problems,
    missing: Vec<&'static str>,
    devices: HashMap<String, Result<Arc<dyn Compute>, BuildError>>,
    /// The first arena on each part of each split of the data: arms that differ elsewhere share its bars, or thousands
    /// of them would fill the memory with copies.
    arenas: HashMap<(*const Splits, Part), Arena>,
    shared: SharedPool,
}

/// What a run steps through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Train,
    InSample,
    Valid,
    Test,
}

impl Part {
    fn split(self) -> SplitName {
        match self {
            Part::Train | Part::InSample => SplitName::Train,
            Part::Valid => SplitName::Valid,
            Part::Test => SplitName::Test,
        }
    }
}

impl Builder<'_> {
    fn launcher(&mut self) -> Option<Box<dyn Launcher>> {
        let section = &self.plan.experiment.launcher;
        let kind = section.get("kind").and_then(Value::as_str).unwrap_or_default();
        let mut params = section.clone();
        if let Some(params) = params.as_object_mut() {
            params.remove("kind");
        }
        let launcher = find(&self.plan.registry.launchers, kind).and_then(|p| p.build(&params, ()));
        self.problems.take(LauncherKind::SECTION, launcher)
    }

    fn cast(&mut self, i: usize, left: usize) -> Option<Cast> {
        let arm = &self.plan.arms[i];
        let registry = self.plan.registry;
        self.problems.arm(&arm.name);
        let spec = self.plan.spec(i);
        let rules = find(&registry.rules, spec.kind(RulesKind::SECTION))
            .and_then(|p| p.build(&spec.params(RulesKind::SECTION), ()));
        let rules: Option<Arc<dyn Rules>> = self.problems.take(RulesKind::SECTION, rules).map(Arc::from);
        let reward = find(&registry.rewards, spec.kind(RewardKind::SECTION))
            .and_then(|p| p.build(&spec.params(RewardKind::SECTION), ()));
        let reward: Option<Arc<dyn RewardFn>> =
            self.problems.take(RewardKind::SECTION, reward).map(Arc::from);

        let device = self
            .devices
            .entry(canonical_json(spec.section(BackendKind::SECTION)))
            .or_insert_with(|| {
                let plugin = find(&registry.backends, spec.kind(BackendKind::SECTION));
                plugin.and_then(|p| p.build(&spec.params(BackendKind::SECTION), ())).map(Arc::from)
            })
            .clone();
        let (adapter, info, agent) = match device {
            Ok(device) => {
                let context =
                    AgentContext { files: self.plan.files, compute: &*device, shared: &self.shared };
                let plugin = find(&registry.agents, spec.kind(AgentKind::SECTION));
                let agent =
                    plugin.and_then(|p| p.build(&spec.params(AgentKind::SECTION), context)).map(Arc::from);
                (device.describe(), device.device_info(), self.or_skip(AgentKind::SECTION, agent)?)
            }
            Err(error) => (String::new(), None, self.or_skip(BackendKind::SECTION, Err(error))?),
        };

        let (rules, reward) = (rules?, reward?);
        let mut arena = |part: Part, segment: &Segment| {
            let (rules, reward, env) = (rules.clone(), reward.clone(), arm.env.clone());
            let split = part.split();
            let arena = match self.arenas.entry((Arc::as_ptr(&arm.splits), part)) {
                Entry::Occupied(first) => first.get().under(rules, reward, env),
                Entry::Vacant(none) => Arena::new(segment.clone(), split, rules, reward, env)
                    .map(|arena| none.insert(arena).clone()),
            };
            self.problems.take("split", arena.map_err(|e| format!("{}: {e}", split.word())))
        };
        let train = arena(Part::Train, &arm.splits.train);
        let in_sample = arena(Part::InSample, &arm.in_sample());
        let valid = arm.splits.valid.as_ref().map(|segment| arena(Part::Valid, segment));
        let test = arena(Part::Test, &arm.splits.test);
        let valid = match valid {
            Some(valid) => Some(valid?),
            None => None,
        };
        Some(Cast {
            adapter,
            device: info,
            agent,
            train: train?,
            in_sample: in_sample?,
            valid,
            test: test?,
            left,
        })
    }

    /// `None` when the input is wrong or a cargo feature is missing; what the machine lacks makes the runs skipped.
    fn or_skip(
        &mut self,
        section: &str,
        agent: Result<Arc<dyn Agent>, BuildError>,
    ) -> Option<Result<Arc<dyn Agent>, Skip>> {
        match agent {
            Ok(agent) => Some(Ok(agent)),
            Err(BuildError::Unavailable(reason)) => Some(Err(Skip(format!("{section}: {reason}")))),
            Err(BuildError::MissingFeature { feature }) => {
                if !self.missing.contains(&feature) {
                    self.missing.push(feature);
                }
                None
            }
            Err(error @ BuildError::Invalid(_)) => {
                self.problems.add(section, &error.to_string());
                None
            }
        }
    }
}
