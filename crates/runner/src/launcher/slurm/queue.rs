//! Slurm's commands, and what they print.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::launcher::LaunchError;

/// Tasks of an array where Slurm does not say how many it allows: its default.
const ARRAY_SIZE: usize = 1001;
/// Variables by which sbatch would put something else in the script's place.
const OVERRIDES: [&str; 6] = [
    "SBATCH_ARRAY_INX",
    "SBATCH_JOB_NAME",
    "SBATCH_OUTPUT",
    "SBATCH_ERROR",
    "SBATCH_OPEN_MODE",
    "SBATCH_WAIT",
];

/// Starts Slurm's commands.
#[derive(Debug, Default, Clone)]
pub(super) struct Queue {
    /// Where they are; `None`: wherever `PATH` says.
    pub bin: Option<PathBuf>,
}

/// A job as sbatch names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub id: u64,
    /// Where there are several.
    pub cluster: Option<String>,
}

/// A task that is in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Queued {
    pub job: u64,
    /// Index in its array.
    pub task: usize,
    /// `PENDING`, `RUNNING` and so on.
    pub state: String,
    /// Why it waits.
    pub reason: String,
    /// The script that was submitted.
    pub script: String,
}

/// How a task ended, in Slurm's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub state: String,
    pub reason: String,
    /// Exit status and signal.
    pub exit: String,
    pub node: String,
}

impl Queue {
    /// Whether there is a Slurm to submit to.
    pub fn is_there(&self) -> Result<(), LaunchError> {
        for program in ["sbatch", "squeue"] {
            self.run(program, |command| command.arg("--version"))?;
        }
        Ok(())
    }

    /// Tasks that one array may have.
    pub fn array_size(&self) -> usize {
        let config = self.run("scontrol", |command| command.args(["show", "config"]));
        let size = config.ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("MaxArraySize"))?;
            line.split_once('=')?.1.trim().parse().ok()
        });
        size.unwrap_or(ARRAY_SIZE).max(1)
    }

    pub fn submit(&self, script: &Path) -> Result<Job, LaunchError> {
        let printed = self.run("sbatch", |command| command.arg("--parsable").arg(script))?;
        let job = printed.lines().rev().find_map(|line| {
            let (id, cluster) = match line.trim().split_once(';') {
                Some((id, cluster)) => (id, Some(cluster.to_owned()).filter(|name| !name.is_empty())),
                None => (line.trim(), None),
            };
            Some(Job { id: id.parse().ok()?, cluster })
        });
        job.ok_or_else(|| LaunchError(format!("sbatch: expected the id of a job, found {printed:?}")))
    }

    /// Tasks of the jobs that wait or run.
    pub fn queued(&self, jobs: &[Job]) -> Result<Vec<Queued>, LaunchError> {
        let mut clusters: BTreeMap<Option<&str>, Vec<String>> = BTreeMap::new();
        for job in jobs {
            clusters.entry(job.cluster.as_deref()).or_default().push(job.id.to_string());
        }
        let mut all = Vec::new();
        for (cluster, ids) in clusters {
            let output = self.output("squeue", |command| {
                command.args(["--noheader", "--array", "--format=%F|%K|%T|%r|%o"]);
                command.args(cluster.map(|name| format!("--clusters={name}")));
                command.arg(format!("--jobs={}", ids.join(",")))
            })?;
            match words("squeue", &output) {
                Ok(printed) => all.extend(printed.lines().filter_map(queued)),
                // What squeue says of a single job that ended some time ago; of several it shows the others.
                Err(_) if String::from_utf8_lossy(&output.stderr).contains("Invalid job id") => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// Takes the tasks of a job that wait out of the queue.
    pub fn cancel_waiting(&self, job: &Job) -> Result<(), LaunchError> {
        let cluster = job.cluster.as_ref().map(|name| format!("--clusters={name}"));
        let cancel = self
            .run("scancel", |command| command.args(cluster).args(["--state=PENDING", &job.id.to_string()]));
        cancel.map(drop)
    }

    /// How the tasks of a job ended, as far as Slurm knows it still.
    pub fn ends(&self, job: &Job) -> BTreeMap<usize, End> {
        let cluster = job.cluster.as_ref().map(|name| format!("--clusters={name}"));
        let shown = self.run("scontrol", |command| {
            command.args(&cluster).args(["--oneliner", "show", "job", &job.id.to_string()])
        });
        let ends =
            shown.map(|text| text.lines().flat_map(ended).collect::<BTreeMap<_, _>>()).unwrap_or_default();
        if !ends.is_empty() {
            return ends;
        }
        let accounted = self.run("sacct", |command| {
            command.args(["--noheader", "--parsable2", "--allocations", "--array"]).args(&cluster);
            command.args(["--format=JobID,State,ExitCode,NodeList", &format!("--jobs={}", job.id)])
        });
        accounted.map(|text| text.lines().filter_map(accounted_end).collect()).unwrap_or_default()
    }

    /// What a command prints; an error carries its own words.
    fn run(
        &self,
        program: &str,
        fill: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<String, LaunchError> {
        let output = self.output(program, fill)?;
        words(program, &output)
    }

    fn output(
        &self,
        program: &str,
        fill: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<Output, LaunchError> {
        let path = self.bin.as_ref().map_or_else(|| PathBuf::from(program), |bin| bin.join(program));
        let mut command = Command::new(path);
        command.stdin(Stdio::null()).env("LC_ALL", "C");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SQUEUE_") || OVERRIDES.iter().any(|o| name == *o) {
                command.env_remove(name);
            }
        }
        // Ctrl-C is for us: sbatch shall say which job it has submitted.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        fill(&mut command).output().map_err(|error| match error.kind() {
            ErrorKind::NotFound => LaunchError(format!(
                "{program} is not on PATH: the launcher slurm submits from a machine that has Slurm's commands"
            )),
            _ => LaunchError(format!("{program} cannot be started: {error}")),
        })
    }
}

fn words(program: &str, output: &Output) -> Result<String, LaunchError> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let own = |line: &'_ str| {
        let line = line.trim();
        let line = line.strip_prefix(&format!("{program}: ")).unwrap_or(line);
        line.strip_prefix("error: ").unwrap_or(line).to_owned()
    };
    let said: Vec<String> = said.lines().map(own).filter(|line| !line.is_empty()).collect();
    let said = if said.is_empty() { output.status.to_string() } else { said.join("; ") };
    Err(LaunchError(format!("{program}: {said}")))
}

/// `12|3|PENDING|Resources|/path/script.sh`
fn queued(line: &str) -> Option<Queued> {
    let mut fields = line.trim().splitn(5, '|');
    let mut next = || fields.next();
    let (job, task) = (next()?.parse().ok()?, next()?.parse().ok()?);
    let (state, reason, script) = (next()?.to_owned(), next()?.to_owned(), next()?.to_owned());
    Some(Queued { job, task, state, reason, script })
}

/// A line of `scontrol --oneliner show job`; tasks that were never started stand on one together.
fn ended(line: &str) -> Vec<(usize, End)> {
    let field = |name: &str| {
        let fields = line.split_whitespace().filter_map(|field| field.split_once('='));
        let value = fields.filter(|(key, _)| *key == name).map(|(_, value)| value).next();
        value.filter(|v| !matches!(*v, "(null)" | "None" | "N/A")).unwrap_or_default().to_owned()
    };
    let tasks = indices(&field("ArrayTaskId"));
    let end = End {
        state: field("JobState"),
        reason: field("Reason"),
        exit: field("ExitCode"),
        node: field("NodeList"),
    };
    tasks.into_iter().map(|task| (task, end.clone())).collect()
}

/// `12_3|CANCELLED by 1000|0:15|node1`
fn accounted_end(line: &str) -> Option<(usize, End)> {
    let fields: Vec<&str> = line.trim().split('|').collect();
    let [id, state, exit, node] = fields[..] else { return None };
    let task = id.split_once('_')?.1.parse().ok()?;
    let node = if node == "None assigned" { "" } else { node };
    let [state, exit, node] = [state, exit, node].map(str::to_owned);
    Some((task, End { state, reason: String::new(), exit, node }))
}

/// `1-4,7,9-15:3%2` as numbers; what is none of that is nothing.
fn indices(text: &str) -> Vec<usize> {
    let text = text.split('%').next().unwrap_or_default();
    let range = |part: &str| -> Option<Vec<usize>> {
        let (range, step) = part.split_once(':').unwrap_or((part, "1"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        // More than any array has: not a list of tasks.
        (last.checked_sub(first)? < 10_000_000)
            .then(|| (first..=last).step_by(step.parse().unwrap_or(1).max(1)).collect())
    };
    text.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_squeue_are_read() {
        let line = "12|3|PENDING|Resources|/runs/a|b/.slurm/1/script.sh\n";
        let expected = Queued {
            job: 12,
            task: 3,
            state: "PENDING".into(),
            reason: "Resources".into(),
            script: "/runs/a|b/.slurm/1/script.sh".into(),
        };
        assert_eq!(queued(line), Some(expected));
        for other in ["", "CLUSTER: x", "12|N/A|RUNNING|None|/a", "12|1|RUNNING"] {
            assert_eq!(queued(other), None, "{other}");
        }
    }

    #[test]
    fn lines_of_scontrol_and_sacct_are_read() {
        let line = "JobId=4 ArrayJobId=4 ArrayTaskId=1,3-4%2 JobName=x JobState=NODE_FAIL Reason=NodeDown Dependency=(null) \
                    ExitCode=0:9 NodeList=n1 Command=/a JobState=b";
        let ends = ended(line);
        assert_eq!(ends.iter().map(|(task, _)| *task).collect::<Vec<_>>(), [1, 3, 4]);
        let end = |state: &str, reason: &str, exit: &str, node: &str| End {
            state: state.into(),
            reason: reason.into(),
            exit: exit.into(),
            node: node.into(),
        };
        assert_eq!(ends[0].1, end("NODE_FAIL", "NodeDown", "0:9", "n1"));
        assert!(ended("No jobs in the system").is_empty());
        let line = "4_7|CANCELLED by 1000|0:15|n2\n";
        assert_eq!(accounted_end(line), Some((7, end("CANCELLED by 1000", "", "0:15", "n2"))));
        assert_eq!(accounted_end("4_[8-9]|PENDING|0:0|None assigned"), None);
    }

    #[test]
    fn lists_of_tasks_are_read() {
        assert_eq!(indices("1-4,7,9-15:3%2"), [1, 2, 3, 4, 7, 9, 12, 15]);
        assert!(indices("").is_empty() && indices("N/A").is_empty() && indices("4-1").is_empty());
        assert!(indices("0-99999999999").is_empty());
    }
}
