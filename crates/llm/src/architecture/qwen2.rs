//! `model_type = "qwen2"`, defaults of `transformers.Qwen2Config`: biases on queries, keys and values, always.

use serde_json::Value;

use super::{Architecture, Defaults, read_common};
use crate::config::{Biases, Keys};
use crate::{LlmConfig, LlmError};

const DEFAULTS: Defaults = Defaults {
    vocab_size: 151_936,
    intermediate_size: 22_016,
    num_key_value_heads: |_| 32,
    max_position_embeddings: 32_768,
};

pub(super) fn read(keys: &Keys<'_>) -> Result<LlmConfig, LlmError> {
    let bias = Biases { qkv: true, o: false, mlp: false };
    let config = read_common(keys, Architecture::Qwen2, bias, &DEFAULTS)?;
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
