//! One experiment's folder: which runs and attempts there are, their states, and claims on them.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use trading_env::{SplitName, StepRecord, TimingRecord, UpdateRecord};

use crate::lease::{self, Holder, Live};
use crate::manifest::Brief;
use crate::run::RunWriter;
use crate::{
    Listing, Manifest, ManifestStart, Process, StateWord, StoreError, SummaryRow, Trial, ledger,
    parquet_file, summary,
};

/// `runs/<experiment>`.
#[derive(Debug, Clone)]
pub struct ExperimentStore {
    dir: PathBuf,
    lasts: Duration,
}

/// How long a lease lasts without a sign of life where nothing else is said.
const LASTS: Duration = Duration::from_secs(60);

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// Never started.
    Planned,
    /// Somebody works on it.
    Running {
        /// Name of the host.
        host: String,
        /// Process id there.
        pid: u32,
    },
    /// Started, not finished, and nobody works on it.
    Interrupted,
    /// Finished with metrics.
    Completed,
    /// Stopped with a reason.
    Failed {
        /// Why.
        reason: String,
        /// Update or step, where known.
        step: Option<u64>,
    },
    /// Not run: the machine lacks something that it needs.
    Skipped {
        /// What is lacking.
        reason: String,
    },
}

impl RunState {
    /// One lower-case word, as in `summary.parquet`.
    pub fn word(&self) -> &'static str {
        match self {
            RunState::Planned => "planned",
            RunState::Running { .. } => "running",
            RunState::Interrupted => "interrupted",
            RunState::Completed => "completed",
            RunState::Failed { .. } => "failed",
            RunState::Skipped { .. } => "skipped",
        }
    }
}

/// One attempt of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// Its folder.
    pub dir: PathBuf,
    /// Its state.
    pub state: RunState,
    /// Time of the last stretch of work on it, where that completed it.
    pub took: Option<Duration>,
}

/// One run as reports see it: its latest completed attempt, else its latest.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRun {
    /// The attempt's folder.
    pub dir: PathBuf,
    /// The attempt's state.
    pub state: RunState,
    /// The attempt's manifest.
    pub manifest: Manifest,
}

impl ExperimentStore {
    /// The store of `experiment` below `runs_root`. Touches nothing.
    pub fn open(runs_root: &Path, experiment: &str) -> Self {
        Self { dir: runs_root.join(experiment), lasts: LASTS }
    }

    /// The same store, whose runs other machines may take over after this long without a sign of life.
    #[must_use]
    pub fn with_lease(self, lasts: Duration) -> Self {
        Self { lasts, ..self }
    }

    pub(crate) fn lasts(&self) -> Duration {
        self.lasts
    }

    /// The experiments that have runs or a ledger below `runs_root`, by name.
    pub fn all(runs_root: &Path) -> Result<Vec<Self>, StoreError> {
        let mut found = Vec::new();
        for dir in subfolders(runs_root)? {
            let store = Self { dir, lasts: LASTS };
            if ledger::is_there(&store.dir) || !store.folders()?.is_empty() {
                found.push(store);
            }
        }
        found.sort_by(|a, b| a.dir.cmp(&b.dir));
        Ok(found)
    }

    /// `runs/<experiment>`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Name of the experiment.
    pub fn name(&self) -> String {
        self.dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Which attempts there are now: to look at many runs, or claim them.
    pub fn list(&self) -> Result<Listing, StoreError> {
        Listing::new(self.clone())
    }

    /// State of a run's latest attempt.
    pub fn state(&self, run_id: &str) -> Result<RunState, StoreError> {
        self.list()?.state(run_id)
    }

    /// All attempts of a run, oldest first.
    pub fn attempts(&self, run_id: &str) -> Result<Vec<Attempt>, StoreError> {
        self.list()?.attempts(run_id)
    }

    /// [`Listing::claim`] of the latest attempt, with `fresh` of the one after it, on a listing of now.
    pub fn claim(
        &self,
        run_id: &str,
        fresh: bool,
        start: &ManifestStart,
        spec_toml: &str,
    ) -> Result<Option<RunWriter>, StoreError> {
        let listing = self.list()?;
        listing.claim(run_id, listing.attempt_for(run_id, fresh)?, start, spec_toml)
    }

    /// [`Listing::skip`] likewise.
    pub fn skip(
        &self,
        run_id: &str,
        fresh: bool,
        start: &ManifestStart,
        spec_toml: &str,
        reason: &str,
    ) -> Result<bool, StoreError> {
        let listing = self.list()?;
        listing.skip(run_id, listing.attempt_for(run_id, fresh)?, start, spec_toml, reason)
    }

    /// State of one attempt of a run, `Planned` where it was never begun.
    pub fn attempt_state(&self, run_id: &str, number: u32) -> Result<RunState, StoreError> {
        check_run_id(&self.dir, run_id)?;
        let dir = self.attempt_dir(run_id, number);
        if dir.is_dir() { Ok(glance(&dir)?.1) } else { Ok(RunState::Planned) }
    }

    /// The process that works or last worked on an attempt; `None` where it was never begun.
    pub fn process(&self, run_id: &str, number: u32) -> Result<Option<Process>, StoreError> {
        check_run_id(&self.dir, run_id)?;
        Ok(read_manifest(&self.attempt_dir(run_id, number))?.map(|manifest| manifest.process))
    }

    /// How far the running attempt in `run_dir` is, as it last told.
    pub fn live(&self, run_dir: &Path) -> Option<Live> {
        lease::live(run_dir)
    }

    /// How long ago whoever works on the attempt in `run_dir` gave a sign of life.
    pub fn sign_age(&self, run_dir: &Path) -> Option<Duration> {
        lease::sign_age(run_dir)
    }

    /// Every stored run, by run id. Folders without a manifest (a crash right after the start) are left out.
    pub fn runs(&self) -> Result<Vec<StoredRun>, StoreError> {
        self.each_run()?.collect()
    }

    /// The same one after the other, for what need not hold them all: a manifest takes kilobytes.
    pub fn each_run(&self) -> Result<impl Iterator<Item = Result<StoredRun, StoreError>>, StoreError> {
        Ok(self.numbers()?.into_iter().filter_map(|(id, numbers)| self.shown(&id, &numbers).transpose()))
    }

    /// The latest completed of a run's attempts, else the latest that has a manifest.
    fn shown(&self, id: &str, numbers: &[u32]) -> Result<Option<StoredRun>, StoreError> {
        let mut shown: Option<StoredRun> = None;
        for number in numbers.iter().rev() {
            let dir = self.attempt_dir(id, *number);
            let (Some(manifest), state) = look(&dir)? else { continue };
            let completed = state == RunState::Completed;
            if completed || shown.is_none() {
                shown = Some(StoredRun { dir, state, manifest });
            }
            if completed {
                break;
            }
        }
        Ok(shown)
    }

    /// The manifests of [`ExperimentStore::runs`].
    pub fn manifests(&self) -> Result<Vec<Manifest>, StoreError> {
        Ok(self.runs()?.into_iter().map(|r| r.manifest).collect())
    }

    /// Environment steps of a run, of one split or of all.
    pub fn read_steps(
        &self,
        run_dir: &Path,
        split: Option<SplitName>,
    ) -> Result<Vec<StepRecord>, StoreError> {
        let mut kept = Vec::new();
        for rows in parquet_file::read::<StepRecord>(&run_dir.join("steps.parquet"))? {
            kept.extend(rows?.into_iter().filter(|row| split.is_none_or(|s| s == row.split)));
        }
        Ok(kept)
    }

    /// The same in parts, for what need not hold all of a run.
    pub fn step_batches(
        &self,
        run_dir: &Path,
    ) -> Result<impl Iterator<Item = Result<Vec<StepRecord>, StoreError>> + use<>, StoreError> {
        parquet_file::read(&run_dir.join("steps.parquet"))
    }

    /// Names of the columns of `steps.parquet`, which are the fields of a [`StepRecord`].
    pub fn step_columns() -> Vec<String> {
        columns::<StepRecord>()
    }

    /// The same of `updates.parquet` and [`UpdateRecord`].
    pub fn update_columns() -> Vec<String> {
        columns::<UpdateRecord>()
    }

    /// Updates of a run.
    pub fn read_updates(&self, run_dir: &Path) -> Result<Vec<UpdateRecord>, StoreError> {
        read_all(&run_dir.join("updates.parquet"))
    }

    /// Speed and memory of a run.
    pub fn read_timing(&self, run_dir: &Path) -> Result<Vec<TimingRecord>, StoreError> {
        read_all(&run_dir.join("timing.parquet"))
    }

    /// A file that the agent of a completed run saved; `None` where it saved none of that name.
    pub fn read_checkpoint(&self, run_dir: &Path, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = run_dir.join("checkpoint").join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Io { path, source }),
        }
    }

    /// The manifest of an attempt that has one.
    pub fn read_manifest(&self, run_dir: &Path) -> Result<Manifest, StoreError> {
        let path = run_dir.join("manifest.json");
        let text = fs::read(&path).map_err(StoreError::io(&path))?;
        serde_json::from_slice(&text).map_err(StoreError::json(&path))
    }

    /// The resolved settings of a run, TOML.
    pub fn read_spec(&self, run_dir: &Path) -> Result<String, StoreError> {
        let path = run_dir.join("spec.toml");
        fs::read_to_string(&path).map_err(StoreError::io(&path))
    }

    /// Replaces the derived `summary.parquet`: a row per run, in their order.
    pub fn write_summary(
        &self,
        rows: impl IntoIterator<Item = Result<SummaryRow, StoreError>>,
    ) -> Result<PathBuf, StoreError> {
        fs::create_dir_all(&self.dir).map_err(StoreError::io(&self.dir))?;
        let path = self.summary_file();
        summary::write(&path, rows)?;
        Ok(path)
    }

    /// Where the derived table of all runs is.
    pub fn summary_file(&self) -> PathBuf {
        self.dir.join("summary.parquet")
    }

    /// Distinct specs without their seed that were ever started here, failed and abandoned ones too; not those that were
    /// only ever skipped.
    pub fn trials(&self) -> Result<Vec<Trial>, StoreError> {
        let mut trials = ledger::read(&self.dir)?;
        for (id, number) in self.folders()? {
            let manifest = read_manifest(&self.attempt_dir(&id, number))?;
            if let Some(manifest) = manifest.filter(|m| m.state != StateWord::Skipped) {
                trials.push(Trial::of(&manifest.start));
            }
        }
        Ok(ledger::distinct(trials))
    }

    /// Attempts by run id, ascending.
    pub(crate) fn numbers(&self) -> Result<BTreeMap<String, Vec<u32>>, StoreError> {
        let mut numbers: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (id, number) in self.folders()? {
            numbers.entry(id).or_default().push(number);
        }
        Ok(numbers)
    }

    pub(crate) fn attempt_dir(&self, run_id: &str, number: u32) -> PathBuf {
        self.dir.join(attempt_name(run_id, number))
    }

    /// Run id and attempt of every folder, sorted; other names are somebody else's business.
    fn folders(&self) -> Result<Vec<(String, u32)>, StoreError> {
        let name = |dir: &PathBuf| parse_attempt(dir.file_name()?.to_str()?);
        let mut folders: Vec<(String, u32)> = subfolders(&self.dir)?.iter().filter_map(name).collect();
        folders.sort();
        Ok(folders)
    }
}

/// The folders in `dir`; none where it does not exist.
fn subfolders(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StoreError::Io { path: dir.to_owned(), source }),
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::io(dir))?;
        if entry.file_type().map_err(StoreError::io(&entry.path()))?.is_dir() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

/// Name of an attempt, which is that of its folder: the run's id, from the second on with its number (`<run-id>.2`).
pub fn attempt_name(run_id: &str, number: u32) -> String {
    if number <= 1 { run_id.to_owned() } else { format!("{run_id}.{number}") }
}

/// Run and number of an attempt by its name: `0123456789abcdef` is attempt 1, `0123456789abcdef.2` attempt 2.
pub fn parse_attempt(name: &str) -> Option<(String, u32)> {
    let (id, number) = match name.split_once('.') {
        None => (name, 1),
        Some((id, number)) => (id, number.parse().ok().filter(|n| *n >= 2)?),
    };
    is_run_id(id).then(|| (id.to_owned(), number))
}

fn is_run_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

pub(crate) fn check_run_id(dir: &Path, id: &str) -> Result<(), StoreError> {
    match is_run_id(id) {
        true => Ok(()),
        false => Err(StoreError::Invalid {
            path: dir.join(id),
            problem: format!("a run id is lower-case hex digits, found \"{id}\""),
        }),
    }
}

pub(crate) fn read_manifest(dir: &Path) -> Result<Option<Manifest>, StoreError> {
    read_by(dir, |text| serde_json::from_slice(text))
}

fn read_by<M>(dir: &Path, parse: fn(&[u8]) -> serde_json::Result<M>) -> Result<Option<M>, StoreError> {
    let path = dir.join("manifest.json");
    match fs::read(&path) {
        Ok(text) => parse(&text).map(Some).map_err(StoreError::json(&path)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io { path, source }),
    }
}

/// Manifest and state of an attempt.
pub(crate) fn look(dir: &Path) -> Result<(Option<Manifest>, RunState), StoreError> {
    look_by(dir, |text| serde_json::from_slice(text), |m: &Manifest| (m.state, &m.reason, m.step))
}

/// The same where only the state is asked for: most of a manifest are scores and receipts, which are not looked at.
pub(crate) fn glance(dir: &Path) -> Result<(Option<Brief>, RunState), StoreError> {
    look_by(dir, Brief::parse, |m: &Brief| (m.state, &m.reason, m.step))
}

/// The lease is looked at first: a run that ends between the two looks is then seen as ended and not as interrupted.
fn look_by<M>(
    dir: &Path,
    parse: fn(&[u8]) -> serde_json::Result<M>,
    end: impl Fn(&M) -> (StateWord, &Option<String>, Option<u64>),
) -> Result<(Option<M>, RunState), StoreError> {
    // What has ended has no lease.
    let manifest = read_by(dir, parse)?;
    let (holder, manifest) = match manifest {
        Some(manifest) if matches!(end(&manifest).0, StateWord::Completed | StateWord::Failed) => {
            (None, Some(manifest))
        }
        _ => (lease::holder(dir)?, read_by(dir, parse)?),
    };
    let state = match (manifest.as_ref().map(end), holder) {
        (Some((StateWord::Completed, ..)), _) => RunState::Completed,
        (Some((StateWord::Failed, reason, step)), _) => {
            RunState::Failed { reason: reason.clone().unwrap_or_default(), step }
        }
        (_, Some(Holder { process, lives: true })) => {
            RunState::Running { host: process.host, pid: process.pid }
        }
        (Some((StateWord::Skipped, reason, _)), _) => {
            RunState::Skipped { reason: reason.clone().unwrap_or_default() }
        }
        _ => RunState::Interrupted,
    };
    Ok((manifest, state))
}

fn columns<R: crate::table::Table>() -> Vec<String> {
    R::schema().fields().iter().map(|field| field.name().clone()).collect()
}

fn read_all<R: crate::table::Table>(path: &Path) -> Result<Vec<R>, StoreError> {
    let mut all = Vec::new();
    for rows in parquet_file::read::<R>(path)? {
        all.extend(rows?);
    }
    Ok(all)
}
