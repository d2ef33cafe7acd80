//! `options`: the reference of every key, generated from doc comments.

use std::path::PathBuf;
use std::process::ExitCode;

use runner::Registry;

use crate::failure::Failure;
use crate::output;
use crate::paths::Paths;

/// Arguments of `options`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write docs/options.md instead of printing.
    #[arg(long)]
    write: bool,
}

/// `options`.
pub(crate) fn run(registry: &Registry, args: &Args) -> Result<ExitCode, Failure> {
    let text = experiment::options_markdown(&registry.sections());
    if !args.write {
        output::print(&text);
        return Ok(ExitCode::SUCCESS);
    }
    let path: PathBuf = Paths::of(&std::env::current_dir().unwrap_or_default()).root.join("docs/options.md");
    std::fs::write(&path, text).map_err(|e| Failure::Broken(format!("{}: {e}", path.display())))?;
    output::print(&path.display().to_string());
    Ok(ExitCode::SUCCESS)
}
