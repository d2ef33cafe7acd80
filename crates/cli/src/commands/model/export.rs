//! `model export`: what a run trained, for other tools.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use agents::TrainedLlm;
use clap::ValueEnum;
use plugin::SharedPool;
use runner::Registry;
use trading_env::AgentContext;

use super::compute;
use crate::failure::Failure;
use crate::output;
use crate::paths::shown;
use crate::stored::stored_spec;

/// Arguments of `model export`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of a completed run of `ppo-llm`.
    #[arg(value_name = "RUN_DIR")]
    run: PathBuf,
    /// New folder.
    #[arg(value_name = "DIR")]
    out: PathBuf,
    /// What to write; default: `peft` for a run with LoRA, else `full`.
    #[arg(long, value_enum)]
    format: Option<Layout>,
}

/// What `model export` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Layout {
    /// The whole model in Hugging Face layout, adapters merged.
    Full,
    /// The adapters in PEFT layout.
    Peft,
}

/// `model export`.
pub(crate) fn run(registry: &Registry, args: &Args) -> Result<ExitCode, Failure> {
    let wrong = |problem: String| Failure::wrong(format!("{}: {problem}", args.run.display()));
    if args.out.exists() {
        return Err(Failure::wrong(format!("{}: exists already, expected a new folder", args.out.display())));
    }
    let (spec, files) = stored_spec(registry, &args.run)?;
    if spec.kind("agent") != "ppo-llm" {
        return Err(wrong(format!("expected a run of ppo-llm, found one of {}", spec.kind("agent"))));
    }
    let compute = compute(registry, "flex")?;
    let shared = SharedPool::default();
    let context = AgentContext { files: &files, compute: &*compute, shared: &shared };
    let checkpoint = args.run.join("checkpoint");
    let trained = TrainedLlm::open(&spec.params("agent"), spec.seed, &checkpoint, context)
        .map_err(|e| wrong(e.to_string()))?;
    let adapter = trained.adapter();
    let layout = args.format.unwrap_or(if adapter.is_ok() { Layout::Peft } else { Layout::Full });
    appear(&args.out, |dir| match (layout, &adapter) {
        (Layout::Full, _) => Ok(trained.write_model(dir)?),
        (Layout::Peft, Ok(adapter)) => Ok(trained.write_adapter(adapter, dir)?),
        (Layout::Peft, Err(reason)) => Err(wrong(format!("{reason} (or --format full)"))),
    })?;
    output::print(&shown(&args.out));
    Ok(ExitCode::SUCCESS)
}

/// Fills a folder beside `out` and renames it, so that `out` is whole or not there.
fn appear(out: &Path, fill: impl FnOnce(&Path) -> Result<(), Failure>) -> Result<(), Failure> {
    let failed = |path: &Path, e: std::io::Error| Failure::wrong(format!("{}: {e}", path.display()));
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(format!(".partial-{}", std::process::id()));
    let partial = out.with_file_name(name);
    std::fs::create_dir_all(&partial).map_err(|e| failed(&partial, e))?;
    let filled = fill(&partial).and_then(|()| std::fs::rename(&partial, out).map_err(|e| failed(out, e)));
    if filled.is_err() {
        // What stood in the way of the work stands in the way of cleaning up as well, at worst.
        let _ = std::fs::remove_dir_all(&partial);
    }
    filled
}
