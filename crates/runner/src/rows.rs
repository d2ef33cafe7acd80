//! The log of a run in training: rows go to the store, numbers that are not finite end the run.

use std::path::{Path, PathBuf};

use store::{Lost, ResumePoint, RunWriter, StoreError};
use trading_env::{AgentError, RunLog, StepRecord, TimingRecord, UpdateRecord};

use crate::Progress;
use crate::execute::TimeLimit;
use crate::warnings::Watch;

/// Why a log asked its learner to stop.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A number is not finite.
    NotFinite {
        what: &'static str,
        value: f64,
        /// Update, or step of the run where there are no updates.
        step: u64,
    },
    /// The rows cannot be written.
    Store(StoreError),
    /// Somebody asked for a stop.
    Interrupted,
    /// Somebody else has taken the run over.
    Lost,
    /// The run has taken too long.
    TimeLimit {
        seconds: u64,
        /// Steps of the run so far.
        step: u64,
    },
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::NotFinite { what, value, step } => write!(f, "{what} is {value} at step {step}"),
            Stop::Store(error) => write!(f, "cannot write the run: {error}"),
            Stop::Interrupted => write!(f, "interrupted"),
            Stop::Lost => write!(f, "another process has taken the run over"),
            Stop::TimeLimit { seconds, step } => {
                write!(f, "took longer than run.time_limit_s = {seconds}, at step {step}")
            }
        }
    }
}

/// Writes rows and remembers the first reason to stop, which the learner hears at its next report of progress.
pub(crate) struct Rows<'a> {
    writer: &'a mut RunWriter,
    progress: &'a Progress,
    limit: TimeLimit,
    lost: Lost,
    steps: u64,
    stop: Option<Stop>,
    watch: Watch,
    /// Updates between two points to go on from; 0: none is saved.
    every: u32,
    point: Option<ResumePoint>,
}

impl<'a> Rows<'a> {
    /// Rows of a run that begins, or that goes on from what it saved: then its rows so far are written first.
    pub fn new(
        writer: &'a mut RunWriter,
        progress: &'a Progress,
        limit: TimeLimit,
        every: u32,
    ) -> Result<Self, StoreError> {
        let (mut steps, mut watch) = (0, Watch::default());
        let mut point = None;
        if every > 0 {
            point = writer.take_up(|rows| {
                steps += rows.steps.len() as u64;
                rows.updates.iter().for_each(|row| watch.update(row));
            })?;
        }
        if let Some(point) = &point {
            progress.took(steps);
            writer.note(&format!("goes on after update {}", point.updates))?;
        }
        let lost = writer.lost();
        Ok(Rows { writer, progress, limit, lost, steps, stop: None, watch, every, point })
    }

    /// Steps seen.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The first reason to stop, if there was one, and what the updates showed.
    pub fn end(self) -> (Option<Stop>, Watch) {
        self.writer.end_points();
        (self.stop, self.watch)
    }

    fn keep(&mut self, written: Result<(), StoreError>) {
        if let Err(error) = written {
            self.stop.get_or_insert(Stop::Store(error));
        }
    }
}

impl RunLog for Rows<'_> {
    fn step(&mut self, row: StepRecord) {
        self.steps += 1;
        self.progress.took(1);
        if let Some((what, value)) = not_finite(&row) {
            self.stop.get_or_insert(Stop::NotFinite { what, value, step: self.steps - 1 });
        }
        let written = self.writer.step(row);
        self.keep(written);
    }

    fn update(&mut self, row: UpdateRecord) {
        let numbers = [
            ("policy_loss", row.policy_loss),
            ("value_loss", row.value_loss),
            ("entropy", row.entropy),
            ("approx_kl", row.approx_kl),
            ("grad_norm", row.grad_norm),
        ];
        if let Some((what, value)) = numbers.into_iter().find(|(_, v)| !v.is_finite()) {
            self.stop.get_or_insert(Stop::NotFinite { what, value, step: u64::from(row.update) });
        }
        self.watch.update(&row);
        let written = self.writer.update(row);
        self.keep(written);
    }

    fn timing(&mut self, row: TimingRecord) {
        self.watch.timing(&row);
        let written = self.writer.timing(row);
        self.keep(written);
    }

    fn note(&mut self, line: &str) {
        let written = self.writer.note(line);
        self.keep(written);
    }

    fn progress(&mut self, done: u64, total: u64) -> bool {
        self.writer.progress(done, total);
        if self.lost.is_so() {
            self.stop.get_or_insert(Stop::Lost);
        }
        if self.progress.stopped() {
            self.stop.get_or_insert(Stop::Interrupted);
        }
        if self.limit.is_over() {
            self.stop.get_or_insert(Stop::TimeLimit { seconds: self.limit.seconds, step: self.steps });
        }
        self.stop.is_none()
    }

    fn resume(&self) -> Option<PathBuf> {
        self.point.as_ref().map(|point| point.state.clone())
    }

    fn checkpoint(&mut self, done: u32, save: &mut dyn FnMut(&Path) -> Result<(), AgentError>) {
        let is_due = self.every > 0 && done.is_multiple_of(self.every);
        if is_due || self.waits_for_checkpoint() {
            let mut save = |dir: &Path| save(dir).map_err(|e| Unsaved(e.to_string()));
            // A full disk costs the point, not the run.
            if let Err(Unsaved(problem)) = self.writer.save_point(done, &mut save) {
                self.note(&format!("cannot save a point to go on from: {problem}"));
            }
        }
    }

    fn waits_for_checkpoint(&self) -> bool {
        self.every > 0 && matches!(self.stop, Some(Stop::Interrupted))
    }
}

/// Why a point was not saved.
struct Unsaved(String);

impl From<StoreError> for Unsaved {
    fn from(error: StoreError) -> Self {
        Unsaved(error.to_string())
    }
}

/// The first number of a row that is not finite.
pub(crate) fn not_finite(row: &StepRecord) -> Option<(&'static str, f64)> {
    let numbers = [
        ("reward", Some(row.reward)),
        ("equity", Some(row.equity)),
        ("position", Some(row.position)),
        ("log_prob", row.log_prob.map(f64::from)),
        ("value", row.value.map(f64::from)),
    ];
    numbers.into_iter().find_map(|(what, value)| value.filter(|v| !v.is_finite()).map(|v| (what, v)))
}
