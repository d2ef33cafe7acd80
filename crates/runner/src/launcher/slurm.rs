//! Runs as tasks of a Slurm job array.
//!
//! A task is a process that carries out runs as the local launcher does: it claims them in the shared folder, so whoever
//! else works there, no run is done twice. What was submitted is kept in `.slurm` beside the runs.

mod follow;
mod queue;
mod script;
mod settings;
mod submission;
#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::collections::HashSet;
use std::path::Path;

use plugin::{BuildError, ParamError, Plugin};
use serde_json::Value;

use self::follow::Following;
use self::queue::Queue;
use self::script::Script;
use self::settings::Settings;
use self::submission::{Submission, Submissions};
use super::{LaunchError, Launcher, LauncherKind, Place, Work};

/// Runs on the nodes of a cluster.
pub struct Slurm;

impl Plugin<LauncherKind> for Slurm {
    fn name(&self) -> &'static str {
        "slurm"
    }

    fn summary(&self) -> &'static str {
        "Runs as tasks of a Slurm job array on a folder that all nodes share: one array over what is left to do, which is followed \
         to its end; the same command takes up what is queued, running or was lost."
    }

    fn schema(&self) -> Value {
        plugin::schema_of::<Settings>()
    }

    fn check(&self, params: &Value) -> Result<(), Vec<ParamError>> {
        Settings::check(params)
    }

    fn build(&self, params: &Value, _context: ()) -> Result<Box<dyn Launcher>, BuildError> {
        Ok(Box::new(Array { settings: plugin::params(params)?, queue: Queue::default() }))
    }
}

/// Submits and follows.
struct Array {
    settings: Settings,
    queue: Queue,
}

impl Launcher for Array {
    fn place(&self) -> Place {
        Place::OtherMachines
    }

    fn check(&self) -> Result<(), LaunchError> {
        self.queue.is_there()
    }

    fn launch(&self, work: &Work<'_>) -> Result<(), LaunchError> {
        let submissions = Submissions::of(work.folder);
        let mut following = Following::of(&self.queue, &submissions, work)?;
        if !following.is_empty() {
            (work.say)(&format!("{} of an earlier submission: followed", following.words()));
        }
        let tasks = self.tasks(work, &following.runs());
        let mut refused = None;
        if !tasks.is_empty() {
            for tasks in tasks.chunks(self.queue.array_size()) {
                match self.submit(&submissions, tasks, work) {
                    Ok(submission) => following.add(submission),
                    Err(error) => {
                        refused = Some(error);
                        break;
                    }
                }
                if (work.stopped)() {
                    break;
                }
            }
        }
        let followed = following.follow(work);
        match refused {
            Some(error) => Err(error),
            None => followed,
        }
    }

    /// The script of the first array, on machines without Slurm too.
    fn plan(&self, work: &Work<'_>) -> Result<Option<String>, LaunchError> {
        let submissions = Submissions::of(work.folder);
        let tasks = self.tasks(work, &HashSet::new());
        let mut arrays = tasks.chunks(self.queue.array_size());
        let Some(first) = arrays.next() else { return Ok(None) };
        let folder = submissions.folder(submissions.next());
        let mut text = self.script(&folder, first.len(), work).text()?;
        let rest = arrays.map(<[_]>::len).collect::<Vec<_>>();
        if !rest.is_empty() {
            let sum: usize = rest.iter().sum();
            text += &format!("# {} more arrays like this one for the other {sum} tasks\n", rest.len());
        }
        Ok(Some(text))
    }
}

impl Array {
    /// The runs of each task. Neighbours stay together: an arm's seeds share its agent.
    fn tasks(&self, work: &Work<'_>, submitted: &HashSet<String>) -> Vec<Vec<String>> {
        let runs = work.groups.iter().flat_map(|group| &group.runs);
        let left: Vec<String> = runs.filter(|run| !submitted.contains(*run)).cloned().collect();
        left.chunks(self.settings.runs_per_task.max(1) as usize).map(<[_]>::to_vec).collect()
    }

    fn script<'a>(&'a self, folder: &'a Path, tasks: usize, work: &'a Work<'_>) -> Script<'a> {
        let name = work.folder.file_name().and_then(|name| name.to_str()).unwrap_or("sweep");
        let memory_mib = work.memory_limit_mib;
        Script { settings: &self.settings, name, folder, tasks, memory_mib, worker: work.worker }
    }

    /// Submits one array and keeps a note of it.
    fn submit(
        &self,
        submissions: &Submissions,
        tasks: &[Vec<String>],
        work: &Work<'_>,
    ) -> Result<Submission, LaunchError> {
        let number = submissions.begin()?;
        let folder = submissions.folder(number);
        let text = self.script(&folder, tasks.len(), work).text()?;
        let lines: String = tasks.iter().map(|runs| runs.join(",") + "\n").collect();
        submission::write(&Script::list(&folder), &lines)?;
        submission::write(&Script::file(&folder), &text)?;
        let job = self.queue.submit(&Script::file(&folder))?;
        let runs: usize = tasks.iter().map(Vec::len).sum();
        (work.say)(&format!(
            "slurm job {}: {} for {}, output in {}",
            job.id,
            counted(tasks.len(), "task"),
            counted(runs, "run"),
            folder.display()
        ));
        let submission = Submission {
            job: job.id,
            cluster: job.cluster,
            folder: number,
            tasks: tasks.to_vec(),
            is_over: false,
        };
        submissions.keep(&submission)?;
        Ok(submission)
    }
}

fn counted(n: usize, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}
