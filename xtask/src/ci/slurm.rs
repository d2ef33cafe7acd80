//! A sweep through a Slurm of one node on this machine, interrupted in every way, beside the same sweep on threads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::{Outcome, fresh_folder, succeed};
use crate::{flaglab, workspace};

const EXPERIMENT: &str = "tests/experiments/slurm.toml";
const CLUSTER: &str = "tests/slurm/cluster.sh";
const PROGRAMS: [&str; 4] = ["munged", "slurmctld", "slurmd", "sbatch"];
/// For what takes seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// Folders of a run's files that must be equal, besides its tables.
const CHECKPOINT: &str = "checkpoint";
const TABLES: [&str; 2] = ["steps.parquet", "updates.parquet"];

/// Kills and compares.
pub fn check() -> anyhow::Result<Outcome> {
    if let Some(program) = PROGRAMS.iter().find(|program| !is_installed(program)) {
        return Ok(Outcome::Skipped(format!("{program} is not installed (Debian: slurm-wlm, munge)")));
    }
    let binary = flaglab::build(&[])?;
    // One that an earlier check left.
    let state = workspace::target()?.join("ci/slurm/cluster");
    if state.is_dir() {
        succeed(Command::new(workspace::root().join(CLUSTER)).arg("stop").arg(&state))?;
    }
    let scratch = fresh_folder("slurm")?;
    let cluster = Cluster::start(&state)?;

    let local =
        Sweep { binary: &binary, folder: scratch.join("local"), launcher: "local", cluster: &cluster };
    local.completes()?;
    println!("local: every run completed on threads of one process");

    let slurm =
        Sweep { binary: &binary, folder: scratch.join("slurm"), launcher: "slurm", cluster: &cluster };
    let plan = slurm.command().arg("--plan").output()?;
    let plan = String::from_utf8_lossy(&plan.stdout).into_owned();
    ensure!(plan.contains("#SBATCH --array=0-5\n"), "the plan has no script for six tasks:\n{plan}");
    ensure!(!slurm.runs().exists(), "the plan has written something");
    println!("plan: the script of one array of six tasks, nothing submitted");

    let mut first = slurm.start("first.log")?;
    let run = slurm.wait_for_a_point(&mut first)?;
    let job = slurm.job()?;
    let lost = slurm.task_of(&run)?;
    signal("-KILL", slurm.pid(&run)?)?;
    wait("the killed task has left the queue", || Ok(!slurm.queue(&job)?.contains(&lost)))?;
    println!("kill: SIGKILL to the process of {run}, task {job}_{lost}, at a saved point");
    signal("-INT", first.id())?;
    first.wait()?;
    let said = slurm.said("first.log")?;
    ensure!(said.contains("the same command follows it"), "after an interrupt: {said}");
    ensure!(!slurm.queue(&job)?.is_empty(), "nothing is left in the queue: the experiment is too short");
    println!("interrupt: the command ends, job {job} goes on");

    let mut second = slurm.start("second.log")?;
    wait("the second command submits", || Ok(slurm.jobs()?.len() == 2))?;
    let said = slurm.said("second.log")?;
    ensure!(
        said.contains(&format!("slurm job {job} of an earlier submission: followed")),
        "of job {job}: {said}"
    );
    ensure!(said.contains(&format!("slurm job {job}_{lost}: FAILED")), "of the killed task: {said}");
    ensure!(slurm.tasks(2)? == [run.clone()], "submitted again were {:?}", slurm.tasks(2)?);
    println!("again: the same command follows job {job} and submits the lost run alone, told of its end");
    let waiting =
        slurm.queue(&job)?.pop().context("nothing is left in the queue: the experiment is too short")?;
    succeed(cluster.command("scancel").arg(format!("{job}_{waiting}")))?;
    let status = second.wait()?;
    let said = slurm.said("second.log")?;
    ensure!(status.code() == Some(1), "with a lost task: {status}: {said}");
    // Slurm keeps nothing of a task that never began.
    let ends = ["taken out of the queue", "CANCELLED"].map(|how| format!("slurm job {job}_{waiting}: {how}"));
    ensure!(ends.iter().any(|end| said.contains(end)), "of the cancelled task: {said}");
    println!("scancel {job}_{waiting}: the other runs are done, the end of the task is told");

    slurm.completes()?;
    ensure!(slurm.tasks(3)?.len() == 1, "submitted again were {:?}", slurm.tasks(3)?);
    let log = fs::read_to_string(slurm.runs().join(&run).join("log.txt"))?;
    ensure!(log.contains("goes on after update"), "{run} has begun again: {log}");
    println!("once more: one task for the rest; {run} has gone on from its last point");

    let equal = compare(&local.runs(), &slurm.runs())?;
    println!("bytes: {equal} files of six runs are those of the local launcher");
    drop(cluster);
    fs::remove_dir_all(scratch)?;
    Ok(Outcome::Passed)
}

/// Administrators' folders count too: they are not on everybody's `PATH`.
fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).any(|file| file.is_file())
}

/// Ends with this value.
struct Cluster {
    state: PathBuf,
}

impl Cluster {
    fn start(state: &Path) -> anyhow::Result<Self> {
        let cluster = Self { state: state.to_owned() };
        let begin = Instant::now();
        succeed(cluster.script("start").stdout(Stdio::null()))?;
        println!("cluster: one node is idle after {:.1} s", begin.elapsed().as_secs_f64());
        Ok(cluster)
    }

    fn script(&self, act: &str) -> Command {
        let mut command = Command::new(workspace::root().join(CLUSTER));
        command.arg(act).arg(&self.state);
        command
    }

    /// A program that sees this cluster.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("SLURM_CONF", self.state.join("slurm.conf"));
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The check's own result counts; what stays is ended by the next check.
        let _ = self.script("stop").status();
    }
}

/// The experiment in a folder of its own.
struct Sweep<'a> {
    binary: &'a Path,
    folder: PathBuf,
    launcher: &'a str,
    cluster: &'a Cluster,
}

impl Sweep<'_> {
    fn command(&self) -> Command {
        let mut command = self.cluster.command(self.binary);
        command.args(["sweep", EXPERIMENT, "--launcher", self.launcher]);
        command
            .env("FLAGLAB_RUNS", self.folder.join("runs"))
            .env("FLAGLAB_REPORTS", self.folder.join("reports"));
        command.current_dir(workspace::root()).stdin(Stdio::null());
        command
    }

    fn runs(&self) -> PathBuf {
        self.folder.join("runs/slurm")
    }

    /// Sweeps to the end.
    fn completes(&self) -> anyhow::Result<()> {
        let Output { status, stdout, stderr } = self.command().output()?;
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        ensure!(status.success(), "{}: {status}:\n{stderr}{stdout}", self.launcher);
        ensure!(stdout.contains("6 of 6 runs completed"), "{}:\n{stderr}{stdout}", self.launcher);
        Ok(())
    }

    /// Begins; what it says goes to a file.
    fn start(&self, log: &str) -> anyhow::Result<Child> {
        fs::create_dir_all(&self.folder)?;
        let log = fs::File::create(self.folder.join(log))?;
        Ok(self.command().stdout(Stdio::null()).stderr(log).spawn()?)
    }

    fn said(&self, log: &str) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.folder.join(log))?)
    }

    /// Numbers of the jobs that were submitted.
    fn jobs(&self) -> anyhow::Result<Vec<String>> {
        let names = fs::read_dir(self.runs().join(".slurm"))?.map(|entry| Ok(entry?.file_name()));
        let names = names.collect::<anyhow::Result<Vec<_>>>()?;
        let job = |name: &std::ffi::OsString| Some(name.to_str()?.strip_suffix(".json")?.to_owned());
        Ok(names.iter().filter_map(job).collect())
    }

    /// Tasks of a job that are in the queue, those that wait last.
    fn queue(&self, job: &str) -> anyhow::Result<Vec<String>> {
        let mut squeue = self.cluster.command("squeue");
        let output =
            squeue.args(["--noheader", "--array", "--sort=-t,i", "--format=%K", "--jobs", job]).output()?;
        // Of a job that has ended it says that there is none.
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(|line| line.trim().to_owned()).collect())
    }

    /// Runs of a submission's tasks.
    fn tasks(&self, submission: u32) -> anyhow::Result<Vec<String>> {
        let list = fs::read_to_string(self.runs().join(format!(".slurm/{submission}/tasks")))?;
        Ok(list.lines().map(str::to_owned).collect())
    }

    /// Index of a run's task in the first submission.
    fn task_of(&self, run: &str) -> anyhow::Result<String> {
        let index = self.tasks(1)?.iter().position(|runs| runs == run);
        index.map(|index| index.to_string()).with_context(|| format!("{run} has no task"))
    }

    fn job(&self) -> anyhow::Result<String> {
        self.jobs()?.pop().context("no job was submitted")
    }

    /// The first run that is in progress and has saved a point.
    fn wait_for_a_point(&self, command: &mut Child) -> anyhow::Result<String> {
        let mut found = None;
        wait("a run saves a point", || {
            if let Some(status) = command.try_wait()? {
                bail!("the sweep has ended: {status}: {}", self.said("first.log")?);
            }
            let Ok(entries) = fs::read_dir(self.runs()) else { return Ok(false) };
            for entry in entries {
                let run = entry?;
                let manifest = fs::read_to_string(run.path().join("manifest.json")).unwrap_or_default();
                // What has another name is being written.
                let is_point = |name: &str| name.starts_with("state.") && !name.ends_with(".tmp");
                let points = fs::read_dir(run.path().join("resume")).into_iter().flatten().flatten();
                let saved =
                    points.map(|point| point.file_name()).any(|name| name.to_str().is_some_and(is_point));
                if manifest.contains("\"state\": \"running\"") && saved {
                    found = Some(run.file_name().to_string_lossy().into_owned());
                }
            }
            Ok(found.is_some())
        })?;
        found.context("no run")
    }

    /// The process that works on a run. This program stays without a parser.
    fn pid(&self, run: &str) -> anyhow::Result<u32> {
        let manifest = fs::read_to_string(self.runs().join(run).join("manifest.json"))?;
        let after = manifest.split("\"pid\":").nth(1).context("the manifest names no process")?;
        let digits: String = after.trim_start().chars().take_while(char::is_ascii_digit).collect();
        Ok(digits.parse()?)
    }
}

fn signal(name: &str, pid: u32) -> anyhow::Result<()> {
    succeed(Command::new("kill").args([name, &pid.to_string()])).map(drop)
}

fn wait(what: &str, mut is_so: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !is_so()? {
        ensure!(Instant::now() < deadline, "waited {} s until {what}", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Number of files that are equal; all must be.
fn compare(one: &Path, other: &Path) -> anyhow::Result<usize> {
    let mut files = 0;
    for entry in fs::read_dir(one)? {
        let run = entry?.path();
        if !run.join("manifest.json").is_file() {
            continue;
        }
        let mut names: Vec<PathBuf> = TABLES.map(PathBuf::from).to_vec();
        if let Ok(entries) = fs::read_dir(run.join(CHECKPOINT)) {
            for entry in entries {
                names.push(Path::new(CHECKPOINT).join(entry?.file_name()));
            }
        }
        for name in names.into_iter().filter(|name| run.join(name).exists()) {
            let twin = other.join(run.file_name().unwrap_or_default()).join(&name);
            let bytes = fs::read(&twin).with_context(|| twin.display().to_string())?;
            ensure!(fs::read(run.join(&name))? == bytes, "{} differs", twin.display());
            files += 1;
        }
    }
    ensure!(files > 0, "{}: there are no runs", one.display());
    Ok(files)
}
