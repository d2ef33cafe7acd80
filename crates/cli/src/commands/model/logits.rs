//! `model logits`: what a checkpoint computes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use llm::{Backbone, Body, LoraAdapter};
use prompt::Tokenizer;
use runner::Registry;

use super::{compute, device, folder};
use crate::failure::Failure;
use crate::output::{self, Format};

/// Arguments of `model logits`.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("sequence").required(true).args(["ids", "text"])))]
pub(crate) struct Args {
    /// Folder in Hugging Face layout, or the name of a fetched repository.
    #[arg(long, value_name = "DIR")]
    checkpoint: PathBuf,
    /// Token ids.
    #[arg(long, value_name = "1,2,3", value_delimiter = ',')]
    ids: Option<Vec<u32>>,
    /// Text, encoded as the checkpoint's tokenizer does, special tokens included.
    #[arg(long, allow_hyphen_values = true)]
    text: Option<String>,
    /// Folder of a LoRA adapter in PEFT layout.
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// Where to compute, see `plugins backend`.
    #[arg(long, value_name = "NAME", default_value = "flex")]
    backend: String,
    /// Number format of the computation: float32, float16 or bfloat16.
    #[arg(long, value_name = "NAME", value_parser = agents::dtype, default_value = "float32")]
    dtype: agents::FloatDType,
    /// `json`: one number per token of the vocabulary; `text`: the ten most likely tokens.
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
}

/// Tokens that the text form lists.
const LISTED: usize = 10;

/// `model logits`.
pub(crate) fn run(registry: &Registry, args: &Args) -> Result<ExitCode, Failure> {
    let checkpoint = folder(&args.checkpoint)?;
    let compute = compute(registry, &args.backend)?;
    let backbone = Arc::new(Backbone::load(&checkpoint, device(&*compute)?.device())?.cast(args.dtype)?);
    let ids = match (&args.ids, &args.text) {
        (Some(ids), _) => ids.clone(),
        (None, text) => tokenizer(&checkpoint)?
            .encode_document(text.as_deref().unwrap_or_default())
            .map_err(|e| Failure::wrong(e.to_string()))?,
    };
    let logits = match &args.adapter {
        None => backbone.logits(&ids)?,
        Some(dir) => {
            let adapter = LoraAdapter::read(dir, backbone.config(), backbone.digest())?;
            Body::adapted(backbone, &adapter).logits(&ids)?
        }
    };
    match args.format {
        Format::Json => output::print_line(&logits),
        Format::Text => output::print(&most_likely(&logits, tokenizer(&checkpoint).ok().as_ref())),
    }
    Ok(ExitCode::SUCCESS)
}

fn tokenizer(dir: &Path) -> Result<Tokenizer, Failure> {
    Tokenizer::from_file(&dir.join("tokenizer.json")).map_err(|e| Failure::wrong(e.to_string()))
}

/// One line per token: probability, logit, id, text.
fn most_likely(logits: &[f32], tokenizer: Option<&Tokenizer>) -> String {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = logits.iter().map(|l| f64::from(l - largest).exp()).sum();
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
    let mut text = "probability      logit     id  token\n".to_owned();
    for id in order.into_iter().take(LISTED) {
        let probability = f64::from(logits[id] - largest).exp() / total;
        let token = tokenizer.and_then(|t| t.decode(&[u32::try_from(id).ok()?]).ok()).unwrap_or_default();
        text += &format!("{probability:>11.4} {:>10.4} {id:>6}  {token:?}\n", logits[id]);
    }
    text
}
