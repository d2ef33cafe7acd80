//! `model export`: what a run trained, for other tools.

use std::path::PathBuf;
use std::process::ExitCode;

use agents::TrainedLlm;
use clap::ValueEnum;
use llm::NewFolder;
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
    let (spec, files) = stored_spec(registry, &args.run)?;
    if spec.kind("agent") != "ppo-llm" {
        return Err(wrong(format!("expected a run of ppo-llm, found one of {}", spec.kind("agent"))));
    }
    let folder = NewFolder::create(&args.out)?;
    let compute = compute(registry, "flex")?;
    let shared = SharedPool::default();
    let context = AgentContext { files: &files, compute: &*compute, shared: &shared, cache_bytes: 0 };
    let checkpoint = args.run.join("checkpoint");
    let trained = TrainedLlm::open(&spec.params("agent"), spec.seed, &checkpoint, context)
        .map_err(|e| wrong(e.to_string()))?;
    let adapter = trained.adapter();
    let layout = args.format.unwrap_or(if adapter.is_ok() { Layout::Peft } else { Layout::Full });
    match (layout, &adapter) {
        (Layout::Full, _) => trained.write_model(folder.path())?,
        (Layout::Peft, Ok(adapter)) => trained.write_adapter(adapter, folder.path())?,
        (Layout::Peft, Err(reason)) => return Err(wrong(format!("{reason} (or --format full)"))),
    }
    folder.publish()?;
    output::print(&shown(&args.out));
    Ok(ExitCode::SUCCESS)
}
