//! Hugging Face's tensor names and shapes, the same for every architecture of the family.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::LlmConfig;

/// The embedding.
pub(crate) const EMBEDDING: &str = "model.embed_tokens.weight";
/// The final norm.
pub(crate) const NORM: &str = "model.norm.weight";
/// The language model head, absent where it is the embedding.
pub(crate) const LM_HEAD: &str = "lm_head.weight";

/// The seven matrices of a decoder layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Projection {
    /// Queries.
    Q,
    /// Keys.
    K,
    /// Values.
    V,
    /// Attention output.
    O,
    /// Gate of the MLP.
    Gate,
    /// Up-projection of the MLP.
    Up,
    /// Down-projection of the MLP.
    Down,
}

impl Projection {
    /// All seven in the order of a forward pass.
    pub const ALL: [Projection; 7] = [Self::Q, Self::K, Self::V, Self::O, Self::Gate, Self::Up, Self::Down];

    /// Those that read the normed input of the attention.
    pub(crate) const QKV: [Projection; 3] = [Self::Q, Self::K, Self::V];
    /// Those that read the normed input of the MLP.
    pub(crate) const GATE_UP: [Projection; 2] = [Self::Gate, Self::Up];

    /// Module path within a layer.
    fn module(self) -> &'static str {
        match self {
            Self::Q => "self_attn.q_proj",
            Self::K => "self_attn.k_proj",
            Self::V => "self_attn.v_proj",
            Self::O => "self_attn.o_proj",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
        }
    }

    /// Name of its module without its path, for example `q_proj`.
    pub(crate) fn module_name(self) -> &'static str {
        let path = self.module();
        path.rsplit_once('.').map_or(path, |(_, name)| name)
    }

    /// Name of its module in layer `layer`, without `.weight`.
    pub(crate) fn name(self, layer: usize) -> String {
        format!("model.layers.{layer}.{}", self.module())
    }

    /// Name of its weight in layer `layer`.
    pub(crate) fn weight(self, layer: usize) -> String {
        format!("{}.weight", self.name(layer))
    }

    /// Name of its bias in layer `layer`.
    pub(crate) fn bias(self, layer: usize) -> String {
        format!("{}.bias", self.name(layer))
    }

    /// Whether the model adds a bias to it.
    pub(crate) fn has_bias(self, config: &LlmConfig) -> bool {
        match self {
            Self::Q | Self::K | Self::V => config.bias.qkv,
            Self::O => config.bias.o,
            Self::Gate | Self::Up | Self::Down => config.bias.mlp,
        }
    }

    /// Names and on-disk shapes of its weight and, where it has one, its bias.
    pub(crate) fn tensors(self, config: &LlmConfig, layer: usize) -> Vec<(String, Vec<usize>)> {
        let [d_out, d_in] = self.shape(config);
        let mut tensors = vec![(self.weight(layer), vec![d_out, d_in])];
        if self.has_bias(config) {
            tensors.push((self.bias(layer), vec![d_out]));
        }
        tensors
    }

    /// `[d_out, d_in]`.
    pub(crate) fn shape(self, config: &LlmConfig) -> [usize; 2] {
        let d = config.hidden_size;
        match self {
            Self::Q => [config.q_width(), d],
            Self::K | Self::V => [config.kv_width(), d],
            Self::O => [d, config.q_width()],
            Self::Gate | Self::Up => [config.intermediate_size, d],
            Self::Down => [d, config.intermediate_size],
        }
    }
}

/// Norm before the attention of layer `layer`.
pub(crate) fn input_norm(layer: usize) -> String {
    format!("model.layers.{layer}.input_layernorm.weight")
}

/// Norm before the MLP of layer `layer`.
pub(crate) fn post_norm(layer: usize) -> String {
    format!("model.layers.{layer}.post_attention_layernorm.weight")
}

/// Names and on-disk shapes of one layer, in the order of a forward pass.
pub(crate) fn layer_tensors(config: &LlmConfig, layer: usize) -> Vec<(String, Vec<usize>)> {
    let projection = |p: &Projection| p.tensors(config, layer);
    let norm = |name: String| (name, vec![config.hidden_size]);
    let mut tensors = vec![norm(input_norm(layer))];
    tensors.extend(Projection::ALL[..4].iter().flat_map(projection));
    tensors.push(norm(post_norm(layer)));
    tensors.extend(Projection::ALL[4..].iter().flat_map(projection));
    tensors
}

/// Names and on-disk shapes of a whole model.
pub(crate) fn model_tensors(config: &LlmConfig) -> Vec<(String, Vec<usize>)> {
    let embedding = vec![config.vocab_size, config.hidden_size];
    let mut tensors = vec![(EMBEDDING.to_owned(), embedding.clone())];
    tensors.extend((0..config.num_hidden_layers).flat_map(|layer| layer_tensors(config, layer)));
    tensors.push((NORM.to_owned(), vec![config.hidden_size]));
    if !config.tie_word_embeddings {
        tensors.push((LM_HEAD.to_owned(), embedding));
    }
    tensors
}
