//! Waits for what was submitted and tells how it went.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use store::RunState;

use super::counted;
use super::queue::{End, Queue, Queued};
use super::script::Script;
use super::submission::{Submission, Submissions};
use crate::launcher::{LaunchError, Work};

/// Between two questions to Slurm, at first and at last: an hour-long sweep asks as often as people do.
const INTERVAL: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// How long a Slurm that does not answer is waited for: its controller is restarted now and then.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// Tasks whose end is told one by one, and lines of their output.
const TOLD: (usize, usize) = (5, 12);

/// Submissions with tasks in the queue.
pub(super) struct Following<'a> {
    queue: &'a Queue,
    submissions: &'a Submissions,
    current: Vec<Submission>,
    /// Tasks in the queue when it was last asked.
    queued: Vec<Queued>,
    /// Folder and index of tasks whose end was looked at.
    ended: HashSet<(u32, usize)>,
}

impl<'a> Following<'a> {
    /// What was submitted earlier and is in the queue still. Of the rest it is told how it ended.
    pub fn of(queue: &'a Queue, submissions: &'a Submissions, work: &Work<'_>) -> Result<Self, LaunchError> {
        let current = submissions.current()?;
        let mut following = Self { queue, submissions, current, queued: Vec::new(), ended: HashSet::new() };
        following.look(work)?;
        Ok(following)
    }

    pub fn is_empty(&self) -> bool {
        self.current.is_empty()
    }

    pub fn add(&mut self, submission: Submission) {
        self.current.push(submission);
    }

    /// Runs of the tasks that are in the queue.
    pub fn runs(&self) -> HashSet<String> {
        let runs = self.queued.iter().filter_map(|task| self.of_task(task));
        runs.flatten().cloned().collect()
    }

    /// The jobs, as people name them.
    pub fn words(&self) -> String {
        let ids: Vec<String> = self.current.iter().map(|submission| submission.job.to_string()).collect();
        format!("slurm job{} {}", if ids.len() == 1 { "" } else { "s" }, ids.join(", "))
    }

    /// Returns when every task has left the queue, or when we are told to stop: the tasks then go on.
    pub fn follow(&mut self, work: &Work<'_>) -> Result<(), LaunchError> {
        let begin = Instant::now();
        let mut silent: Option<Instant> = None;
        let mut told = String::new();
        let (mut is_cut, mut lost) = (false, false);
        while !self.current.is_empty() {
            let interval = (begin.elapsed() / 20).clamp(INTERVAL.0, INTERVAL.1);
            if !wait(interval, work.stopped) {
                let ids: Vec<String> = self.current.iter().map(|s| s.job.to_string()).collect();
                let (go, it) = if ids.len() == 1 { ("goes", "it") } else { ("go", "them") };
                (work.say)(&format!(
                    "{} {go} on without this command; the same command follows {it}, `scancel {}` ends {it}",
                    self.words(),
                    ids.join(" ")
                ));
                return Ok(());
            }
            match self.look(work) {
                Ok(more) => {
                    silent = None;
                    lost |= more;
                }
                Err(error) => {
                    let since = *silent.get_or_insert_with(|| {
                        (work.say)(&format!("{error}; asking again"));
                        Instant::now()
                    });
                    if since.elapsed() > PATIENCE {
                        return Err(LaunchError(format!(
                            "{error}; the same command follows {}",
                            self.words()
                        )));
                    }
                    continue;
                }
            }
            // In this order: a stop that comes between the two leaves the tasks in the queue.
            if !is_cut && !(work.may_start)() && !(work.stopped)() {
                is_cut = true;
                self.begin_no_more(work);
            }
            let now = self.counts(work);
            if now != told && !self.queued.is_empty() {
                (work.say)(&now);
                told = now;
            }
        }
        if lost {
            (work.say)("the next sweep takes up what is not finished");
        }
        Ok(())
    }

    /// Asks Slurm, tells of tasks that have ended since the last time, and lets go of what is over; true where runs were
    /// left undone.
    fn look(&mut self, work: &Work<'_>) -> Result<bool, LaunchError> {
        self.ask()?;
        let (mut lost, mut unwritten) = (false, Ok(()));
        for submission in std::mem::take(&mut self.current) {
            lost |= self.tell_ends(&submission, work);
            if self.queued.iter().any(|task| task.job == submission.job) {
                self.current.push(submission);
            } else if let Err(error) =
                self.submissions.keep(&Submission { is_over: true, ..submission.clone() })
            {
                self.current.push(submission);
                unwritten = Err(error);
            }
        }
        unwritten.map(|()| lost)
    }

    /// Takes out of the queue what has not begun.
    fn begin_no_more(&self, work: &Work<'_>) {
        for submission in &self.current {
            match self.queue.cancel_waiting(&submission.job()) {
                Ok(()) => {
                    (work.say)(&format!("slurm job {}: its waiting tasks are not begun", submission.job));
                }
                Err(error) => (work.say)(&error.to_string()),
            }
        }
    }

    /// Which tasks are in the queue. A job of that number with another script is somebody else's.
    fn ask(&mut self) -> Result<(), LaunchError> {
        self.queued.clear();
        if self.current.is_empty() {
            return Ok(());
        }
        let jobs: Vec<_> = self.current.iter().map(Submission::job).collect();
        let mut queued = self.queue.queued(&jobs)?;
        queued.retain(|task| self.of_task(task).is_some());
        self.queued = queued;
        Ok(())
    }

    fn of_task(&self, task: &Queued) -> Option<&Vec<String>> {
        let of = |submission: &&Submission| {
            let script = Script::file(&self.submissions.folder(submission.folder));
            submission.job == task.job && Path::new(&task.script) == script
        };
        self.current.iter().find(of)?.tasks.get(task.task)
    }

    /// `slurm job 12: 3 tasks running, 5 waiting (Resources); 4 of 10 runs completed`
    fn counts(&self, work: &Work<'_>) -> String {
        let waiting: Vec<&Queued> = self.queued.iter().filter(|task| task.state == "PENDING").collect();
        let mut text =
            format!("{}: {} running", self.words(), counted(self.queued.len() - waiting.len(), "task"));
        if let Some(first) = waiting.first() {
            text += &format!(", {} waiting", waiting.len());
            if !matches!(first.reason.as_str(), "" | "None") {
                text += &format!(" ({})", first.reason);
            }
        }
        let runs: HashSet<&String> = self.current.iter().flat_map(|s| s.tasks.iter().flatten()).collect();
        let completed = runs.iter().filter(|run| matches!((work.state)(run), Ok(RunState::Completed)));
        format!("{text}; {} of {} completed", completed.count(), counted(runs.len(), "run"))
    }

    /// Tells of each task that has left the queue, and runs undone, how it ended, with the end of its output.
    fn tell_ends(&mut self, submission: &Submission, work: &Work<'_>) -> bool {
        let in_queue: HashSet<usize> =
            self.queued.iter().filter(|task| task.job == submission.job).map(|task| task.task).collect();
        let elsewhere = self.runs();
        let is_undone = |run: &&String| {
            let state = (work.state)(run);
            let ended =
                matches!(state, Ok(RunState::Completed | RunState::Failed { .. } | RunState::Skipped { .. }));
            !ended && !elsewhere.contains(*run)
        };
        let mut undone: BTreeMap<usize, usize> = BTreeMap::new();
        for (task, runs) in submission.tasks.iter().enumerate() {
            if !in_queue.contains(&task) && self.ended.insert((submission.folder, task)) {
                undone.insert(task, runs.iter().filter(is_undone).count());
            }
        }
        undone.retain(|_, runs| *runs > 0);
        if undone.is_empty() {
            return false;
        }
        let ends = self.queue.ends(&submission.job());
        let folder = self.submissions.folder(submission.folder);
        for (task, runs) in undone.iter().take(TOLD.0) {
            let log = Script::log(&folder, *task);
            let how = match ends.get(task) {
                Some(end) => end.words(),
                None if log.exists() => "ended, Slurm does not say how".to_owned(),
                // Of those it keeps nothing.
                None => "taken out of the queue before it began".to_owned(),
            };
            let mut text =
                format!("slurm job {}_{task}: {how}; {} not finished", submission.job, counted(*runs, "run"));
            let lines = last_lines(&log, TOLD.1);
            if !lines.is_empty() {
                text += &format!("; the end of {}:", log.display());
            }
            for line in lines {
                text += &format!("\n    {line}");
            }
            (work.say)(&text);
        }
        if let Some(more) = undone.len().checked_sub(TOLD.0).filter(|more| *more > 0) {
            (work.say)(&format!(
                "slurm job {}: {} more with runs that are not finished",
                submission.job,
                counted(more, "task")
            ));
        }
        true
    }
}

impl End {
    /// `TIMEOUT on node3, exit 0:15`
    fn words(&self) -> String {
        let mut text = self.state.clone();
        if !self.reason.is_empty() && self.reason != self.state {
            text += &format!(" ({})", self.reason);
        }
        if !self.node.is_empty() {
            text += &format!(" on {}", self.node);
        }
        if !self.exit.is_empty() {
            text += &format!(", exit {}", self.exit);
        }
        text
    }
}

/// Waits, in small steps; `false` when we are told to stop.
fn wait(time: Duration, stopped: &(dyn Fn() -> bool + Sync)) -> bool {
    let end = Instant::now() + time;
    loop {
        if stopped() {
            return false;
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}

/// The end of a file; nothing where it cannot be read.
fn last_lines(path: &Path, most: usize) -> Vec<String> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(16 << 10)))?;
        let mut bytes = Vec::new();
        file.take(16 << 10).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(most)..].iter().map(|line| (*line).to_owned()).collect()
}
