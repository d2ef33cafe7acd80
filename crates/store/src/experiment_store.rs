//! One experiment's folder: which runs and attempts there are, their states, and claims on them.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use trading_env::{SplitName, StepRecord, TimingRecord, UpdateRecord};

use crate::lock::RunLock;
use crate::run::RunWriter;
use crate::{
    Manifest, ManifestStart, StateWord, StoreError, SummaryRow, Trial, ledger, parquet_file, summary,
};

/// `runs/<experiment>`.
#[derive(Debug, Clone)]
pub struct ExperimentStore {
    dir: PathBuf,
}

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
        Self { dir: runs_root.join(experiment) }
    }

    /// The experiments that have runs or a ledger below `runs_root`, by name.
    pub fn list(runs_root: &Path) -> Result<Vec<Self>, StoreError> {
        let mut found = Vec::new();
        for dir in subfolders(runs_root)? {
            let store = Self { dir };
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

    /// State of a run's latest attempt.
    pub fn state(&self, run_id: &str) -> Result<RunState, StoreError> {
        Ok(self.attempts(run_id)?.pop().map_or(RunState::Planned, |a| a.state))
    }

    /// All attempts of a run, oldest first.
    pub fn attempts(&self, run_id: &str) -> Result<Vec<Attempt>, StoreError> {
        let mut numbers: Vec<u32> =
            self.folders()?.into_iter().filter(|(id, _)| id == run_id).map(|(_, number)| number).collect();
        numbers.sort_unstable();
        numbers.into_iter().map(|number| self.attempt(run_id, number)).collect()
    }

    /// Takes up a run: a planned one in a new folder, an interrupted or skipped one in its own, and with `fresh` in a
    /// new attempt beside the old ones whatever became of them.
    ///
    /// `None`: there is nothing to take, because somebody else holds the run or because it is completed or failed and
    /// `fresh` was not asked for.
    ///
    /// From here on the run counts as started, whatever becomes of it, see [`ExperimentStore::trials`].
    pub fn claim(
        &self,
        run_id: &str,
        fresh: bool,
        start: &ManifestStart,
        spec_toml: &str,
    ) -> Result<Option<RunWriter>, StoreError> {
        let Some((number, lock)) = self.take(run_id, fresh)? else { return Ok(None) };
        ledger::append(&self.dir, start, number)?;
        self.begin(run_id, number, lock, start, spec_toml).map(Some)
    }

    /// Notes that a run cannot be started here, in the place where [`claim`](Self::claim) would start it. It is no trial.
    ///
    /// `false`: there is nothing to take.
    pub fn skip(
        &self,
        run_id: &str,
        fresh: bool,
        start: &ManifestStart,
        spec_toml: &str,
        reason: &str,
    ) -> Result<bool, StoreError> {
        let Some((number, lock)) = self.take(run_id, fresh)? else { return Ok(false) };
        self.begin(run_id, number, lock, start, spec_toml)?.skip(reason)?;
        Ok(true)
    }

    fn begin(
        &self,
        run_id: &str,
        number: u32,
        lock: RunLock,
        start: &ManifestStart,
        spec_toml: &str,
    ) -> Result<RunWriter, StoreError> {
        RunWriter::begin(self.attempt_dir(run_id, number), number, start.clone(), spec_toml, lock)
    }

    /// The attempt to work on, in a folder that is there, and its lock.
    fn take(&self, run_id: &str, fresh: bool) -> Result<Option<(u32, RunLock)>, StoreError> {
        check_run_id(&self.dir, run_id)?;
        let latest = self.attempts(run_id)?.pop();
        let number = match latest.as_ref().map(|a| (&a.state, a.number)) {
            None => 1,
            Some((RunState::Running { .. }, _)) => return Ok(None),
            Some((_, number)) if fresh => number + 1,
            Some((RunState::Completed | RunState::Failed { .. }, _)) => return Ok(None),
            Some((RunState::Planned | RunState::Interrupted | RunState::Skipped { .. }, number)) => number,
        };
        let dir = self.attempt_dir(run_id, number);
        fs::create_dir_all(&self.dir).map_err(StoreError::io(&self.dir))?;
        match fs::create_dir(&dir) {
            // Somebody else began this attempt since we looked: theirs is as fresh as ours would be.
            Err(e) if e.kind() == ErrorKind::AlreadyExists && fresh && latest.is_some() => return Ok(None),
            Err(e) if e.kind() != ErrorKind::AlreadyExists => {
                return Err(StoreError::Io { path: dir, source: e });
            }
            _ => {}
        }
        let Some(lock) = RunLock::take(&dir)? else { return Ok(None) };
        // Under the lock: somebody else may have finished it between our look and our lock.
        let finished =
            matches!(read_manifest(&dir)?.map(|m| m.state), Some(StateWord::Completed | StateWord::Failed));
        Ok((!finished).then_some((number, lock)))
    }

    /// Every stored run, by run id. Folders without a manifest (a crash right after the start) are left out.
    pub fn runs(&self) -> Result<Vec<StoredRun>, StoreError> {
        let mut numbers: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (id, number) in self.folders()? {
            numbers.entry(id).or_default().push(number);
        }
        let mut runs = Vec::new();
        for (id, mut numbers) in numbers {
            numbers.sort_unstable_by(|a, b| b.cmp(a));
            let mut shown: Option<StoredRun> = None;
            for number in numbers {
                let dir = self.attempt_dir(&id, number);
                let (Some(manifest), state) = look(&dir)? else { continue };
                let completed = state == RunState::Completed;
                if completed || shown.is_none() {
                    shown = Some(StoredRun { dir, state, manifest });
                }
                if completed {
                    break;
                }
            }
            runs.extend(shown);
        }
        Ok(runs)
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

    /// Updates of a run.
    pub fn read_updates(&self, run_dir: &Path) -> Result<Vec<UpdateRecord>, StoreError> {
        read_all(&run_dir.join("updates.parquet"))
    }

    /// Speed and memory of a run.
    pub fn read_timing(&self, run_dir: &Path) -> Result<Vec<TimingRecord>, StoreError> {
        read_all(&run_dir.join("timing.parquet"))
    }

    /// The resolved settings of a run, TOML.
    pub fn read_spec(&self, run_dir: &Path) -> Result<String, StoreError> {
        let path = run_dir.join("spec.toml");
        fs::read_to_string(&path).map_err(StoreError::io(&path))
    }

    /// Replaces the derived `summary.parquet`.
    pub fn write_summary(&self, rows: &[SummaryRow]) -> Result<PathBuf, StoreError> {
        fs::create_dir_all(&self.dir).map_err(StoreError::io(&self.dir))?;
        let path = self.dir.join("summary.parquet");
        summary::write(&path, rows)?;
        Ok(path)
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

    fn attempt(&self, run_id: &str, number: u32) -> Result<Attempt, StoreError> {
        let dir = self.attempt_dir(run_id, number);
        let (_, state) = look(&dir)?;
        Ok(Attempt { number, dir, state })
    }

    fn attempt_dir(&self, run_id: &str, number: u32) -> PathBuf {
        match number {
            1 => self.dir.join(run_id),
            n => self.dir.join(format!("{run_id}.{n}")),
        }
    }

    /// Run id and attempt of every folder, sorted; other names are somebody else's business.
    fn folders(&self) -> Result<Vec<(String, u32)>, StoreError> {
        let name = |dir: &PathBuf| parse_folder(dir.file_name()?.to_str()?);
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

/// `0123456789abcdef` is attempt 1, `0123456789abcdef.2` attempt 2.
fn parse_folder(name: &str) -> Option<(String, u32)> {
    let (id, number) = match name.split_once('.') {
        None => (name, 1),
        Some((id, number)) => (id, number.parse().ok().filter(|n| *n >= 2)?),
    };
    is_run_id(id).then(|| (id.to_owned(), number))
}

fn is_run_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn check_run_id(dir: &Path, id: &str) -> Result<(), StoreError> {
    match is_run_id(id) {
        true => Ok(()),
        false => Err(StoreError::Invalid {
            path: dir.join(id),
            problem: format!("a run id is lower-case hex digits, found \"{id}\""),
        }),
    }
}

fn read_manifest(dir: &Path) -> Result<Option<Manifest>, StoreError> {
    let path = dir.join("manifest.json");
    match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(StoreError::json(&path)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io { path, source }),
    }
}

/// Manifest and state of an attempt. The lock is looked at first: a run that ends between the two looks is then seen
/// as ended and not as interrupted.
fn look(dir: &Path) -> Result<(Option<Manifest>, RunState), StoreError> {
    let held = RunLock::is_held(dir)?;
    let manifest = read_manifest(dir)?;
    let reason = |m: &Manifest| m.reason.clone().unwrap_or_default();
    let state = match &manifest {
        Some(m) if m.state == StateWord::Completed => RunState::Completed,
        Some(m) if m.state == StateWord::Failed => RunState::Failed { reason: reason(m), step: m.step },
        Some(m) if m.state == StateWord::Skipped && !held => RunState::Skipped { reason: reason(m) },
        _ if !held => RunState::Interrupted,
        Some(m) => RunState::Running { host: m.process.host.clone(), pid: m.process.pid },
        None => RunState::Running { host: "unknown".to_owned(), pid: 0 },
    };
    Ok((manifest, state))
}

fn read_all<R: crate::table::Table>(path: &Path) -> Result<Vec<R>, StoreError> {
    let mut all = Vec::new();
    for rows in parquet_file::read::<R>(path)? {
        all.extend(rows?);
    }
    Ok(all)
}
