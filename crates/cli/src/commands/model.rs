//! `model`: language models in Hugging Face layout.

mod export;
mod fetch;
mod import;
mod inspect;
mod logits;
mod pretrain;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use agents::BurnDevice;
use plugin::{Files, fill_defaults};
use runner::Registry;
use serde_json::{Map, Value};
use trading_env::Compute;

use crate::failure::Failure;
use crate::paths::Paths;

/// Arguments of `model`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Architecture, parameter counts, memory, tokenizer.
    Inspect(inspect::Args),
    /// Logits of the token after a sequence.
    Logits(logits::Args),
    /// Download a model of the Hugging Face hub into its cache, check it, and print its folder and commit.
    Fetch(fetch::Args),
    /// Make a model folder of a GGUF file of llama.cpp: weights dequantised, tokenizer and chat template from its metadata.
    Import(import::Args),
    /// Train a small model and its tokenizer on headlines and the market comment that follows them.
    Pretrain(pretrain::Args),
    /// Write what a run trained as a model folder or as a PEFT adapter.
    Export(export::Args),
}

/// `model`.
pub(crate) fn run(registry: &Registry, args: &Args) -> Result<ExitCode, Failure> {
    match &args.command {
        Command::Inspect(args) => inspect::run(args),
        Command::Logits(args) => logits::run(registry, args),
        Command::Fetch(args) => fetch::run(args),
        Command::Import(args) => import::run(args),
        Command::Pretrain(args) => pretrain::run(args),
        Command::Export(args) => export::run(registry, args),
    }
}

/// The backend `name` with its default parameters.
fn compute(registry: &Registry, name: &str) -> Result<Box<dyn Compute>, Failure> {
    let Some(plugin) = registry.backends.get(name) else {
        let known: Vec<&str> = registry.backends.iter().map(|p| p.name()).collect();
        return Err(Failure::unknown("--backend: unknown backend", name, &known));
    };
    let mut params = Map::new();
    fill_defaults(&plugin.schema(), &mut params);
    Ok(plugin.build(&Value::Object(params), ())?)
}

/// The folder of a model on this machine: one that is named from here, or a snapshot in the hub's cache.
fn folder(path: &Path) -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().unwrap_or_default();
    let files = Files { root: here, ..Paths::of(path).files() };
    let located = hub::locate(path, None, &files).map_err(Failure::wrong)?;
    // As the user wrote it, where it is a folder.
    Ok(if located.pin.is_some() { located.folder } else { path.to_owned() })
}

/// The burn device behind a backend.
fn device(compute: &dyn Compute) -> Result<&BurnDevice, Failure> {
    let found = compute.as_any().downcast_ref();
    found.ok_or_else(|| Failure::wrong(format!("--backend: {} computes no tensors", compute.describe())))
}

impl From<llm::LlmError> for Failure {
    fn from(error: llm::LlmError) -> Self {
        Failure::wrong(error.to_string())
    }
}
