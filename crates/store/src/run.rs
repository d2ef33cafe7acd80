//! The writer of one attempt of one run.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::{SecondsFormat, Utc};
use trading_env::{StepRecord, TimingRecord, UpdateRecord};

use crate::atomic;
use crate::lock::RunLock;
use crate::parquet_file::TableWriter;
use crate::resume::{ResumeFolder, ResumePoint, Rows};
use crate::{CompletedInfo, Manifest, ManifestStart, Process, StateWord, StoreError};

/// Holds a run and writes its folder. Dropped without an end it leaves the run interrupted.
pub struct RunWriter {
    dir: PathBuf,
    manifest: Manifest,
    steps: TableWriter<StepRecord>,
    updates: TableWriter<UpdateRecord>,
    timing: TableWriter<TimingRecord>,
    log: File,
    resume: ResumeFolder,
    point: Option<ResumePoint>,
    /// Rows since the last point; `None` where no point is going to be saved.
    recent: Option<Rows>,
    checkpoint: Option<PathBuf>,
    // Last, so that it is freed after everything else is closed.
    _lock: RunLock,
}

impl RunWriter {
    pub(crate) fn begin(
        dir: PathBuf,
        attempt: u32,
        start: ManifestStart,
        spec_toml: &str,
        lock: RunLock,
    ) -> Result<Self, StoreError> {
        let manifest = Manifest {
            start,
            attempt,
            state: StateWord::Running,
            reason: None,
            step: None,
            process: Process { host: host(), pid: std::process::id() },
            started: now(),
            finished: None,
            metrics: Default::default(),
            rescored: Vec::new(),
            receipt: None,
            prompts: None,
            warnings: Vec::new(),
            equal_turnover: None,
        };
        let spec = dir.join("spec.toml");
        if !spec.exists() {
            atomic::write(&spec, spec_toml.as_bytes())?;
        }
        write_manifest(&dir, &manifest)?;
        let log = dir.join("log.txt");
        let (resume, point) = ResumeFolder::open(&dir)?;
        let mut writer = Self {
            resume,
            point,
            recent: None,
            steps: TableWriter::begin(dir.join("steps.parquet"))?,
            updates: TableWriter::begin(dir.join("updates.parquet"))?,
            timing: TableWriter::begin(dir.join("timing.parquet"))?,
            log: OpenOptions::new().create(true).append(true).open(&log).map_err(StoreError::io(&log))?,
            checkpoint: None,
            dir,
            manifest,
            _lock: lock,
        };
        writer.note("started")?;
        Ok(writer)
    }

    /// The run's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Adds a row to `steps.parquet`.
    pub fn step(&mut self, row: StepRecord) -> Result<(), StoreError> {
        if let Some(recent) = &mut self.recent {
            recent.steps.push(row.clone());
        }
        self.steps.push(row)
    }

    /// Adds a row to `updates.parquet`.
    pub fn update(&mut self, row: UpdateRecord) -> Result<(), StoreError> {
        if let Some(recent) = &mut self.recent {
            recent.updates.push(row.clone());
        }
        self.updates.push(row)
    }

    /// Adds a row to `timing.parquet`.
    pub fn timing(&mut self, row: TimingRecord) -> Result<(), StoreError> {
        if let Some(recent) = &mut self.recent {
            recent.timing.push(row.clone());
        }
        self.timing.push(row)
    }

    /// The point that an earlier training of this attempt has saved, with its rows given to `seen` and written. Called
    /// before anything else is written; from then on rows are kept for [`save_point`](Self::save_point).
    pub fn take_up(&mut self, mut seen: impl FnMut(&Rows)) -> Result<Option<ResumePoint>, StoreError> {
        let point = self.point.take();
        if let Some(point) = &point {
            point.each_rows(|rows| {
                seen(&rows);
                rows.steps.into_iter().try_for_each(|row| self.steps.push(row))?;
                rows.updates.into_iter().try_for_each(|row| self.updates.push(row))?;
                rows.timing.into_iter().try_for_each(|row| self.timing.push(row))
            })?;
        }
        self.recent = Some(Rows::default());
        Ok(point)
    }

    /// Saves something to go on from after `updates`: the rows so far and what `save` writes into its folder.
    pub fn save_point<E: From<StoreError>>(
        &mut self,
        updates: u32,
        save: &mut dyn FnMut(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        let recent = self.recent.take().unwrap_or_default();
        let saved = self.resume.save(updates, &recent, save);
        // What could not be saved stands before the next point.
        self.recent = Some(if saved.is_ok() { Rows::default() } else { recent });
        saved
    }

    /// Keeps no more rows for a point: training is over.
    pub fn end_points(&mut self) {
        self.recent = None;
    }

    /// Adds a line with the time to `log.txt`, at once.
    pub fn note(&mut self, line: &str) -> Result<(), StoreError> {
        let line = format!("{} {}\n", now(), line.replace('\n', "\n    "));
        self.log.write_all(line.as_bytes()).map_err(StoreError::io(&self.dir.join("log.txt")))
    }

    /// An empty folder that becomes `checkpoint/` when the run completes and something was saved into it.
    pub fn checkpoint_dir(&mut self) -> Result<PathBuf, StoreError> {
        if let Some(dir) = &self.checkpoint {
            return Ok(dir.clone());
        }
        let dir = unused(&self.dir, "checkpoint");
        std::fs::create_dir(&dir).map_err(StoreError::io(&dir))?;
        self.checkpoint = Some(dir.clone());
        Ok(dir)
    }

    /// Ends the run with its scores.
    pub fn complete(mut self, outcome: CompletedInfo) -> Result<(), StoreError> {
        if let Some(from) = self.checkpoint.take() {
            publish_checkpoint(&self.dir, &from)?;
        }
        self.manifest.metrics = outcome.metrics;
        self.manifest.rescored = outcome.rescored;
        self.manifest.receipt = outcome.receipt;
        self.manifest.prompts = outcome.prompts;
        self.manifest.warnings = outcome.warnings;
        self.manifest.equal_turnover = outcome.equal_turnover;
        self.end(StateWord::Completed, None, None)
    }

    /// Ends the run as failed, keeping the rows it wrote. `step`: update or step at which it failed, where known.
    pub fn fail(self, reason: &str, step: Option<u64>) -> Result<(), StoreError> {
        self.end(StateWord::Failed, Some(reason), step)
    }

    /// Ends the run as not run. It was claimed and stays a trial; what cannot be started at all is noted by
    /// [`ExperimentStore::skip`](crate::ExperimentStore::skip).
    pub fn skip(self, reason: &str) -> Result<(), StoreError> {
        self.end(StateWord::Skipped, Some(reason), None)
    }

    fn end(mut self, state: StateWord, reason: Option<&str>, step: Option<u64>) -> Result<(), StoreError> {
        let word = match state {
            StateWord::Running => "running",
            StateWord::Completed => "completed",
            StateWord::Failed => "failed",
            StateWord::Skipped => "skipped",
        };
        self.note(&reason.map_or(word.to_owned(), |r| format!("{word}: {r}")))?;
        // The manifest comes last: whoever reads `completed` finds all files.
        if state != StateWord::Skipped {
            self.steps.finish()?;
            self.updates.finish()?;
            self.timing.finish()?;
        }
        self.manifest.state = state;
        self.manifest.reason = reason.map(str::to_owned);
        self.manifest.step = step;
        self.manifest.finished = Some(now());
        write_manifest(&self.dir, &self.manifest)?;
        // After the manifest: until it says `completed` there is something to go on from.
        if state == StateWord::Completed { self.resume.remove() } else { Ok(()) }
    }
}

fn write_manifest(dir: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    let path = dir.join("manifest.json");
    let mut text = serde_json::to_string_pretty(manifest).map_err(StoreError::json(&path))?;
    text.push('\n');
    atomic::write(&path, text.as_bytes())
}

/// Brings what the agent saved to the disk, so that a manifest that says `completed` never gets there before it, and
/// renames it to `checkpoint/`. A crash between this and the manifest leaves a `checkpoint/` that
/// nobody vouches for; the next attempt in the folder puts it aside.
fn publish_checkpoint(dir: &Path, from: &Path) -> Result<(), StoreError> {
    let is_empty = std::fs::read_dir(from).map_err(StoreError::io(from))?.next().is_none();
    if is_empty {
        return std::fs::remove_dir(from).map_err(StoreError::io(from));
    }
    let to = dir.join("checkpoint");
    if to.exists() {
        let aside = unused(dir, "checkpoint");
        std::fs::rename(&to, &aside).map_err(StoreError::io(&aside))?;
    }
    atomic::sync_all(from)?;
    std::fs::rename(from, &to).map_err(StoreError::io(&to))?;
    atomic::sync_folder(dir)
}

/// A temporary name in `dir` that does not exist. The caller holds the run's lock, so nobody else takes it.
fn unused(dir: &Path, name: &str) -> PathBuf {
    let candidates = (1..).map(|n| dir.join(format!("{name}.{n}{}", atomic::TEMPORARY)));
    candidates.into_iter().find(|p| !p.exists()).expect("invariant: the sequence does not end")
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Name of this host where the system tells it, else `unknown`.
fn host() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named =
        kernel.or_else(|| std::env::var("HOSTNAME").ok()).or_else(|| std::env::var("COMPUTERNAME").ok());
    named.map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}
