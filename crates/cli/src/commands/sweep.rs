//! `sweep` and `retry`: from an experiment file to its report.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use experiment::{Experiment, Lock};
use plugin::Files;
use report::ReportInput;
use runner::{Event, ExecuteOptions, Outcome, Plan, Progress, Ready, Registry, RunEnd, Selection};
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};
use store::{ExperimentStore, RunState};
use trading_env::Role;

use crate::failure::Failure;
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

#[derive(clap::Args)]
pub(super) struct Common {
    /// Experiment file.
    pub file: PathBuf,
    /// Override of one key, as it would stand in the file: `agent.lora.rank=4`. May be given again.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Runs at the same time, where those that read a large model together count as one; default `run.jobs` of the file, else
    /// one per core.
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Who carries out the runs, see `plugins launcher`.
    #[arg(long, value_name = "NAME")]
    pub launcher: Option<String>,
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
pub(crate) fn load(registry: &Registry, file: &Path, set: &[String]) -> Result<Experiment, Failure> {
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
    go(registry, &args.common, selection, args.plan)
}

/// `retry`.
pub(crate) fn retry(registry: &Registry, args: &RetryArgs) -> Result<ExitCode, Failure> {
    go(registry, &args.common, Selection::Failed, false)
}

fn go(
    registry: &Registry,
    args: &Common,
    selection: Selection,
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
struct Loaded {
    experiment: Experiment,
    paths: Paths,
    files: Files,
    lock: Lock,
    store: ExperimentStore,
}

impl Loaded {
    fn of(registry: &Registry, file: &Path, set: &[String]) -> Result<Self, Failure> {
        let experiment = load(registry, file, set)?;
        let paths = Paths::of(file);
        let lock = Lock::of(file)?;
        let files = Files { pins: lock.commits().collect(), ..paths.files() };
        let store = ExperimentStore::open(&paths.runs, &experiment.name);
        Ok(Self { experiment, paths, files, lock, store })
    }
}

/// Plans, runs what is selected and renders the report; with `plan_only` prints the plan and does nothing.
pub(super) fn sweep(
    registry: &Registry,
    args: &Common,
    selection: Selection,
    plan_only: bool,
) -> Result<Option<Swept>, Failure> {
    let mut set = args.set.clone();
    set.extend(args.launcher.iter().map(|name| format!("launcher.kind={name}")));
    let Loaded { experiment, paths, files, lock, store } = Loaded::of(registry, &args.file, &set)?;
    let (plan, mut lock) = plan(registry, &experiment, &files, lock, store)?;
    if plan_only {
        print_plan(&plan, args.format);
        return Ok(None);
    }
    let total = plan.runs.len();
    let ready = plan.prepare(selection)?;
    let lock_file = shown(lock.path());
    if lock.write().map_err(|e| Failure::Broken(format!("{lock_file}: {e}")))? {
        eprintln!("{lock_file}: holds the commits of the models from now on");
    }
    let progress = Progress::stopped_by(stop_flag());
    let (plan, outcome) = if ready.is_empty() {
        ready.plan.write_summary()?;
        (ready.plan, None)
    } else {
        eprintln!("{}: {} of {total} runs to do", experiment.name, ready.len());
        let (plan, outcome) = execute(ready, jobs(args, &experiment), &progress)?;
        (plan, Some(outcome))
    };
    let (report, input) = super::report::render(&plan, &paths, &set)?;
    Ok(Some(Swept {
        name: plan.experiment.name.clone(),
        input,
        report,
        runs_folder: plan.store.dir().to_owned(),
        states: plan.runs.iter().map(|run| run.state.word()).collect(),
        did: outcome.map(|o| o.count(|end| *end != RunEnd::Elsewhere)),
        failures: reasons(&plan),
        is_stopped: progress.stopped(),
    }))
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

fn execute<'a>(
    ready: Ready<'a>,
    jobs: NonZeroUsize,
    progress: &Progress,
) -> Result<(Plan<'a>, Outcome), Failure> {
    let display = Display::new(progress);
    let on_event = |event: Event<'_>| display.hear(event);
    let options = ExecuteOptions { jobs, progress, on_event: &on_event };
    Ok(display.during(|| ready.execute(&options))?)
}

/// `--jobs`, else the file's `run.jobs`, else one per core.
fn jobs(args: &Common, experiment: &Experiment) -> NonZeroUsize {
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    args.jobs.or(NonZeroUsize::new(experiment.run.jobs)).unwrap_or_else(cores)
}

fn print_plan(plan: &Plan<'_>, format: Format) {
    if format == Format::Json {
        let runs = plan.runs.iter().map(|run| {
            let arm = plan.arm_of(run);
            json!({
                "run_id": run.id,
                "arm": arm.name,
                "role": arm.role,
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
        output::print_json(&json!({
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
        }));
    } else {
        let (scores, backends) = (scores::table(&swept.input), scores::backends(&swept.input));
        output::print(&(swept.words() + &scores + &backends + &shown(&swept.report)));
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
