//! The `config.json` of a Llama-family model, with Hugging Face's keys and defaults.

#[cfg(test)]
mod tests;

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::LlmError;

/// Shape and constants of a Llama decoder. Names are those of `transformers.LlamaConfig`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LlmConfig {
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Width of the residual stream, `d_model`.
    pub hidden_size: usize,
    /// Width of the gated MLP.
    pub intermediate_size: usize,
    /// Decoder layers.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads; divides the query heads.
    pub num_key_value_heads: usize,
    /// Width of one head, even.
    pub head_dim: usize,
    /// Longest sequence, in tokens.
    pub max_position_embeddings: usize,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Added to the mean square in RMSNorm.
    pub rms_norm_eps: f64,
    /// Standard deviation of random weights.
    pub initializer_range: f64,
    /// Whether the language model head is the embedding.
    pub tie_word_embeddings: bool,
}

impl LlmConfig {
    /// Reads `config.json` of a model folder.
    pub fn read(dir: &Path) -> Result<Self, LlmError> {
        let path = dir.join("config.json");
        let text = std::fs::read_to_string(&path).map_err(|e| LlmError::io(&path, e))?;
        let value: Value = serde_json::from_str(&text)
            .map_err(|e| LlmError::Malformed { path: path.clone(), problem: e.to_string() })?;
        Self::from_json(&value, &path)
    }

    /// Interprets a parsed `config.json`; `path` is for messages. Keys that do not change the computation are
    /// ignored, as `transformers` does; keys that would change it into something else are errors.
    pub fn from_json(value: &Value, path: &Path) -> Result<Self, LlmError> {
        let keys = Keys { value, path };
        keys.fixed("model_type", "llama")?;
        keys.fixed("hidden_act", "silu")?;
        keys.fixed("attention_bias", false)?;
        keys.fixed("mlp_bias", false)?;
        keys.fixed("pretraining_tp", 1)?;
        for rope in ["rope_scaling", "rope_parameters"] {
            keys.plain_rope(rope)?;
        }
        let hidden_size = keys.size("hidden_size", 4096)?;
        let num_attention_heads = keys.size("num_attention_heads", 32)?;
        let num_key_value_heads = keys.size("num_key_value_heads", num_attention_heads)?;
        let head_dim = keys.size("head_dim", hidden_size / num_attention_heads)?;
        let nested = value.get("rope_parameters").filter(|v| v.get("rope_theta").is_some());
        let rope = Keys { value: nested.unwrap_or(value), path };
        let config = Self {
            vocab_size: keys.size("vocab_size", 32_000)?,
            hidden_size,
            intermediate_size: keys.size("intermediate_size", 11_008)?,
            num_hidden_layers: keys.size("num_hidden_layers", 32)?,
            num_attention_heads,
            num_key_value_heads,
            head_dim,
            max_position_embeddings: keys.size("max_position_embeddings", 2048)?,
            rope_theta: rope.positive("rope_theta", 10_000.0)?,
            rms_norm_eps: keys.positive("rms_norm_eps", 1e-6)?,
            initializer_range: keys.positive("initializer_range", 0.02)?,
            tie_word_embeddings: keys.flag("tie_word_embeddings", false)?,
        };
        if !num_attention_heads.is_multiple_of(num_key_value_heads) {
            let expected = format!("a divisor of num_attention_heads ({num_attention_heads})");
            return Err(keys.error("num_key_value_heads", &num_key_value_heads, expected));
        }
        if config.head_dim == 0 || !config.head_dim.is_multiple_of(2) {
            return Err(keys.error("head_dim", &config.head_dim, "an even number > 0"));
        }
        Ok(config)
    }

    /// Width of all query heads together.
    pub fn q_width(&self) -> usize {
        self.num_attention_heads * self.head_dim
    }

    /// Width of all key (or value) heads together.
    pub fn kv_width(&self) -> usize {
        self.num_key_value_heads * self.head_dim
    }
}

/// Lookups that name key, found and expected.
struct Keys<'a> {
    value: &'a Value,
    path: &'a Path,
}

impl Keys<'_> {
    fn error(&self, key: &str, found: &impl ToString, expected: impl Into<String>) -> LlmError {
        LlmError::Config {
            path: self.path.to_owned(),
            key: key.to_owned(),
            found: found.to_string(),
            expected: expected.into(),
        }
    }

    /// The value under `key`; `null` counts as absent, as in Python.
    fn get(&self, key: &str) -> Option<&Value> {
        self.value.get(key).filter(|v| !v.is_null())
    }

    fn size(&self, key: &str, default: usize) -> Result<usize, LlmError> {
        let Some(found) = self.get(key) else { return Ok(default) };
        match found.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(n) if n > 0 => Ok(n),
            _ => Err(self.error(key, found, "a whole number > 0")),
        }
    }

    fn positive(&self, key: &str, default: f64) -> Result<f64, LlmError> {
        let Some(found) = self.get(key) else { return Ok(default) };
        match found.as_f64() {
            Some(x) if x > 0.0 && x.is_finite() => Ok(x),
            _ => Err(self.error(key, found, "a number > 0")),
        }
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, LlmError> {
        match self.get(key) {
            None => Ok(default),
            Some(found) => found.as_bool().ok_or_else(|| self.error(key, found, "true or false")),
        }
    }

    /// A key that must be absent or have the one value this decoder computes.
    fn fixed(&self, key: &str, accepted: impl Into<Value>) -> Result<(), LlmError> {
        let accepted = accepted.into();
        match self.get(key) {
            Some(found) if *found != accepted => Err(self.error(key, found, accepted.to_string())),
            _ => Ok(()),
        }
    }

    /// Rotary frequencies without scaling.
    fn plain_rope(&self, key: &str) -> Result<(), LlmError> {
        let Some(rope) = self.get(key) else { return Ok(()) };
        match rope.get("rope_type").or_else(|| rope.get("type")) {
            None if rope.is_object() => Ok(()),
            Some(Value::String(kind)) if kind == "default" => Ok(()),
            _ => Err(self.error(key, rope, "null or {\"rope_type\": \"default\"}")),
        }
    }
}
