//! Shape and constants of a decoder, whatever architecture described them.

mod keys;
mod rope;

#[cfg(test)]
mod tests;

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::LlmError;
use crate::architecture::{self, Architecture};

pub(crate) use keys::Keys;
pub use rope::{Rope, RopeScaling};

/// A decoder with RMSNorm, rotary embedding, grouped-query attention and a gated MLP. Names are those of
/// `transformers`' `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LlmConfig {
    /// Who reads and writes its `config.json`.
    #[serde(rename = "model_type")]
    pub architecture: Architecture,
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
    /// Rotary frequencies.
    pub rope: Rope,
    /// Added to the mean square in RMSNorm.
    pub rms_norm_eps: f64,
    /// Standard deviation of random weights.
    pub initializer_range: f64,
    /// Whether the language model head is the embedding.
    pub tie_word_embeddings: bool,
    /// Projections with a bias.
    pub bias: Biases,
}

/// Which projections add a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Biases {
    /// Queries, keys and values.
    pub qkv: bool,
    /// Attention output.
    pub o: bool,
    /// Gate, up and down.
    pub mlp: bool,
}

/// Numbers in a matrix at most.
const LARGEST_MATRIX: usize = 1 << 34;

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
        let config = architecture::named(&keys)?.read(&keys)?;
        let LlmConfig { num_attention_heads, num_key_value_heads, head_dim, .. } = config;
        if !num_attention_heads.is_multiple_of(num_key_value_heads) {
            let expected = format!("a divisor of num_attention_heads ({num_attention_heads})");
            return Err(keys.error("num_key_value_heads", &num_key_value_heads, expected));
        }
        if head_dim == 0 || !head_dim.is_multiple_of(2) {
            return Err(keys.error("head_dim", &head_dim, "an even number > 0"));
        }
        // Products below are within their type, and no larger model is published.
        let matrices = [
            ("vocab_size", config.vocab_size),
            ("intermediate_size", config.intermediate_size),
            ("head_dim", num_attention_heads.saturating_mul(head_dim)),
        ];
        for (key, width) in matrices {
            if width.saturating_mul(config.hidden_size) > LARGEST_MATRIX {
                let found = format!("a matrix of {width} by {} (hidden_size)", config.hidden_size);
                return Err(keys.error(key, &found, format!("at most {LARGEST_MATRIX} numbers")));
            }
        }
        Ok(config)
    }

    /// Checks that there is a row of the embedding for each of `needed` token ids; `dir` is the model's folder.
    ///
    /// # Errors
    /// When the tokenizer has more ids. Fewer are fine: published embeddings are padded.
    pub fn check_vocabulary(&self, dir: &Path, needed: usize) -> Result<(), LlmError> {
        if needed <= self.vocab_size {
            return Ok(());
        }
        Err(LlmError::Config {
            path: dir.join("config.json"),
            key: "vocab_size".to_owned(),
            found: self.vocab_size.to_string(),
            expected: format!("at least {needed}, the ids of tokenizer.json"),
        })
    }

    /// Its `config.json`, with the keys of its architecture.
    pub fn to_json(&self) -> Value {
        self.architecture.write(self)
    }

    /// Numbers in the matrices of one layer.
    pub fn layer_values(&self) -> usize {
        self.hidden_size * (2 * (self.q_width() + self.kv_width()) + 3 * self.intermediate_size)
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
