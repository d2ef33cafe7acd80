//! `export`: takes results into other tools.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use export::{ExportError, Folder};
use runner::{Plan, Registry};
use store::RunState;

use crate::commands::sweep::{self, Loaded};
use crate::failure::Failure;
use crate::output;
use crate::paths::shown;

/// Arguments of `export`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Experiment file.
    file: PathBuf,
    /// What to write.
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: Format,
    /// Folder that holds nothing or an earlier export of the experiment, which is replaced; default `exports/<experiment>`.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Override of one key, as in `sweep`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables of runs, steps and updates, columns named as in the Parquet files.
    Csv,
    /// An event file per run for TensorBoard, tags as in CleanRL.
    Tensorboard,
}

/// `export`.
pub(crate) fn run(registry: &Registry, args: &Args) -> Result<ExitCode, Failure> {
    let Loaded { experiment, paths, files, lock, store } = Loaded::of(registry, &args.file, &args.set)?;
    let out = args.out.clone().unwrap_or_else(|| paths.root.join("exports").join(&experiment.name));
    let folder = Folder::open(&out, &experiment.name)?;
    let (plan, _) = sweep::plan(registry, &experiment, &files, lock, store)?;
    let (runs, others) = finished(&plan)?;
    if runs.is_empty() {
        let folder = shown(plan.store.dir());
        return Err(Failure::wrong(format!(
            "{folder}: expected a completed or failed run of {}, found none; `sweep` the file first",
            args.file.display()
        )));
    }
    let format = match args.to {
        Format::Csv => export::Format::Csv,
        Format::Tensorboard => export::Format::TensorBoard,
    };
    let n = export::export(&plan.store, &runs, folder, format)?;
    let mut told = format!("{}: {} runs in {n} files", experiment.name, runs.len());
    for (state, n) in others {
        told += &format!(", {n} {state} left out");
    }
    eprintln!("{told}");
    output::print(&shown(&out));
    Ok(ExitCode::SUCCESS)
}

/// The plan's runs that have an end, each once, and the number of the others by state.
fn finished(plan: &Plan<'_>) -> Result<(Vec<export::Run>, BTreeMap<&'static str, usize>), Failure> {
    let stored = plan.store.list()?;
    let arms: Vec<&experiment::Arm> = plan.experiment.all().collect();
    let mut seen = HashSet::new();
    let mut runs = Vec::new();
    let mut others = BTreeMap::new();
    for run in &plan.runs {
        if !seen.insert(run.id.as_str()) {
            continue;
        }
        let attempt = stored.counted(&run.id)?;
        let Some(attempt) = attempt else {
            *others.entry(RunState::Planned.word()).or_default() += 1;
            continue;
        };
        if !matches!(attempt.state, RunState::Completed | RunState::Failed { .. }) {
            *others.entry(attempt.state.word()).or_default() += 1;
            continue;
        }
        let arm = plan.arm_of(run);
        runs.push(export::Run {
            dir: attempt.dir,
            state: attempt.state,
            arm: arm.name.clone(),
            role: arm.role,
            axes: arms[arm.index].axes.iter().cloned().collect(),
            initial_cash: arm.env.initial_cash,
        });
    }
    Ok((runs, others))
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Folder { .. } => Failure::wrong(format!("--out: {error}")),
            error => Failure::Broken(error.to_string()),
        }
    }
}
