//! `report`: renders from what is stored.

use std::path::PathBuf;
use std::process::ExitCode;

use experiment::Experiment;
use runner::Registry;
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
    let report = render(&experiment, &store, &paths)?;
    output::print(&shown(&report));
    Ok(ExitCode::SUCCESS)
}

/// Renders the report of what is stored and returns its path.
pub(crate) fn render(experiment: &Experiment, store: &ExperimentStore, paths: &Paths) -> Result<PathBuf, Failure> {
    todo!()
}
