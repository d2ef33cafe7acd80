//! `report`: renders from what is stored.

use std::path::PathBuf;
use std::process::ExitCode;

use experiment::Lock;
use plugin::Files;
use report::{PlanInfo, PlannedRun, ReportInput};
use runner::{Plan, Registry};
use store::ExperimentStore;

use crate::failure::Failure;
use crate::output;
use crate::paths::{Paths, shown};

/// Arguments of `report`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Experiment file.
    file: PathBuf,
    /// Override of one key, as in `sweep`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// `report`.
pub(crate) fn run(registry: &Registry, args: &Args) -> Result<ExitCode, Failure> {
    let experiment = super::sweep::load(registry, &args.file, &args.set)?;
    let paths = Paths::of(&args.file);
    let store = ExperimentStore::open(&paths.runs, &experiment.name);
    if !store.dir().is_dir() {
        let folder = shown(store.dir());
        return Err(Failure::wrong(format!("{folder}: no run is stored there; `sweep` the file first")));
    }
    let lock = Lock::of(&args.file)?;
    let files = Files { pins: lock.commits().collect(), ..paths.files() };
    let (plan, _) = super::sweep::plan(registry, &experiment, &files, lock, store)?;
    let (report, _) = render(&plan, &paths, &args.set)?;
    output::print(&shown(&report));
    Ok(ExitCode::SUCCESS)
}

/// Renders the report of what is stored of a plan; returns its path and what it shows.
pub(crate) fn render(
    plan: &Plan<'_>,
    paths: &Paths,
    set: &[String],
) -> Result<(PathBuf, ReportInput), Failure> {
    let runs = plan.runs.iter().map(|run| PlannedRun {
        arm: plan.arm_of(run).name.clone(),
        seed: run.seed,
        run_id: run.id.clone(),
    });
    let file = std::path::absolute(&plan.experiment.path).unwrap_or_else(|_| plan.experiment.path.clone());
    let file = file.strip_prefix(&paths.root).unwrap_or(&file);
    let mut command = format!("cargo xtask sweep {}", file.display());
    for set in set {
        command += &format!(" --set {set}");
    }
    let info = PlanInfo::new(plan.experiment, runs.collect(), &command);
    let input = report::collect(&plan.store, &info).map_err(|e| Failure::Broken(e.to_string()))?;
    let path = report::render(&input, &paths.reports).map_err(|e| Failure::Broken(e.to_string()))?;
    Ok((path, input))
}
