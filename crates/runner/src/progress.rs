//! How far an execution is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::{PlannedRun, RunEnd};

/// Counters that workers write and whoever shows progress reads.
#[derive(Debug, Default)]
pub struct Progress {
    runs: AtomicUsize,
    ended: AtomicUsize,
    failed: AtomicUsize,
    steps: AtomicU64,
    work: AtomicU64,
    all_work: AtomicU64,
    stop: Arc<AtomicBool>,
}

impl Progress {
    /// Counters of an execution that `stop` ends as well.
    pub fn stopped_by(stop: Arc<AtomicBool>) -> Self {
        Self { stop, ..Self::default() }
    }

    /// Runs that this execution has to do.
    pub fn runs(&self) -> usize {
        self.runs.load(Ordering::Relaxed)
    }

    /// Runs that have ended, one way or another.
    pub fn ended(&self) -> usize {
        self.ended.load(Ordering::Relaxed)
    }

    /// Runs that failed.
    pub fn failed(&self) -> usize {
        self.failed.load(Ordering::Relaxed)
    }

    /// Environment steps taken, in training and evaluation.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Time left if the rest of the expected steps takes as long per step as the steps so far; `None` before the
    /// first step.
    pub fn left(&self, elapsed: Duration) -> Option<Duration> {
        let done = self.work.load(Ordering::Relaxed);
        let all = self.all_work.load(Ordering::Relaxed).max(done);
        (done > 0).then(|| elapsed.mul_f64((all - done) as f64 / done as f64))
    }

    /// Asks all runs to stop; they are then interrupted and can be taken up again.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether a stop was asked for.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(crate) fn begin(&self, runs: usize, expected: u64) {
        self.runs.store(runs, Ordering::Relaxed);
        self.all_work.store(expected, Ordering::Relaxed);
    }

    pub(crate) fn took(&self, steps: u64) {
        self.steps.fetch_add(steps, Ordering::Relaxed);
        self.work.fetch_add(steps, Ordering::Relaxed);
    }

    /// A run ended after `taken` of `expected` steps: the rest needs no time any more.
    pub(crate) fn end(&self, taken: u64, expected: u64, failed: bool) {
        self.work.fetch_add(expected.saturating_sub(taken), Ordering::Relaxed);
        self.ended.fetch_add(1, Ordering::Relaxed);
        if failed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Something to tell while an execution goes on.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A worker took up a run.
    Started {
        /// The run.
        run: &'a PlannedRun,
        /// Its arm.
        arm: &'a str,
    },
    /// A run ended.
    Ended {
        /// The run.
        run: &'a PlannedRun,
        /// Its arm.
        arm: &'a str,
        /// How.
        end: &'a RunEnd,
    },
    /// A launcher has something to tell.
    Said {
        /// One line.
        line: &'a str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_counts_the_rest_of_ended_runs_as_done() {
        let progress = Progress::default();
        progress.begin(2, 200);
        assert_eq!(progress.left(Duration::from_secs(5)), None);
        progress.took(50);
        // 50 steps took 5 s, 150 are left.
        assert_eq!(progress.left(Duration::from_secs(5)), Some(Duration::from_secs(15)));
        progress.end(50, 100, true);
        // The failed run's other 50 are not going to happen: 100 of 200 are left.
        assert_eq!(progress.left(Duration::from_secs(5)), Some(Duration::from_secs(5)));
        assert_eq!((progress.steps(), progress.ended(), progress.failed()), (50, 1, 1));
    }
}
