//! A sweep of many small runs, for what it takes in time and memory.
//!
//! `many RUNS SEEDS FOLDER [report|idle]` writes an experiment of RUNS runs (arms of SEEDS seeds; a random trader on 250
//! synthetic bars, with `idle` one that never trades) into FOLDER and does them as `sweep` does, without a report or with
//! one. It prints lines of `name value`: seconds of each part, those of all processors in it (`cpu/..`), bytes of
//! resident memory after it (`rss/..`), and the peak before the report and after it.
//!
//! `many look FOLDER` plans the same runs in an empty folder (`load+plan`), and again where they are done, as a sweep does
//! that finds nothing left to do (`decide`).

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, anyhow, ensure};
use plugin::Files;
use report::{PlanInfo, PlannedRun};
use runner::{ExecuteOptions, Plan, PlanError, Progress, RunEnd, Selection, Worker};
use store::ExperimentStore;

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

fn main() -> ExitCode {
    memory::keep_freed();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [runs, seeds, folder] => sweep(runs, seeds, Path::new(folder), RANDOM, false),
        [runs, seeds, folder, "report"] => sweep(runs, seeds, Path::new(folder), RANDOM, true),
        [runs, seeds, folder, "idle"] => sweep(runs, seeds, Path::new(folder), IDLE, false),
        ["look", folder] => look(Path::new(folder)),
        _ => Err(anyhow!(
            "expected `RUNS SEEDS FOLDER [report|idle]` or `look FOLDER`, found `{}`",
            args.join(" ")
        )),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// An agent, and a key of which every arm has another value.
type Agent = (&'static str, &'static str, fn(usize, usize) -> String);

const RANDOM: Agent = ("random", "agent.keep_prob", |i, arms| format!("{:.5}", i as f64 / arms as f64));
const IDLE: Agent = ("flat", "env.initial_cash", |i, _| format!("{}", 100_000 + i));

fn sweep(runs: &str, seeds: &str, folder: &Path, agent: Agent, with_report: bool) -> anyhow::Result<()> {
    let (runs, seeds): (usize, usize) = (runs.parse().context("RUNS")?, seeds.parse().context("SEEDS")?);
    ensure!(seeds > 0 && runs.is_multiple_of(seeds), "RUNS: expected a multiple of SEEDS, found {runs}");
    let file = folder.join("many.toml");
    std::fs::write(&file, experiment(runs / seeds, seeds, agent))?;
    let mut clock = Clock::start();

    let registry = it::registry();
    let experiment = experiment::load(&file, &[], &[], &registry.sections())?;
    clock.lap("load");
    let files = Files { root: folder.to_owned(), ..Files::default() };
    let store = ExperimentStore::open(&folder.join("runs"), &experiment.name);
    let plan = Plan::new(&registry, &experiment, &files, store).map_err(|e| told(&e))?;
    clock.lap("plan");
    let ready = plan.prepare(&Selection::Unfinished, &HashSet::new()).map_err(|e| told(&e))?;
    ensure!(ready.len() == runs, "{} runs are to be done, expected {runs}", ready.len());
    clock.lap("prepare");
    let progress = Progress::default();
    let jobs = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let options = ExecuteOptions {
        jobs,
        worker: &Worker::default(),
        progress: &progress,
        on_event: &|_| (),
        is_worker: false,
    };
    let (plan, outcome) = ready.execute(&options).map_err(|e| anyhow::anyhow!("{e:?}"))?;
    clock.lap("execute");
    let completed = outcome.count(|end| *end == RunEnd::Completed);
    ensure!(completed == runs, "{completed} of {runs} runs completed");
    println!("memory {}", status("VmHWM:"));

    if with_report {
        drop(outcome);
        let planned = plan.runs.iter().map(|run| PlannedRun {
            arm: plan.arm_of(run).name.clone(),
            seed: run.seed,
            run_id: run.id.clone(),
        });
        let info = PlanInfo::new(&experiment, planned.collect(), "many");
        let input = report::collect(&plan.store, &info)?;
        clock.lap("collect");
        let page = report::render(&input, &folder.join("reports"))?;
        clock.lap("render");
        println!("page {}", page.metadata()?.len());
        println!("report_memory {}", status("VmHWM:"));
    }
    Ok(())
}

/// Plans from the file to what is to be done, in an empty folder and where everything is done.
fn look(folder: &Path) -> anyhow::Result<()> {
    for (part, runs) in [("load+plan", "none"), ("decide", "runs")] {
        let mut clock = Clock::start();
        let registry = it::registry();
        let experiment = experiment::load(&folder.join("many.toml"), &[], &[], &registry.sections())?;
        let files = Files { root: folder.to_owned(), ..Files::default() };
        let store = ExperimentStore::open(&folder.join(runs), &experiment.name);
        let plan = Plan::new(&registry, &experiment, &files, store).map_err(|e| told(&e))?;
        if part == "decide" {
            let ready = plan.prepare(&Selection::Unfinished, &HashSet::new()).map_err(|e| told(&e))?;
            ensure!(ready.is_empty(), "{} runs are to be done again", ready.len());
        }
        clock.lap(part);
    }
    Ok(())
}

fn experiment(arms: usize, seeds: usize, (agent, key, value): Agent) -> String {
    let values: Vec<String> = (0..arms).map(|i| value(i, arms)).collect();
    it::many_runs(seeds, agent, key, &values)
}

fn told(error: &PlanError) -> anyhow::Error {
    anyhow!("{error:?}")
}

/// Tells the time and memory of one part after the other.
struct Clock {
    mark: Instant,
    cpu: f64,
}

impl Clock {
    fn start() -> Self {
        Self { mark: Instant::now(), cpu: cpu_seconds() }
    }

    fn lap(&mut self, part: &str) {
        println!("{part} {}", self.mark.elapsed().as_secs_f64());
        println!("cpu/{part} {}", cpu_seconds() - self.cpu);
        println!("rss/{part} {}", status("VmRSS:"));
        *self = Self::start();
    }
}

/// Processor time of all threads of this process so far; 0 where the system does not tell.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name before the last parenthesis may hold spaces. User and system time are the fields 14 and 15, in 0.01 s.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// A line of this process's status in bytes; 0 where the system does not tell.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|kib| kib.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}
