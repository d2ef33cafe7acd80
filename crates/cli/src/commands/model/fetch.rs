//! `model fetch`: a model of the hub, into its cache.

use std::process::ExitCode;

use hub::{DEFAULT_REVISION, Hub, RepoId};
use serde_json::json;

use crate::failure::Failure;
use crate::output::{self, Format};

/// Arguments of `model fetch`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Repository, for example HuggingFaceTB/SmolLM2-135M-Instruct.
    #[arg(value_name = "OWNER/NAME")]
    id: RepoId,
    /// Branch, tag or commit.
    #[arg(long, value_name = "R", default_value = DEFAULT_REVISION, value_parser = hub::parse_revision)]
    revision: String,
    /// How to print the result.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// `model fetch`.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let fetched = Hub::from_env()?.fetch(&args.id, &args.revision)?;
    let folder = fetched.folder.display().to_string();
    match args.format {
        Format::Text => output::print(&format!("{folder}\ncommit {}", fetched.commit)),
        Format::Json => output::print_json(&json!({
            "id": args.id.as_str(),
            "revision": args.revision,
            "commit": fetched.commit,
            "folder": folder,
            "files": fetched.files,
        })),
    }
    Ok(ExitCode::SUCCESS)
}
