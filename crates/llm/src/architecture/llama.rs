//! `model_type = "llama"`, defaults of `transformers.LlamaConfig`.

use serde_json::{Map, Value, json};

use super::{Architecture, Defaults, read_common};
use crate::config::{Biases, Keys};
use crate::{LlmConfig, LlmError};

const DEFAULTS: Defaults = Defaults {
    vocab_size: 32_000,
    intermediate_size: 11_008,
    num_key_value_heads: |heads| heads,
    max_position_embeddings: 2048,
};

pub(super) fn read(keys: &Keys<'_>) -> Result<LlmConfig, LlmError> {
    keys.fixed("pretraining_tp", [json!(1)])?;
    let attention = keys.flag("attention_bias", false)?;
    let bias = Biases { qkv: attention, o: attention, mlp: keys.flag("mlp_bias", false)? };
    read_common(keys, Architecture::Llama, bias, &DEFAULTS)
}

/// The keys that Llama adds.
pub(super) fn write(config: &LlmConfig) -> Map<String, Value> {
    let flags = [("attention_bias", config.bias.qkv), ("mlp_bias", config.bias.mlp)];
    flags.map(|(key, flag)| (key.to_owned(), json!(flag))).into_iter().collect()
}
