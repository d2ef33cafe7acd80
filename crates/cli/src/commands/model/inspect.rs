//! `model inspect`: facts of a model folder, without computing anything.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use llm::checkpoint::Checkpoint;
use llm::{Footprint, LlmConfig, LoraSpec, Projection, RopeScaling, TrainSpec};
use plugin::Imported;
use prompt::{ChatTemplate, Tokenizer};
use serde_json::{Value, json};

use super::folder;
use crate::failure::Failure;
use crate::output::{self, Format};

/// Arguments of `model inspect`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder in Hugging Face layout, or the name of a fetched repository.
    dir: PathBuf,
    /// Layers trained from the top, with the final norm.
    #[arg(long, value_name = "N", default_value_t = 2)]
    n_trainable_layers: usize,
    /// Groups trained in place of the top layers: embedding, layers.3, layers.26-29, norm.
    #[arg(long, value_name = "GROUP,...", value_delimiter = ',')]
    trainable: Vec<String>,
    /// Rank of LoRA adapters in place of full training; 0 is none.
    #[arg(long, value_name = "R", default_value_t = 0)]
    lora_rank: usize,
    /// Projections that get adapters: q, k, v, o, gate, up, down.
    #[arg(long, value_name = "P,...", value_delimiter = ',', value_parser = projection)]
    lora_targets: Vec<Projection>,
    /// Tokens of a prompt, for the activations.
    #[arg(long, value_name = "N", default_value_t = 256)]
    tokens: usize,
    /// Prompts of a minibatch, for the activations.
    #[arg(long, value_name = "N", default_value_t = 32)]
    batch: usize,
    /// How to print the result.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

fn projection(text: &str) -> Result<Projection, String> {
    serde_json::from_value(Value::from(text)).map_err(|_| {
        let near = plugin::did_you_mean(text, ["gate", "up", "down"]);
        format!("expected q, k, v, o, gate, up or down{near}")
    })
}

/// `model inspect`.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let dir = folder(&args.dir)?;
    let config = LlmConfig::read(&dir)?;
    let mut lora = LoraSpec { rank: args.lora_rank, ..LoraSpec::default() };
    if !args.lora_targets.is_empty() {
        lora.targets.clone_from(&args.lora_targets);
    }
    let spec =
        TrainSpec { n_trainable_layers: args.n_trainable_layers, trainable: args.trainable.clone(), lora };
    let plan =
        spec.plan(&config).map_err(|e| Failure::wrong(format!("--{}", e.to_string().replace('_', "-"))))?;
    let footprint = Footprint::new(&config, &plan, args.lora_rank, args.tokens);
    let weights = weights(&dir, &config)?;
    let tokenizer = tokenizer(&dir, &config)?;
    let imported = agents::imported(&dir).map_err(Failure::wrong)?;
    match args.format {
        Format::Json => output::print_json(&json!({
            "config": config.to_json(),
            "boundary": plan.boundary(),
            "footprint": footprint,
            "weights": weights,
            "tokenizer": tokenizer,
            "imported": imported,
        })),
        Format::Text => {
            let mut text = text(args, &config, &footprint, plan.boundary(), &weights, &tokenizer);
            if let Some(Imported { file, sha256, quantisation }) = imported {
                text += &format!("{:<18} {file} ({quantisation}), sha256 {sha256}\n", "imported");
            }
            output::print(&text);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Files and stored types; null for a folder that has a shape only. Every tensor is checked against the config.
fn weights(dir: &Path, config: &LlmConfig) -> Result<Value, Failure> {
    let any = |name: &str| dir.join(name).exists();
    if ![llm::checkpoint::SINGLE, llm::checkpoint::INDEX, "pytorch_model.bin"].into_iter().any(any) {
        return Ok(Value::Null);
    }
    let checkpoint = Checkpoint::open(dir)?;
    checkpoint.check(config)?;
    Ok(json!({ "files": checkpoint.n_files(), "bytes": checkpoint.bytes(), "types": checkpoint.types() }))
}

fn tokenizer(dir: &Path, config: &LlmConfig) -> Result<Value, Failure> {
    let path = dir.join("tokenizer.json");
    if !path.exists() {
        return Ok(Value::Null);
    }
    let tokenizer = Tokenizer::from_file(&path).map_err(|e| Failure::wrong(e.to_string()))?;
    let size = tokenizer.vocab_size();
    config.check_vocabulary(dir, size)?;
    let start: Vec<Value> =
        tokenizer.prefix().iter().map(|id| json!(tokenizer.decode(&[*id]).ok())).collect();
    Ok(json!({
        "kind": tokenizer.kind(),
        "vocab_size": size,
        "special_tokens": tokenizer.special_tokens(),
        "start": start,
        "chat_template": ChatTemplate::from_dir(dir).is_ok(),
    }))
}

fn text(
    args: &Args,
    config: &LlmConfig,
    footprint: &Footprint,
    boundary: usize,
    weights: &Value,
    tokenizer: &Value,
) -> String {
    let Footprint { parameters, trainable, .. } = *footprint;
    let rope = match config.rope.scaling {
        RopeScaling::Default => String::new(),
        RopeScaling::Linear { factor } => format!(", linear scaling by {factor}"),
        RopeScaling::Llama3 { factor, .. } => format!(", llama3 scaling by {factor}"),
    };
    let stored = match weights {
        Value::Null => "none in the folder".to_owned(),
        found => format!(
            "{} in {} file(s), {}",
            size(found["bytes"].as_u64().unwrap_or_default() as usize),
            found["files"],
            found["types"]
                .as_object()
                .map(|t| t.keys().cloned().collect::<Vec<_>>().join(", "))
                .unwrap_or_default()
        ),
    };
    let vocabulary = match tokenizer {
        Value::Null => "no tokenizer.json in the folder".to_owned(),
        found => format!(
            "{}, {} ids, special tokens {}, starts with {}, {} chat template",
            found["kind"].as_str().unwrap_or_default(),
            found["vocab_size"],
            found["special_tokens"],
            found["start"],
            if found["chat_template"] == true { "with" } else { "no" }
        ),
    };
    let lines = [
        (
            "architecture",
            format!(
                "{} ({}), {} layers of width {}, MLP {}, {} heads of {} on {} key/value heads, {} head",
                config.architecture.model_type(),
                config.architecture.class(),
                config.num_hidden_layers,
                config.hidden_size,
                config.intermediate_size,
                config.num_attention_heads,
                config.head_dim,
                config.num_key_value_heads,
                if config.tie_word_embeddings { "tied" } else { "untied" },
            ),
        ),
        (
            "context",
            format!("{} tokens, rotary base {}{rope}", config.max_position_embeddings, config.rope.theta),
        ),
        ("parameters", format!("{parameters}")),
        (
            "trainable",
            format!(
                "{trainable} ({:.2} %), frozen below layer {boundary} of {}; heads not counted",
                100.0 * trainable as f64 / parameters as f64,
                config.num_hidden_layers
            ),
        ),
        ("stored", stored),
        ("weights in memory", format!("{} as f32, shared by all seeds", size(footprint.weights_bytes))),
        (
            "training",
            format!("{} per seed: trained tensors, gradients, Adam", size(footprint.training_bytes)),
        ),
        (
            "activations",
            format!(
                "{} for a minibatch of {} x {} tokens",
                size(footprint.activation_bytes_per_token * args.batch * args.tokens),
                args.batch,
                args.tokens
            ),
        ),
        (
            "prefix cache",
            format!(
                "{} per prompt of {} tokens",
                size(footprint.prefix_bytes_per_token * args.tokens),
                args.tokens
            ),
        ),
        ("tokenizer", vocabulary),
    ];
    lines.iter().map(|(name, value)| format!("{name:<18} {value}\n")).collect()
}

/// Bytes in a unit that leaves one to three digits before the point.
fn size(bytes: usize) -> String {
    let mut value = bytes as f64;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB"].into_iter().peekable();
    while value >= 1000.0 && units.len() > 1 {
        value /= 1024.0;
        units.next();
    }
    let unit = units.next().unwrap_or_default();
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}
