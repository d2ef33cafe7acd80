//! Checks every run that is to be done by building its device and its agent. Still nothing is written.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use experiment::canonical_json;
use market_data::{Segment, Splits};
use plugin::{BuildError, Kind, Plugin, SharedPool};
use serde_json::{Map, Value};
use store::RunState;
use trading_env::{
    Agent, AgentContext, AgentKind, Arena, BackendKind, Compute, DeviceInfo, RewardFn, RewardKind, Rules,
    RulesKind, SplitName,
};

use crate::memory;
use crate::plan::{Problems, find};
use crate::slots::Slots;
use crate::{Isolated, Launcher, LauncherKind, Local, Place, Plan, PlanError, PlannedRun};

/// Which runs of a plan to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// What is planned, interrupted or skipped, and what failed and has retries left (`run.max_retries`).
    Unfinished,
    /// The failed ones, as new attempts beside the old.
    Failed,
    /// All of them, as new attempts beside the old where there are any.
    All,
    /// These attempts (`<run-id>`, later ones `<run-id>.2`), as far as nobody works on them and they have no end.
    Attempts(HashSet<String>),
}

impl Selection {
    /// The attempt of a run to work on, if there is one.
    pub fn attempt(&self, run: &PlannedRun, max_retries: u32) -> Option<u32> {
        let (same, next) = (Some(run.attempt.max(1)), Some(run.attempt + 1));
        let unfinished = match &run.state {
            RunState::Planned | RunState::Interrupted | RunState::Skipped { .. } => same,
            RunState::Failed { .. } if run.attempt <= max_retries => next,
            RunState::Failed { .. } | RunState::Completed | RunState::Running { .. } => None,
        };
        match (self, &run.state) {
            (_, RunState::Running { .. }) => None,
            (Selection::Unfinished, _) => unfinished,
            (Selection::Failed, RunState::Failed { .. }) => next,
            (Selection::Failed, _) => None,
            (Selection::All, _) => next,
            (Selection::Attempts(names), _) => {
                let named = |number: &Option<u32>| {
                    number.is_some_and(|n| names.contains(&store::attempt_name(&run.id, n)))
                };
                let begun =
                    (!matches!(run.state, RunState::Completed | RunState::Failed { .. })).then_some(same);
                [begun.flatten(), next].into_iter().find(named).flatten()
            }
        }
    }
}

/// A plan whose runs can be executed.
pub struct Ready<'a> {
    /// The plan.
    pub plan: Plan<'a>,
    pub(crate) launcher: Box<dyn Launcher>,
    pub(crate) selected: Vec<Selected>,
    /// One per arm of the plan; `None` where no run of the arm was selected, or when all have ended.
    pub(crate) arms: Vec<Mutex<Option<Cast>>>,
}

/// A run to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Selected {
    /// Index into the plan's runs.
    pub run: usize,
    /// Its attempt to work on, from 1.
    pub attempt: u32,
}

/// What the runs of one arm use together.
#[derive(Clone)]
pub(crate) struct Cast {
    /// Adapter and driver.
    pub adapter: String,
    pub device: Option<DeviceInfo>,
    /// Where the device takes a few runs at a time only.
    pub slots: Option<Arc<Slots>>,
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
    /// Builds the devices, rules, rewards and agents of the selected runs but those in `done`, which were done already.
    /// Devices and agents of runs that other machines are going to carry out are built there.
    ///
    /// # Errors
    /// All problems together; missing cargo features only when there is no other problem.
    pub fn prepare(self, selection: &Selection, done: &HashSet<String>) -> Result<Ready<'a>, PlanError> {
        self.ready(selection, done, true)
    }

    /// The same for a look at what would be done: no device or agent is built, nothing can be executed.
    ///
    /// # Errors
    /// When the launcher's settings are wrong.
    pub fn look(self, selection: &Selection) -> Result<Ready<'a>, PlanError> {
        self.ready(selection, &HashSet::new(), false)
    }

    fn ready(
        self,
        selection: &Selection,
        done: &HashSet<String>,
        builds: bool,
    ) -> Result<Ready<'a>, PlanError> {
        let mut seen = HashSet::new();
        let max_retries = self.experiment.run.max_retries;
        let mut selected = Vec::new();
        for (i, run) in self.runs.iter().enumerate() {
            let Some(attempt) = selection.attempt(run, max_retries) else { continue };
            if !done.contains(&store::attempt_name(&run.id, attempt)) && seen.insert(&run.id) {
                selected.push(Selected { run: i, attempt });
            }
        }
        let mut builder = Builder {
            plan: &self,
            problems: Problems::of(self.experiment),
            missing: Vec::new(),
            devices: HashMap::new(),
            slots: HashMap::new(),
            arenas: HashMap::new(),
            shared: SharedPool::default(),
            cache_bytes: memory::cache_bytes(self.memory_mib),
            elsewhere: false,
        };
        let launcher = builder.launcher();
        if let Some(Err(error)) = launcher.as_ref().filter(|_| builds).map(|launcher| launcher.check()) {
            builder.problems.add(LauncherKind::SECTION, &error.to_string());
        }
        let place = launcher.as_ref().map_or(Place::Here, |launcher| launcher.place());
        builder.elsewhere = place == Place::OtherMachines;
        let mut left = vec![0; self.arms.len()];
        selected.iter().for_each(|s| left[self.runs[s.run].arm] += 1);
        let mut arms = Vec::new();
        for (i, left) in left.into_iter().enumerate() {
            let cast = if left > 0 && builds { builder.cast(i, left) } else { None };
            // Whoever carries out the runs builds them again: two of each would take twice the memory.
            arms.push(Mutex::new(cast.filter(|_| place == Place::Here)));
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
    /// By what the device says that it is: settings that lead to the same one share its slots.
    slots: HashMap<String, Arc<Slots>>,
    /// The first arena on each part of each split of the data: arms that differ elsewhere share its bars, or thousands
    /// of them would fill the memory with copies.
    arenas: HashMap<(*const Splits, Part), Arena>,
    shared: SharedPool,
    /// What agents may fill with what only saves time.
    cache_bytes: u64,
    /// Whether devices and agents are built on other machines only.
    elsewhere: bool,
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
        // Only a process has a memory of its own.
        let isolate = kind == Local.name() && self.plan.experiment.run.memory_limit_mib > 0;
        let kind = if isolate { Isolated.name() } else { kind };
        // One without parameters has no table.
        let params = section.get(kind).cloned().unwrap_or_else(|| Value::Object(Map::new()));
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

        if self.elsewhere {
            let _ = (rules?, reward?);
            return None;
        }
        let device = self
            .devices
            .entry(canonical_json(spec.section(BackendKind::SECTION)))
            .or_insert_with(|| {
                let plugin = find(&registry.backends, spec.kind(BackendKind::SECTION));
                plugin.and_then(|p| p.build(&spec.params(BackendKind::SECTION), ())).map(Arc::from)
            })
            .clone();
        let slots = device.as_ref().ok().and_then(|device| {
            let slots = Slots::new(device.slots()?);
            Some(self.slots.entry(device.describe()).or_insert_with(|| Arc::new(slots)).clone())
        });
        let (adapter, info, agent) = match device {
            Ok(device) => {
                let context = AgentContext {
                    files: self.plan.files,
                    compute: &*device,
                    shared: &self.shared,
                    cache_bytes: self.cache_bytes,
                };
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
            slots,
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
