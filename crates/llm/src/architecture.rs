//! Architectures by the `model_type` of their `config.json`. All are the one decoder of this crate; an architecture
//! says which keys describe it, what absent keys mean, and what its files are called. A new one is a file beside
//! `llama.rs` and a variant here.

mod llama;
mod qwen2;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::config::{Biases, Keys, Rope};
use crate::{LlmConfig, LlmError};

/// A family of checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// Llama 1 to 3, SmolLM, TinyLlama.
    Llama,
    /// Qwen2 and Qwen2.5.
    Qwen2,
}

impl Architecture {
    /// All that are known.
    pub const ALL: [Self; 2] = [Self::Llama, Self::Qwen2];

    /// `model_type` in `config.json`.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
        }
    }

    /// The class of `transformers` that loads it.
    pub fn class(self) -> &'static str {
        match self {
            Self::Llama => "LlamaForCausalLM",
            Self::Qwen2 => "Qwen2ForCausalLM",
        }
    }

    pub(crate) fn read(self, keys: &Keys<'_>) -> Result<LlmConfig, LlmError> {
        match self {
            Self::Llama => llama::read(keys),
            Self::Qwen2 => qwen2::read(keys),
        }
    }

    /// A whole `config.json`.
    pub(crate) fn write(self, config: &LlmConfig) -> Value {
        let mut json = common(config);
        json.extend(match self {
            Self::Llama => llama::write(config),
            Self::Qwen2 => Map::new(),
        });
        Value::Object(json)
    }
}

/// The architecture that `model_type` names.
pub(crate) fn named(keys: &Keys<'_>) -> Result<Architecture, LlmError> {
    let found = keys.get("model_type").unwrap_or(&Value::Null);
    let known = |a: &Architecture| found.as_str() == Some(a.model_type());
    Architecture::ALL.into_iter().find(known).ok_or_else(|| {
        let known = Architecture::ALL.map(|a| format!("\"{}\"", a.model_type())).join(" or ");
        keys.error("model_type", found, known)
    })
}

/// The keys that every architecture writes.
fn common(config: &LlmConfig) -> Map<String, Value> {
    let json = json!({
        "architectures": [config.architecture.class()],
        "model_type": config.architecture.model_type(),
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": config.num_key_value_heads,
        "head_dim": config.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": config.max_position_embeddings,
        "rope_theta": config.rope.theta,
        "rope_scaling": config.rope.scaling_json(),
        "rms_norm_eps": config.rms_norm_eps,
        "initializer_range": config.initializer_range,
        "tie_word_embeddings": config.tie_word_embeddings,
    });
    match json {
        Value::Object(map) => map,
        _ => unreachable!("an object was written"),
    }
}

/// What absent keys mean, where architectures differ.
struct Defaults {
    vocab_size: usize,
    intermediate_size: usize,
    /// By the number of query heads.
    num_key_value_heads: fn(usize) -> usize,
    max_position_embeddings: usize,
}

/// Reads the keys that every architecture has.
fn read_common(
    keys: &Keys<'_>,
    architecture: Architecture,
    bias: Biases,
    defaults: &Defaults,
) -> Result<LlmConfig, LlmError> {
    keys.fixed("hidden_act", [json!("silu"), json!("swish")])?;
    let hidden_size = keys.size("hidden_size", 4096)?;
    let heads = keys.size("num_attention_heads", 32)?;
    let max_position_embeddings = keys.size("max_position_embeddings", defaults.max_position_embeddings)?;
    // An explicit null is one per query head everywhere.
    let kv_heads = match keys.value.get("num_key_value_heads") {
        Some(Value::Null) => heads,
        _ => keys.size("num_key_value_heads", (defaults.num_key_value_heads)(heads))?,
    };
    Ok(LlmConfig {
        architecture,
        vocab_size: keys.size("vocab_size", defaults.vocab_size)?,
        hidden_size,
        intermediate_size: keys.size("intermediate_size", defaults.intermediate_size)?,
        num_hidden_layers: keys.up_to("num_hidden_layers", 32, 10_000)?,
        num_attention_heads: heads,
        num_key_value_heads: kv_heads,
        head_dim: keys.head_dim(hidden_size, heads)?,
        max_position_embeddings,
        rope: Rope::read(keys, 10_000.0, max_position_embeddings)?,
        rms_norm_eps: keys.positive("rms_norm_eps", 1e-6)?,
        initializer_range: keys.positive("initializer_range", 0.02)?,
        tie_word_embeddings: keys.flag("tie_word_embeddings", false)?,
        bias,
    })
}
