//! The writer of one attempt of one run.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use chrono::{SecondsFormat, Utc};
use trading_env::{StepRecord, TimingRecord, UpdateRecord};

use crate::lease::{Lease, Lost};
use crate::parquet_file::TableWriter;
use crate::publication::{self, CHECKPOINT, MANIFEST};
use crate::resume::{ResumeFolder, ResumePoint, Rows, Stretch};
use crate::{
    CompletedInfo, Manifest, ManifestStart, Process, StateWord, StoreError, Warning, WarningKind, atomic,
};

/// Holds a run and writes its folder. Dropped without an end it leaves the run interrupted.
pub struct RunWriter {
    dir: PathBuf,
    /// What the attempt is going to have, out of sight until its end.
    result: PathBuf,
    manifest: Manifest,
    steps: TableWriter<StepRecord>,
    updates: TableWriter<UpdateRecord>,
    timing: TableWriter<TimingRecord>,
    log: File,
    resume: ResumeFolder,
    point: Option<ResumePoint>,
    /// Who computed what, this process last.
    machines: Vec<Stretch>,
    /// Rows since the last point; `None` where no point is going to be saved.
    recent: Option<Rows>,
    // Last, so that it is freed after everything else is closed.
    lease: Lease,
}

/// Whether an end that a writer came to is the attempt's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It is.
    Yes,
    /// Another process had taken the attempt over; its end counts, and nothing of ours was published.
    Elsewhere,
}

impl RunWriter {
    pub(crate) fn begin(
        dir: PathBuf,
        attempt: u32,
        start: ManifestStart,
        spec_toml: &str,
        lease: Lease,
    ) -> Result<Option<Self>, StoreError> {
        let manifest = Manifest {
            start,
            attempt,
            state: StateWord::Running,
            reason: None,
            step: None,
            process: Process::this(),
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
        let (manifest_path, text) = (dir.join(MANIFEST), manifest_text(&dir, &manifest)?);
        let both: [(&Path, &[u8]); 2] = [(&manifest_path, &text), (&spec, spec_toml.as_bytes())];
        let begun = atomic::begin_all(if spec.exists() { &both[..1] } else { &both })?;
        // Bringing them to the disk can take as long as the disk likes.
        if !lease.is_ours() {
            return Ok(None);
        }
        atomic::name_all(begun)?;
        let log = dir.join("log.txt");
        let (resume, point) = ResumeFolder::open(&dir)?;
        for earlier in 1..lease.number() {
            // Empty where a run was interrupted; what a killed process left in it stays.
            let _ = std::fs::remove_dir(publication::folder(&dir, earlier));
        }
        let result = publication::folder(&dir, lease.number());
        std::fs::create_dir(&result).map_err(StoreError::io(&result))?;
        let machine = format!("{}, {}", manifest.start.machine.cpu, manifest.start.adapter);
        let mut writer = Self {
            resume,
            point,
            machines: vec![Stretch { machine, from_step: 0 }],
            recent: None,
            steps: TableWriter::begin(result.join("steps.parquet"))?,
            updates: TableWriter::begin(result.join("updates.parquet"))?,
            timing: TableWriter::begin(result.join("timing.parquet"))?,
            log: OpenOptions::new().create(true).append(true).open(&log).map_err(StoreError::io(&log))?,
            dir,
            result,
            manifest,
            lease,
        };
        writer.note("started")?;
        Ok(Some(writer))
    }

    /// Whether another process has taken the run over, which makes whatever is still done here void.
    pub fn lost(&self) -> Lost {
        self.lease.lost()
    }

    /// Tells whoever looks at the running run that `done` of `total` steps of training are done.
    pub fn progress(&self, done: u64, total: u64) {
        self.lease.live(|live| (live.steps, live.total) = (done, Some(total)));
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
        self.lease.live(|live| live.steps_here += 1);
        self.steps.push(row)
    }

    /// Adds a row to `updates.parquet`.
    pub fn update(&mut self, row: UpdateRecord) -> Result<(), StoreError> {
        if let Some(recent) = &mut self.recent {
            recent.updates.push(row.clone());
        }
        self.lease.live(|live| {
            live.updates = u64::from(row.update) + 1;
            live.entropy = Some(row.entropy);
            live.episode_return = row.episode_return.or(live.episode_return);
        });
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
            let mut steps = 0;
            point.each_rows(|rows| {
                seen(&rows);
                steps += rows.steps.len() as u64;
                rows.steps.into_iter().try_for_each(|row| self.steps.push(row))?;
                rows.updates.into_iter().try_for_each(|row| self.updates.push(row))?;
                rows.timing.into_iter().try_for_each(|row| self.timing.push(row))
            })?;
            self.follow(&point.machines, steps);
        }
        self.recent = Some(Rows::default());
        Ok(point)
    }

    /// Goes on from what `earlier` ones computed.
    fn follow(&mut self, earlier: &[Stretch], steps: u64) {
        let Some(own) = self.machines.pop() else { return };
        self.machines = earlier.to_vec();
        if self.machines.last().is_none_or(|last| last.machine != own.machine) {
            self.machines.push(Stretch { from_step: steps, ..own });
        }
    }

    /// That several types of machine computed the run, where they did.
    fn mixed(&self) -> Option<Warning> {
        let [first, second, ..] = &self.machines[..] else { return None };
        let mut text = format!("{} computed it", first.machine);
        for stretch in &self.machines[1..] {
            text += &format!(", from step {} on {}", stretch.from_step, stretch.machine);
        }
        Some(Warning { kind: WarningKind::MixedMachines, step: second.from_step, text })
    }

    /// Saves something to go on from after `updates`: the rows so far and what `save` writes into its folder.
    pub fn save_point<E: From<StoreError>>(
        &mut self,
        updates: u32,
        save: &mut dyn FnMut(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.lease.is_ours() {
            return Ok(());
        }
        let recent = self.recent.take().unwrap_or_default();
        let saved = self.resume.save(updates, &recent, &self.machines, save);
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

    /// A folder that becomes `checkpoint/` when the run completes and something was saved into it.
    pub fn checkpoint_dir(&mut self) -> Result<PathBuf, StoreError> {
        let dir = self.result.join(CHECKPOINT);
        match std::fs::create_dir(&dir) {
            Err(source) if source.kind() != ErrorKind::AlreadyExists => {
                Err(StoreError::Io { path: dir, source })
            }
            _ => Ok(dir),
        }
    }

    /// Ends the run with its scores.
    pub fn complete(mut self, outcome: CompletedInfo) -> Result<Published, StoreError> {
        self.manifest.metrics = outcome.metrics;
        self.manifest.rescored = outcome.rescored;
        self.manifest.receipt = outcome.receipt;
        self.manifest.prompts = outcome.prompts;
        self.manifest.warnings = outcome.warnings;
        self.manifest.warnings.extend(self.mixed());
        self.manifest.equal_turnover = outcome.equal_turnover;
        self.end(StateWord::Completed, None, None)
    }

    /// Ends the run as failed, keeping the rows it wrote. `step`: update or step at which it failed, where known.
    pub fn fail(self, reason: &str, step: Option<u64>) -> Result<Published, StoreError> {
        self.end(StateWord::Failed, Some(reason), step)
    }

    /// Ends the run as not run. It was claimed and stays a trial; what cannot be started at all is noted by
    /// [`ExperimentStore::skip`](crate::ExperimentStore::skip).
    pub fn skip(mut self, reason: &str) -> Result<(), StoreError> {
        self.close(StateWord::Skipped, Some(reason), None)?;
        if self.lease.is_ours() {
            atomic::write(&self.dir.join(MANIFEST), &manifest_text(&self.dir, &self.manifest)?)?;
        }
        // Not the end of the attempt: nothing is published.
        remove(&self.result)
    }

    fn end(
        mut self,
        state: StateWord,
        reason: Option<&str>,
        step: Option<u64>,
    ) -> Result<Published, StoreError> {
        self.close(state, reason, step)?;
        self.steps.finish()?;
        self.updates.finish()?;
        self.timing.finish()?;
        let checkpoint = self.result.join(CHECKPOINT);
        if state != StateWord::Completed {
            remove(&checkpoint)?;
        } else if checkpoint.is_dir() {
            // Nothing in it: an agent without parameters.
            let _ = std::fs::remove_dir(&checkpoint);
        }
        let manifest = self.result.join(MANIFEST);
        std::fs::write(&manifest, manifest_text(&self.dir, &self.manifest)?)
            .map_err(StoreError::io(&manifest))?;
        atomic::sync_all(&self.result, &[self.lease.path()])?;
        if !self.lease.end()? {
            remove(&self.result)?;
            return Ok(Published::Elsewhere);
        }
        publication::carry_out(&self.dir, self.lease.number())?;
        // After the manifest: until it has its end there is something to go on from.
        if state == StateWord::Completed {
            self.resume.remove()?;
        }
        self.lease.remove();
        Ok(Published::Yes)
    }

    fn close(&mut self, state: StateWord, reason: Option<&str>, step: Option<u64>) -> Result<(), StoreError> {
        let word = match state {
            StateWord::Running => "running",
            StateWord::Completed => "completed",
            StateWord::Failed => "failed",
            StateWord::Skipped => "skipped",
        };
        self.note(&reason.map_or(word.to_owned(), |r| format!("{word}: {r}")))?;
        self.manifest.state = state;
        self.manifest.reason = reason.map(str::to_owned);
        self.manifest.step = step;
        self.manifest.finished = Some(now());
        Ok(())
    }
}

fn manifest_text(dir: &Path, manifest: &Manifest) -> Result<Vec<u8>, StoreError> {
    let mut text = serde_json::to_vec_pretty(manifest).map_err(StoreError::json(&dir.join(MANIFEST)))?;
    text.push(b'\n');
    Ok(text)
}

/// Removes a folder of our own that nobody has seen.
fn remove(dir: &Path) -> Result<(), StoreError> {
    match std::fs::remove_dir_all(dir) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(StoreError::Io { path: dir.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}
