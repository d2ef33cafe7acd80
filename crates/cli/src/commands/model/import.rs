//! `model import`: a GGUF file as a model folder.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use agents::FloatDType;
use gguf::{GgufError, Model, StoredType};
use llm::checkpoint::Checkpoint;
use llm::{LlmConfig, NewFolder};
use plugin::did_you_mean_path;
use prompt::Tokenizer;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::{self, Format};
use crate::paths::shown;

/// Arguments of `model import`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// File of llama.cpp with a model of a known architecture and a byte-level BPE tokenizer.
    #[arg(value_name = "FILE.gguf")]
    file: PathBuf,
    /// Folder to make, in Hugging Face layout.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Number format of the weights: float32 (exact), float16 or bfloat16 (rounded, half the size).
    #[arg(long, value_name = "NAME", value_parser = stored, default_value = "float32")]
    dtype: StoredType,
    /// How to print the result.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

fn stored(name: &str) -> Result<StoredType, String> {
    Ok(match agents::dtype(name)? {
        FloatDType::F16 => StoredType::Float16,
        FloatDType::BF16 => StoredType::Bfloat16,
        _ => StoredType::Float32,
    })
}

/// `model import`.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    NewFolder::check(&args.out)?;
    let model = Model::open(&args.file).map_err(|e| refused(&args.file, &e))?;
    let folder = NewFolder::create(&args.out)?;
    let imported = model.write(folder.path(), args.dtype).map_err(|e| refused(&args.file, &e))?;
    loads(folder.path(), &args.file)?;
    folder.publish()?;
    let out = shown(&args.out);
    let types: Vec<(&str, usize)> =
        model.tensor_types().into_iter().map(|(kind, n)| (kind.as_str(), n)).collect();
    match args.format {
        Format::Text => {
            let types: Vec<String> = types.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
            output::print(&format!(
                "{out}\n{} model of {} parameters as {}, from {} tensors ({})\nsha256 of {}: {}",
                model.architecture(),
                model.parameters(),
                args.dtype.as_str(),
                imported.quantisation,
                types.join(", "),
                imported.file,
                imported.sha256
            ));
        }
        Format::Json => output::print_json(&json!({
            "folder": out,
            "architecture": model.architecture(),
            "parameters": model.parameters(),
            "dtype": args.dtype.as_str(),
            "file": imported.file,
            "sha256": imported.sha256,
            "quantisation": imported.quantisation,
            "tensor_types": types.into_iter().map(|(kind, n)| (kind.to_owned(), n.into())).collect::<serde_json::Map<String, Value>>(),
        })),
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads what was written as an experiment will, but for the weights themselves: a model that cannot be used gets no
/// name.
fn loads(folder: &Path, file: &Path) -> Result<(), Failure> {
    let wrong = |e: &dyn std::fmt::Display| {
        let name = |path: &Path| path.display().to_string();
        // The folder is gone when this is read.
        let problem = e.to_string().replace(&format!("{}/", name(folder)), "");
        Failure::wrong(format!("{}: its model does not load: {problem}", name(file)))
    };
    let config = LlmConfig::read(folder).map_err(|e| wrong(&e))?;
    Checkpoint::open(folder).and_then(|checkpoint| checkpoint.check(&config)).map_err(|e| wrong(&e))?;
    let tokenizer = Tokenizer::from_file(&folder.join("tokenizer.json")).map_err(|e| wrong(&e))?;
    config.check_vocabulary(folder, tokenizer.vocab_size()).map_err(|e| wrong(&e))
}

/// A file that is not there may be a slip of one that is.
fn refused(path: &Path, error: &GgufError) -> Failure {
    match error {
        GgufError::Read { .. } if !path.exists() => {
            Failure::wrong(format!("{error}{}", did_you_mean_path(path, Path::is_file)))
        }
        error if error.is_input() => Failure::wrong(error.to_string()),
        error => Failure::Broken(error.to_string()),
    }
}
