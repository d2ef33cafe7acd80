//! Which runs an experiment has: data, splits, identities and states. Cheap: no device, no agent, nothing written.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use experiment::{Arm, Experiment, LockedModel, RunSpec, canonical_json};
use market_data::{BarSeries, Periods, Segment, Shuffle, SourceKind, SplitSpec, Splits};
use plugin::{BuildError, Catalog, Content, Files, Imported, Kind, Pins};
use serde_json::Value;
use store::{DataInfo, ExperimentStore, Listing, RunState, StoreError};
use trading_env::{AgentKind, BackendKind, EnvConfig, RewardKind, Role, RulesKind};

use crate::Registry;

/// Version of the run contract: raised when equal settings may give other results than before, so that runs of
/// earlier versions are not taken for finished.
pub const CONTRACT: u32 = 3;

/// Why an experiment cannot run. Nothing was written.
#[derive(Debug)]
pub enum PlanError {
    /// The input is wrong: all problems, each naming file, key or line, what was found and what is accepted.
    Problems(Vec<String>),
    /// The experiment needs cargo features that this binary was built without.
    MissingFeatures(Vec<&'static str>),
    /// The run folders cannot be read or written.
    Store(StoreError),
}

impl From<StoreError> for PlanError {
    fn from(error: StoreError) -> Self {
        PlanError::Store(error)
    }
}

/// An arm with everything that its runs are made of besides devices and agents.
#[derive(Debug, Clone)]
pub struct PlannedArm {
    /// Index into [`Experiment::all`].
    pub index: usize,
    /// Name.
    pub name: String,
    /// Subject, baseline or control.
    pub role: Role,
    /// Hash of the resolved spec without its seed, and where the arm is a window, as it was before it was unfolded.
    pub key: String,
    /// The data.
    pub data: DataInfo,
    /// Periods per year of the data.
    pub periods: Periods,
    /// Parts of the data, in their own order.
    pub splits: Arc<Splits>,
    /// What each run of the arm puts into random order in them.
    pub shuffle: Option<Shuffle>,
    /// Settings of the environment.
    pub env: EnvConfig,
    /// Digests of files that entered the identity, besides the data, as `<section>.<name>`.
    pub content: Vec<(String, String)>,
    /// Commit of each model repository among them.
    pub pins: Pins,
    /// The file that its model was imported from.
    pub imported: Option<Imported>,
}

impl PlannedArm {
    /// The part of the training data on which the trained policy is scored beside the test: its last bars, as many
    /// as the test has, so that the two scores are of equally long records and the longer part costs no more.
    pub fn in_sample(&self) -> Segment {
        self.in_sample_of(&self.splits.train)
    }

    /// The same part of `train`, the training data or them in another order.
    pub(crate) fn in_sample_of(&self, train: &Segment) -> Segment {
        let bars = train.n_bars().min(self.splits.test.n_bars());
        Segment { series: train.series.clone(), first: train.series.len() - bars }
    }
}

/// One run of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRun {
    /// Identity within the experiment.
    pub id: String,
    /// Index into [`Plan::arms`].
    pub arm: usize,
    /// Seed.
    pub seed: u64,
    /// State of its latest attempt when it was last looked at.
    pub state: RunState,
    /// That attempt, from 1; 0 before the first.
    pub attempt: u32,
    /// Time of the last stretch of work on it, where that completed it.
    pub took: Option<Duration>,
}

/// An experiment with its data loaded and its runs identified.
pub struct Plan<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) files: &'a Files,
    /// The experiment.
    pub experiment: &'a Experiment,
    /// Where its runs are stored.
    pub store: ExperimentStore,
    /// Arms, then baselines, then controls, in the order of the experiment.
    pub arms: Vec<PlannedArm>,
    /// Runs: the seeds of an arm stand together. Arms that resolve to the same settings have runs of the same id,
    /// which are done once.
    pub runs: Vec<PlannedRun>,
    /// Model repositories that the arms read, by the name that the settings give them: what a lock holds.
    pub models: BTreeMap<String, LockedModel>,
    /// Mebibytes that this process may take; absent: as many as there are.
    pub memory_mib: Option<u64>,
}

impl<'a> Plan<'a> {
    /// Loads each distinct data set once, cuts it, and identifies every run.
    ///
    /// # Errors
    /// All problems together.
    pub fn new(
        registry: &'a Registry,
        experiment: &'a Experiment,
        files: &'a Files,
        store: ExperimentStore,
    ) -> Result<Self, PlanError> {
        let mut problems = Problems::of(experiment);
        let mut data: HashMap<String, Result<Loaded, String>> = HashMap::new();
        let mut contents: HashMap<String, Result<Content, String>> = HashMap::new();
        let mut cuts: HashMap<String, Result<Arc<Splits>, BuildError>> = HashMap::new();
        let mut arms = Vec::new();
        let mut models: BTreeMap<String, LockedModel> = BTreeMap::new();
        for (index, arm) in experiment.all().enumerate() {
            let spec = arm.run(0);
            problems.arm(&arm.name);
            let source = spec.section(SourceKind::SECTION);
            let loaded = data
                .entry(canonical_json(source))
                .or_insert_with(|| load(registry, files, source, &spec.params(SourceKind::SECTION)));
            let mut content = Vec::new();
            let mut pins = Pins::new();
            let mut imported = None;
            for section in [RulesKind::SECTION, RewardKind::SECTION, AgentKind::SECTION, BackendKind::SECTION]
            {
                let key = format!("{section} {}", canonical_json(spec.section(section)));
                let found = contents.entry(key).or_insert_with(|| {
                    let found = registry.content(section, spec.kind(section), &spec.params(section), files);
                    found.map_err(|e| e.to_string())
                });
                match found {
                    Ok(Content { files, pin, imported: of }) => {
                        imported = imported.or_else(|| of.clone());
                        content.extend(files.iter().map(|(n, d)| (format!("{section}.{n}"), d.clone())));
                        if let Some(pin) = pin {
                            pins.insert(pin.name.clone(), pin.commit.clone());
                            let model = models.entry(pin.name.clone()).or_insert_with(|| LockedModel {
                                commit: pin.commit.clone(),
                                files: BTreeMap::new(),
                            });
                            model.files.extend(files.iter().cloned());
                        }
                    }
                    Err(text) => problems.add(section, text),
                }
            }
            let loaded = problems.take(SourceKind::SECTION, loaded.as_ref());
            let split = read::<SplitSpec>(spec.section("split"), "split", &mut problems);
            let env = read::<EnvConfig>(spec.section("env"), "env", &mut problems);
            let (Some(loaded), Some(split), Some(env)) = (loaded, split, env) else { continue };
            let shuffle = split.shuffle;
            let key = format!("{} {}", canonical_json(source), canonical_json(spec.section("split")));
            let cut = cuts.entry(key).or_insert_with(|| split.apply(&loaded.series).map(Arc::new));
            let Some(splits) = problems.take("split", cut.clone()) else { continue };
            let mut identity = content.clone();
            identity.push((SourceKind::SECTION.to_owned(), loaded.info.fingerprint.clone()));
            arms.push(PlannedArm {
                index,
                name: arm.name.clone(),
                role: match arm.role {
                    experiment::Role::Arm => Role::Arm,
                    experiment::Role::Baseline => Role::Baseline,
                    experiment::Role::Control => Role::Control,
                },
                key: arm.trial_key(CONTRACT, &identity),
                data: loaded.info.clone(),
                periods: loaded.series.periods(),
                splits,
                shuffle,
                env,
                content,
                pins,
                imported,
            });
        }
        problems.finish()?;
        let store = store.with_lease(Duration::from_secs(experiment.run.lease_s.into()));
        let runs = runs(experiment, &arms, &store)?;
        Ok(Plan { registry, files, experiment, store, arms, runs, models, memory_mib: None })
    }

    /// The run's arm.
    pub fn arm_of(&self, run: &PlannedRun) -> &PlannedArm {
        &self.arms[run.arm]
    }

    /// Looks at the states of all runs again.
    ///
    /// # Errors
    /// When the folder of runs cannot be read.
    pub fn refresh(&mut self) -> Result<(), StoreError> {
        let listing = self.store.list()?;
        for run in &mut self.runs {
            (run.state, run.attempt, run.took) = now(&listing, &run.id)?;
        }
        Ok(())
    }

    /// Resolved settings of an arm, by its index in [`Plan::arms`], with seed 0.
    pub(crate) fn spec(&self, arm: usize) -> RunSpec {
        self.resolved(arm).run(0)
    }

    /// The arm as the experiment resolved it.
    pub(crate) fn resolved(&self, arm: usize) -> &Arm {
        let index = self.arms[arm].index;
        self.experiment.all().nth(index).expect("invariant: arms are counted over the same list")
    }
}

fn runs(
    experiment: &Experiment,
    arms: &[PlannedArm],
    store: &ExperimentStore,
) -> Result<Vec<PlannedRun>, StoreError> {
    let specs: Vec<_> = experiment.all().collect();
    let listing = store.list()?;
    let mut runs = Vec::new();
    for (i, arm) in arms.iter().enumerate() {
        let mut identity = arm.content.clone();
        identity.push((SourceKind::SECTION.to_owned(), arm.data.fingerprint.clone()));
        for &seed in &experiment.seeds {
            let id = specs[arm.index].run_id(seed, CONTRACT, &identity);
            let (state, attempt, took) = now(&listing, &id)?;
            runs.push(PlannedRun { id, arm: i, seed, state, attempt, took });
        }
    }
    Ok(runs)
}

/// State and number of a run's latest attempt, and the time it took.
fn now(listing: &Listing, id: &str) -> Result<(RunState, u32, Option<Duration>), StoreError> {
    let latest = listing.latest(id)?;
    Ok(latest.map_or((RunState::Planned, 0, None), |latest| (latest.state, latest.number, latest.took)))
}

/// A data set.
pub(crate) struct Loaded {
    pub series: BarSeries,
    pub info: DataInfo,
}

/// Loads what a resolved data section names.
pub(crate) fn load(
    registry: &Registry,
    files: &Files,
    section: &Value,
    params: &Value,
) -> Result<Loaded, String> {
    let kind = section.get("kind").and_then(Value::as_str).unwrap_or_default();
    let source =
        find(&registry.sources, kind).and_then(|p| p.build(params, files)).map_err(|e| e.to_string())?;
    let series = source.load().map_err(|e| e.to_string())?;
    let info = DataInfo {
        symbol: series.symbol().to_owned(),
        fingerprint: series.fingerprint(),
        bars: series.len(),
        source: kind.to_owned(),
    };
    Ok(Loaded { series, info })
}

/// A fixed section as its struct. The experiment was checked against the same schema and by [`SplitSpec::check`], so
/// this fails only on what they cannot say.
fn read<T: serde::de::DeserializeOwned>(section: &Value, name: &str, problems: &mut Problems) -> Option<T> {
    problems.take(name, plugin::params(section))
}

/// The plugin of that name.
pub(crate) fn find<K: Kind>(
    catalog: &Catalog<K>,
    name: &str,
) -> Result<&'static dyn plugin::Plugin<K>, BuildError> {
    catalog.get(name).ok_or_else(|| BuildError::Invalid(format!("unknown {} \"{name}\"", K::SECTION)))
}

impl Registry {
    fn content(
        &self,
        section: &str,
        kind: &str,
        params: &Value,
        files: &Files,
    ) -> Result<Content, BuildError> {
        match section {
            RulesKind::SECTION => find(&self.rules, kind)?.content(params, files),
            RewardKind::SECTION => find(&self.rewards, kind)?.content(params, files),
            AgentKind::SECTION => find(&self.agents, kind)?.content(params, files),
            _ => find(&self.backends, kind)?.content(params, files),
        }
    }
}

/// Problems of arms, each told once with the arms that have it.
pub(crate) struct Problems {
    file: String,
    all_arms: usize,
    current: String,
    found: Vec<(String, Vec<String>)>,
}

impl Problems {
    pub fn of(experiment: &Experiment) -> Self {
        Problems {
            file: experiment.path.display().to_string(),
            all_arms: experiment.all().count(),
            current: String::new(),
            found: Vec::new(),
        }
    }

    /// The problems that follow are of this arm.
    pub fn arm(&mut self, name: &str) {
        name.clone_into(&mut self.current);
    }

    /// The current arm has this problem; a text that begins with a key of the section stands for itself.
    pub fn add(&mut self, section: &str, text: &str) {
        let has_key = text.strip_prefix(section).is_some_and(|rest| rest.starts_with(['.', ':']));
        let text = if has_key { text.to_owned() } else { format!("{section}: {text}") };
        match self.found.iter_mut().find(|(t, _)| *t == text) {
            Some((_, arms)) if arms.contains(&self.current) => {}
            Some((_, arms)) => arms.push(self.current.clone()),
            None => self.found.push((text, vec![self.current.clone()])),
        }
    }

    /// The value, or `None` with the problem added.
    pub fn take<T, E: ToString>(&mut self, section: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|e| self.add(section, &e.to_string())).ok()
    }

    pub fn finish(self) -> Result<(), PlanError> {
        if self.found.is_empty() {
            return Ok(());
        }
        let (file, all) = (self.file, self.all_arms);
        let texts = self.found.into_iter().map(|(text, arms)| match arms.as_slice() {
            arms if arms.len() == all => format!("{file}: {text}"),
            // The launcher's, which is no arm's.
            [arm] if arm.is_empty() => format!("{file}: {text}"),
            [arm] => format!("{file}: arm {arm}: {text}"),
            [arm, rest @ ..] => format!("{file}: arm {arm} and {} more: {text}", rest.len()),
            [] => text,
        });
        Err(PlanError::Problems(texts.collect()))
    }
}
