//! `model_type = "llama"`, defaults of `transformers.LlamaConfig`.

use serde_json::{Map, Value, json};

use super::{Architecture, silu};
use crate::config::{Biases, Keys, Rope};
use crate::{LlmConfig, LlmError};

pub(super) fn read(keys: &Keys<'_>) -> Result<LlmConfig, LlmError> {
    silu(keys)?;
    keys.fixed("pretraining_tp", [json!(1)])?;
    let hidden_size = keys.size("hidden_size", 4096)?;
    let num_attention_heads = keys.size("num_attention_heads", 32)?;
    let max_position_embeddings = keys.size("max_position_embeddings", 2048)?;
    let attention_bias = keys.flag("attention_bias", false)?;
    Ok(LlmConfig {
        architecture: Architecture::Llama,
        vocab_size: keys.size("vocab_size", 32_000)?,
        hidden_size,
        intermediate_size: keys.size("intermediate_size", 11_008)?,
        num_hidden_layers: keys.size("num_hidden_layers", 32)?,
        num_attention_heads,
        num_key_value_heads: keys.size("num_key_value_heads", num_attention_heads)?,
        head_dim: keys.head_dim(hidden_size, num_attention_heads)?,
        max_position_embeddings,
        rope: Rope::read(keys, 10_000.0, max_position_embeddings)?,
        rms_norm_eps: keys.positive("rms_norm_eps", 1e-6)?,
        initializer_range: keys.positive("initializer_range", 0.02)?,
        tie_word_embeddings: keys.flag("tie_word_embeddings", false)?,
        bias: Biases { qkv: attention_bias, o: attention_bias, mlp: keys.flag("mlp_bias", false)? },
    })
}

/// The keys that Llama adds.
pub(super) fn write(config: &LlmConfig) -> Map<String, Value> {
    let flags = [("attention_bias", config.bias.qkv), ("mlp_bias", config.bias.mlp)];
    flags.map(|(key, flag)| (key.to_owned(), json!(flag))).into_iter().collect()
}
