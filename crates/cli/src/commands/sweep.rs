//! `sweep` and `retry`: from an experiment file to its report.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use experiment::{Experiment, Lock, Mode, OnFailure};
use plugin::{Files, toml_text};
use report::ReportInput;
use runner::{
    Ended, Event, ExecuteOptions, Plan, PlannedArm, PlannedRun, Progress, Ready, Registry, RunEnd, Selection,
    Worker,
};
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use store::{ExperimentStore, RunState};
use trading_env::Role;

use crate::arguments::count;
use crate::failure::{Failure, REBUILD};
use crate::output::{self, Format};
use crate::paths::{Paths, shown};
use crate::progress::Display;
use crate::scores;

/// Arguments of `sweep`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    /// Print the runs and their states; run and write nothing.
    #[arg(long)]
    plan: bool,
    /// Run everything again as new attempts beside the old.
    #[arg(long, conflicts_with = "plan")]
    fresh: bool,
}

/// Arguments of `retry`.
#[derive(clap::Args)]
pub(crate) struct RetryArgs {
    #[command(flatten)]
    common: Common,
}

/// Arguments of `work`.
#[derive(clap::Args)]
pub(crate) struct WorkArgs {
    #[command(flatten)]
    common: Common,
    /// Attempts to carry out.
    #[arg(long, value_name = "ATTEMPT,...", value_delimiter = ',', required = true)]
    runs: Vec<String>,
    /// End, saving points, when the standard input does.
    #[arg(long)]
    attached: bool,
    /// Mebibytes of memory that this process may take; default: as many as there are.
    #[arg(long, value_name = "N")]
    memory_mib: Option<u64>,
}

#[derive(clap::Args)]
pub(super) struct Common {
    /// Experiment file.
    pub file: PathBuf,
    /// Override of one key, as it would stand in the file: `agent.lora.rank=4`. May be given again.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Runs at the same time, where those that read a large model together count as one; default `run.jobs` of the file, else
    /// one per core.
    #[arg(long, value_name = "N", value_parser = count)]
    pub jobs: Option<NonZeroUsize>,
    /// Who carries out the runs, see `plugins launcher`.
    #[arg(long, value_name = "NAME")]
    pub launcher: Option<String>,
    /// Each arm in a process of its own, which an abort or a lack of memory ends alone: `--launcher isolated`.
    #[arg(long, conflicts_with = "launcher")]
    pub isolate: bool,
    /// How to print the result.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// What a sweep came to.
pub(super) struct Swept {
    /// Name of the experiment.
    pub name: String,
    /// What is stored of it.
    pub input: ReportInput,
    /// Its report.
    pub report: PathBuf,
    runs_folder: PathBuf,
    states: Vec<&'static str>,
    /// Runs that were carried out; `None`: there was nothing left to do.
    did: Option<usize>,
    /// One line per failed or skipped run.
    failures: Vec<String>,
    /// Whether a signal ended it.
    pub is_stopped: bool,
}

impl Swept {
    fn count(&self, word: &str) -> usize {
        self.states.iter().filter(|state| **state == word).count()
    }

    /// Runs that are neither completed, failed nor skipped.
    fn unfinished(&self) -> usize {
        self.states.len() - self.count("completed") - self.count("failed") - self.count("skipped")
    }

    /// Whether a run of the plan failed or was not done.
    pub fn lacks_runs(&self) -> bool {
        self.count("failed") + self.unfinished() > 0
    }

    /// Counts in words, and why runs failed or were skipped, a line each.
    pub fn words(&self) -> String {
        let (completed, total) = (self.count("completed"), self.states.len());
        let mut text = match self.did {
            None => format!("nothing left to do: {completed} of {total} runs completed"),
            Some(_) => format!("{completed} of {total} runs completed"),
        };
        let others = [
            (self.count("failed"), "failed"),
            (self.count("skipped"), "skipped"),
            (self.unfinished(), "not finished"),
        ];
        for (n, word) in others {
            if n > 0 {
                text += &format!(", {n} {word}");
            }
        }
        text.push('\n');
        for reason in &self.failures {
            text += &format!("  {reason}\n");
        }
        text
    }
}

/// Loads an experiment with overrides of the environment and `set` on top.
fn load(registry: &Registry, file: &Path, set: &[String]) -> Result<Experiment, Failure> {
    let environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Ok(experiment::load(file, set, &environment, &registry.sections())?)
}

/// The plan of an experiment and its lock, in which every model of the plan stands. Nothing is written.
pub(crate) fn plan<'a>(
    registry: &'a Registry,
    experiment: &'a Experiment,
    files: &'a Files,
    mut lock: Lock,
    store: ExperimentStore,
) -> Result<(Plan<'a>, Lock), Failure> {
    let plan = Plan::new(registry, experiment, files, store)?;
    for (name, model) in &plan.models {
        lock.add(name, model)?;
    }
    Ok((plan, lock))
}

/// `sweep`.
pub(crate) fn run(registry: &Registry, args: &Args) -> Result<ExitCode, Failure> {
    let selection = if args.fresh { Selection::All } else { Selection::Unfinished };
    go(registry, &args.common, &selection, args.plan)
}

/// `retry`.
pub(crate) fn retry(registry: &Registry, args: &RetryArgs) -> Result<ExitCode, Failure> {
    go(registry, &args.common, &Selection::Failed, false)
}

fn go(
    registry: &Registry,
    args: &Common,
    selection: &Selection,
    plan_only: bool,
) -> Result<ExitCode, Failure> {
    match sweep(registry, args, selection, plan_only)? {
        Some(swept) => Ok(finish(&swept, args.format)),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Whether an experiment can be planned; nothing is run or written.
pub(super) fn check(registry: &Registry, args: &Common) -> Result<(), Failure> {
    let Loaded { experiment, files, lock, store, .. } = Loaded::of(registry, &args.file, &args.set)?;
    plan(registry, &experiment, &files, lock, store).map(drop)
}

/// An experiment with what its plan needs.
pub(super) struct Loaded {
    pub experiment: Experiment,
    pub paths: Paths,
    pub files: Files,
    pub lock: Lock,
    pub store: ExperimentStore,
}

impl Loaded {
    pub fn of(registry: &Registry, file: &Path, set: &[String]) -> Result<Self, Failure> {
        let experiment = load(registry, file, set)?;
        let paths = Paths::of(file);
        let lock = Lock::of(file)?;
        let files = Files { pins: lock.commits().collect(), ..paths.files() };
        let experiment = runner::unfold(registry, experiment, &files)?;
        let store = ExperimentStore::open(&paths.runs, &experiment.name);
        Ok(Self { experiment, paths, files, lock, store })
    }
}

/// Plans, runs what is selected and renders the report; with `plan_only` prints the plan and does nothing.
pub(super) fn sweep(
    registry: &Registry,
    args: &Common,
    selection: &Selection,
    plan_only: bool,
) -> Result<Option<Swept>, Failure> {
    let set = args.set();
    let Loaded { experiment, paths, files, lock, store } = Loaded::of(registry, &args.file, &set)?;
    let (plan, mut lock) = plan(registry, &experiment, &files, lock, store)?;
    let jobs = jobs(args, &experiment);
    let worker = args.worker()?;
    if plan_only {
        print_plan(&plan, args.format);
        let ready = plan.look(selection)?;
        let script = ready.handed_over(jobs, &worker).map_err(|e| Failure::wrong(e.to_string()))?;
        if let Some(script) = script.filter(|_| args.format != Format::Json) {
            output::print(&script);
        }
        return Ok(None);
    }
    let mut ready = plan.prepare(selection, &HashSet::new())?;
    let lock_file = shown(lock.path());
    if lock.write().map_err(|e| Failure::Broken(format!("{lock_file}: {e}")))? {
        eprintln!("{lock_file}: holds the commits of the models from now on");
    }
    let mut rounds = Rounds::default();
    let plan = loop {
        let plan = rounds.execute(ready, jobs, &worker, false)?;
        if *selection == Selection::Failed || !rounds.goes_on(&plan) {
            break plan;
        }
        let plan = rounds.wait(plan)?;
        // What others left in the meantime, and what has retries left.
        ready = plan.prepare(&Selection::Unfinished, &rounds.done)?;
    };
    let (report, input) = super::report::render(&plan, &paths, &set)?;
    Ok(Some(Swept {
        name: plan.experiment.name.clone(),
        input,
        report,
        runs_folder: plan.store.dir().to_owned(),
        states: plan.runs.iter().map(|run| run.state.word()).collect(),
        did: rounds.did,
        failures: reasons(&plan),
        is_stopped: rounds.is_stopped(),
    }))
}

/// `work`: carries out attempts for the sweep of another process.
pub(crate) fn work(registry: &Registry, args: &WorkArgs) -> Result<ExitCode, Failure> {
    let common = &args.common;
    let set = common.set();
    let Loaded { experiment, files, lock, store, .. } = Loaded::of(registry, &common.file, &set)?;
    let (mut plan, _) = plan(registry, &experiment, &files, lock, store)?;
    plan.memory_mib = args.memory_mib;
    let known: HashSet<&str> = plan.runs.iter().map(|run| run.id.as_str()).collect();
    let is_known = |name: &String| store::parse_attempt(name).is_some_and(|(id, _)| known.contains(&*id));
    if let Some(unknown) = args.runs.iter().find(|name| !is_known(name)) {
        let file = common.file.display();
        return Err(Failure::wrong(format!(
            "--runs: {unknown} is no run of {file}: were the file, its data or its model changed since it was planned?"
        )));
    }
    if args.attached {
        let stop = stop_flag();
        std::thread::spawn(move || {
            // Whatever is said there: what counts is its end.
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            stop.store(true, Ordering::Relaxed);
        });
    }
    let attempts: HashSet<String> = args.runs.iter().cloned().collect();
    let ready = plan.prepare(&Selection::Attempts(attempts), &HashSet::new())?;
    let jobs = jobs(common, &experiment);
    let worker = common.worker()?;
    let mut rounds = Rounds::default();
    let plan = rounds.execute(ready, jobs, &worker, true)?;
    let completed = |name: &String| {
        let (id, number) = store::parse_attempt(name)?;
        plan.store.attempt_state(&id, number).ok()
    };
    let all = args.runs.iter().all(|name| completed(name) == Some(RunState::Completed));
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The variables that decide what a sweep reads and where it writes, by name.
fn own_variables() -> Vec<(String, String)> {
    let is_own = |name: &str| {
        let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let is_named = name.starts_with("FLAGLAB_") && name != REBUILD || name == "HF_HOME";
        is_plain && is_named
    };
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let mut own: Vec<_> = std::env::vars_os().filter_map(text).filter(|(name, _)| is_own(name)).collect();
    own.sort();
    own
}

/// A sweep goes on in rounds until nothing is left that it could do: processes that share its folder leave runs behind
/// when they end, and failed runs may have retries left.
struct Rounds {
    stop: Arc<AtomicBool>,
    /// Before the next round.
    pause: Duration,
    /// Attempts that ended here, one way or another.
    done: HashSet<String>,
    /// Runs that were carried out; `None`: none yet.
    did: Option<usize>,
    failed: bool,
}

/// Between two looks at what other processes do, at first and at last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

impl Default for Rounds {
    fn default() -> Self {
        Self { stop: stop_flag(), pause: Duration::ZERO, done: HashSet::new(), did: None, failed: false }
    }
}

impl Rounds {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Carries out what is ready. The plan comes back with the states of now.
    fn execute<'a>(
        &mut self,
        ready: Ready<'a>,
        jobs: NonZeroUsize,
        worker: &Worker,
        is_worker: bool,
    ) -> Result<Plan<'a>, Failure> {
        if ready.is_empty() {
            if !is_worker {
                ready.plan.write_summary()?;
            }
            return Ok(ready.plan);
        }
        if !is_worker {
            eprintln!(
                "{}: {} of {} runs to do",
                ready.plan.experiment.name,
                ready.len(),
                ready.plan.runs.len()
            );
        }
        let progress = Progress::stopped_by(self.stop.clone());
        let counts = !is_worker && !ready.is_elsewhere();
        let display = if counts { Display::new(&progress) } else { Display::without_counters(&progress) };
        let on_event = |event: Event<'_>| display.hear(event);
        let options = ExecuteOptions { jobs, worker, progress: &progress, on_event: &on_event, is_worker };
        let (plan, outcome) = display.during(|| ready.execute(&options))?;
        let did = outcome.count(|end| *end != RunEnd::Elsewhere);
        *self.did.get_or_insert(0) += did;
        let max_retries = plan.experiment.run.max_retries;
        let has_failed = |e: &Ended| matches!(e.end, RunEnd::Failed(_)) && e.attempt > max_retries;
        self.failed |= outcome.ends.iter().any(has_failed);
        // Others were quicker, or a clock says that they are gone and another that they are not: no reason to hurry.
        self.pause = if did > 0 { Duration::ZERO } else { (self.pause * 2).clamp(PAUSES.0, PAUSES.1) };
        let ended = outcome.ends.iter().filter(|ended| ended.end != RunEnd::Elsewhere);
        self.done.extend(ended.map(|ended| store::attempt_name(&ended.run.id, ended.attempt)));
        Ok(plan)
    }

    /// Whether another round can do anything, now or when other processes have ended.
    fn goes_on(&self, plan: &Plan<'_>) -> bool {
        let halted = self.failed && plan.experiment.run.on_failure == OnFailure::Stop;
        !self.is_stopped()
            && !halted
            && plan.runs.iter().any(|run| self.is_open(plan, run) || is_running(run))
    }

    /// Whether this process has yet to try the run's next attempt.
    fn is_open(&self, plan: &Plan<'_>, run: &PlannedRun) -> bool {
        let attempt = Selection::Unfinished.attempt(run, plan.experiment.run.max_retries);
        attempt.is_some_and(|number| !self.done.contains(&store::attempt_name(&run.id, number)))
    }

    /// Waits until there is something to do or nobody works on anything any more.
    fn wait<'a>(&self, mut plan: Plan<'a>) -> Result<Plan<'a>, Failure> {
        let mut told = String::new();
        let mut pause = PAUSES.0;
        if !Stop(self.stop.clone()).sleeps(self.pause) {
            return Ok(plan);
        }
        plan.refresh()?;
        loop {
            let running: Vec<&PlannedRun> = plan.runs.iter().filter(|run| is_running(run)).collect();
            if self.is_stopped() || running.is_empty() || plan.runs.iter().any(|run| self.is_open(&plan, run))
            {
                return Ok(plan);
            }
            let who: BTreeSet<String> = running.iter().filter_map(|run| holder(run)).collect();
            let who: Vec<String> = who.into_iter().collect();
            let text =
                format!("waiting for {} runs that are carried out by {}", running.len(), who.join(", "));
            if text != told {
                eprintln!("{text}");
                told = text;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSES.1);
            plan.refresh()?;
        }
    }
}

fn is_running(run: &PlannedRun) -> bool {
    matches!(run.state, RunState::Running { .. })
}

fn holder(run: &PlannedRun) -> Option<String> {
    match &run.state {
        RunState::Running { host, pid } => Some(format!("process {pid} on {host}")),
        _ => None,
    }
}

impl Common {
    /// Overrides, with those that have an argument of their own.
    fn set(&self) -> Vec<String> {
        let launcher = self.launcher.as_deref().or(self.isolate.then_some("isolated"));
        self.set.iter().cloned().chain(launcher.map(|name| format!("launcher.kind={name}"))).collect()
    }

    /// The command that carries out runs of this sweep in a process of its own, one after the other.
    fn worker(&self) -> Result<Worker, Failure> {
        let broken = |e: std::io::Error| Failure::Broken(format!("cannot tell where this program is: {e}"));
        let file = std::path::absolute(&self.file).map_err(broken)?;
        let mut args = vec!["work".to_owned(), file.to_string_lossy().into_owned()];
        args.extend(["--jobs".to_owned(), "1".to_owned()]);
        for set in &self.set {
            args.extend(["--set".to_owned(), set.clone()]);
        }
        args.extend([
            "--launcher".to_owned(),
            "local".to_owned(),
            "--set".to_owned(),
            "run.memory_limit_mib=0".to_owned(),
        ]);
        Ok(Worker {
            program: std::env::current_exe().map_err(broken)?,
            args,
            dir: std::env::current_dir().map_err(broken)?,
            env: own_variables(),
        })
    }
}

/// What SIGINT and SIGTERM set. One for the process, so that a command of several sweeps ends whenever it is told to.
fn stop_flag() -> Arc<AtomicBool> {
    static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    let register = || {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // A second signal ends the process at once; the runs then read interrupted all the same.
            let _ = signal_hook::flag::register_conditional_default(signal, stop.clone());
            let _ = signal_hook::flag::register(signal, stop.clone());
        }
        stop
    };
    STOP.get_or_init(register).clone()
}

/// Ends what goes on when the process is told to end.
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// On SIGINT and SIGTERM.
    pub fn on_signals() -> Self {
        Self(stop_flag())
    }

    /// Sleeps for `time`; false when it was told to stop before that was over.
    pub fn sleeps(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while !self.0.load(Ordering::Relaxed) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
        false
    }
}

/// `--jobs`, else the file's `run.jobs`, else one per core.
fn jobs(args: &Common, experiment: &Experiment) -> NonZeroUsize {
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    args.jobs.or(NonZeroUsize::new(experiment.run.jobs)).unwrap_or_else(cores)
}

/// The axes of a planned arm and its values.
fn axes_of(plan: &Plan<'_>, arm: &PlannedArm) -> impl Iterator<Item = (String, Value)> {
    plan.experiment.all().nth(arm.index).into_iter().flat_map(|arm| arm.axes.iter().cloned())
}

fn print_plan(plan: &Plan<'_>, format: Format) {
    if format == Format::Json {
        let runs = plan.runs.iter().map(|run| {
            let arm = plan.arm_of(run);
            json!({
                "run_id": run.id,
                "arm": arm.name,
                "role": arm.role,
                "axes": axes_of(plan, arm).collect::<serde_json::Map<_, _>>(),
                "seed": run.seed,
                "symbol": arm.data.symbol,
                "state": run.state.word(),
            })
        });
        output::print_json(&json!({ "experiment": plan.experiment.name, "runs": runs.collect::<Vec<_>>() }));
        return;
    }
    let width = plan.arms.iter().map(|a| a.name.chars().count()).max().unwrap_or(0).max(3);
    let mut text = format!("{:<16}  {:<width$}  {:>6}  state\n", "run", "arm", "seed");
    for run in &plan.runs {
        let arm = &plan.arm_of(run).name;
        text += &format!("{:<16}  {arm:<width$}  {:>6}  {}\n", run.id, run.seed, run.state.word());
    }
    // Names of drawn arms do not tell their values.
    if plan.experiment.mode == Some(Mode::Random) {
        for arm in plan.arms.iter().filter(|a| a.role == Role::Arm) {
            let values = axes_of(plan, arm).map(|(key, value)| format!("{key} = {}", toml_text(&value)));
            text += &format!("{:<width$}  {}\n", arm.name, values.collect::<Vec<_>>().join(", "));
        }
    }
    let count = |role| plan.arms.iter().filter(|a| a.role == role).count();
    let [arms, baselines, controls] = [Role::Arm, Role::Baseline, Role::Control].map(count);
    text += &format!("{} runs: {arms} arms and {baselines} baselines", plan.runs.len());
    if controls > 0 {
        text += &format!(", {controls} controls");
    }
    output::print(&text);
}

/// Prints what the sweep came to: counts, reasons, test scores, and the report's path last; exit 1 while a run of the plan is failed or was not done.
fn finish(swept: &Swept, format: Format) -> ExitCode {
    if format == Format::Json {
        let mut result = json!({
            "experiment": swept.name,
            "runs": swept.states.len(),
            "executed": swept.did.unwrap_or(0),
            "completed": swept.count("completed"),
            "failed": swept.count("failed"),
            "skipped": swept.count("skipped"),
            "unfinished": swept.unfinished(),
            "failures": swept.failures,
            "trials": swept.input.trials,
            "scores": scores::json(&swept.input),
            "runs_folder": shown(&swept.runs_folder),
            "report": shown(&swept.report),
        });
        if swept.input.plan.select.is_some() {
            result["selection"] = report::selections(&swept.input).windows.into();
        }
        output::print_json(&result);
    } else {
        let (scores, selection) = (scores::table(&swept.input), scores::selection(&swept.input));
        let backends = scores::backends(&swept.input);
        output::print(&(swept.words() + &scores + &selection + &backends + &shown(&swept.report)));
    }
    if swept.lacks_runs() { ExitCode::from(1) } else { ExitCode::SUCCESS }
}

/// One line per failed or skipped run.
fn reasons(plan: &Plan<'_>) -> Vec<String> {
    let told = plan.runs.iter().filter_map(|run| {
        let arm = &plan.arm_of(run).name;
        match &run.state {
            RunState::Failed { reason, .. } => Some(format!("{arm} seed {} failed: {reason}", run.seed)),
            RunState::Skipped { reason } => Some(format!("{arm} seed {} skipped: {reason}", run.seed)),
            _ => None,
        }
    });
    told.collect()
}
