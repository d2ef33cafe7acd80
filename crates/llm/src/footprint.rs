//! Parameters and memory of a model under a training spec, counted from its shape.

#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::names::model_tensors;
use crate::{LlmConfig, TrainPlan};

/// Bytes of an f32.
const F32: usize = size_of::<f32>();

/// What a model and its training hold. Bytes are those of f32 tensors; heads, prompts and the allocator's reserve come
/// on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Footprint {
    /// Numbers in the model's tensors.
    pub parameters: usize,
    /// Numbers that are trained: those of fully trained tensors and of adapters.
    pub trainable: usize,
    /// The frozen model, shared by all seeds.
    pub weights_bytes: usize,
    /// Per seed: trained tensors, their gradients, and Adam's two moments.
    pub training_bytes: usize,
    /// Per token of a minibatch: what the trained layers keep for the backward pass.
    pub activation_bytes_per_token: usize,
    /// Per cached prompt token: keys and values below the freeze boundary, and the hidden state there.
    pub prefix_bytes_per_token: usize,
}

impl Footprint {
    /// Counts for sequences of `tokens` tokens.
    pub fn new(config: &LlmConfig, plan: &TrainPlan, rank: usize, tokens: usize) -> Self {
        let parameters = model_tensors(config).iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
        let trainable = trainable(config, plan, rank);
        let (d, boundary) = (config.hidden_size, plan.boundary());
        let trained_layers = config.num_hidden_layers - boundary;
        let keys_and_values = 2 * config.kv_width() * boundary;
        let hidden = if plan.embedding || trained_layers == 0 { 0 } else { d };
        Self {
            parameters,
            trainable,
            weights_bytes: F32 * parameters,
            training_bytes: 4 * F32 * trainable,
            activation_bytes_per_token: F32 * trained_layers * kept_per_token(config, tokens),
            prefix_bytes_per_token: F32 * (if plan.embedding { 0 } else { keys_and_values } + hidden),
        }
    }
}

fn trainable(config: &LlmConfig, plan: &TrainPlan, rank: usize) -> usize {
    let d = config.hidden_size;
    let mut n = if plan.embedding { config.vocab_size * d } else { 0 } + if plan.norm { d } else { 0 };
    for (layer, (full, adapted)) in plan.full.iter().zip(&plan.adapted).enumerate() {
        if *full {
            let tensors = crate::names::layer_tensors(config, layer);
            n += tensors.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum::<usize>();
        }
        n += adapted.iter().map(|p| rank * p.shape(config).iter().sum::<usize>()).sum::<usize>();
    }
    n
}

/// Numbers that one layer keeps per token: inputs and outputs of both norms, queries, keys and values before and after
/// rotation, the attention weights, the mixed values, and the five tensors of the MLP's width.
fn kept_per_token(config: &LlmConfig, tokens: usize) -> usize {
    let (d, q, kv, ff) = (config.hidden_size, config.q_width(), config.kv_width(), config.intermediate_size);
    4 * d + 3 * q + 3 * kv + config.num_attention_heads * tokens + 5 * ff
}
