//! `model_type = "qwen2"`, defaults of `transformers.Qwen2Config`: biases on queries, keys and values, always.

use serde_json::Value;

use super::{Architecture, silu};
use crate::config::{Biases, Keys, Rope};
use crate::{LlmConfig, LlmError};

pub(super) fn read(keys: &Keys<'_>) -> Result<LlmConfig, LlmError> {
    silu(keys)?;
    let hidden_size = keys.size("hidden_size", 4096)?;
    let num_attention_heads = keys.size("num_attention_heads", 32)?;
    let max_position_embeddings = keys.size("max_position_embeddings", 32_768)?;
    // An explicit null means one per query head; an absent key means 32.
    let default_kv = match keys.value.get("num_key_value_heads") {
        Some(Value::Null) => num_attention_heads,
        _ => 32,
    };
    let config = LlmConfig {
        architecture: Architecture::Qwen2,
        vocab_size: keys.size("vocab_size", 151_936)?,
        hidden_size,
        intermediate_size: keys.size("intermediate_size", 22_016)?,
        num_hidden_layers: keys.size("num_hidden_layers", 32)?,
        num_attention_heads,
        num_key_value_heads: keys.size("num_key_value_heads", default_kv)?,
        head_dim: keys.head_dim(hidden_size, num_attention_heads)?,
        max_position_embeddings,
        rope: Rope::read(keys, 10_000.0, max_position_embeddings)?,
        rms_norm_eps: keys.positive("rms_norm_eps", 1e-6)?,
        initializer_range: keys.positive("initializer_range", 0.02)?,
        tie_word_embeddings: keys.flag("tie_word_embeddings", false)?,
        bias: Biases { qkv: true, o: false, mlp: false },
    };
    full_attention(keys, &config)?;
    Ok(config)
}

/// A window that no sequence reaches, or that no layer uses, changes nothing; any other is not computed here.
fn full_attention(keys: &Keys<'_>, config: &LlmConfig) -> Result<(), LlmError> {
    let used = keys.flag("use_sliding_window", false)?;
    // An explicit null is no window; an absent key is one of 4096.
    let none = keys.value.get("sliding_window").is_some_and(Value::is_null);
    let reached = !none && keys.size("sliding_window", 4096)? < config.max_position_embeddings;
    let slides = match keys.get("layer_types").and_then(Value::as_array) {
        Some(types) => types.iter().any(|t| t == "sliding_attention"),
        None => {
            let first = keys.get("max_window_layers").and_then(Value::as_u64).unwrap_or(28);
            first < config.num_hidden_layers as u64
        }
    };
    if used && reached && slides {
        return Err(keys.error("use_sliding_window", &used, "false: every layer attends to all tokens"));
    }
    Ok(())
}
