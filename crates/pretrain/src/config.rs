//! `config.json` and `tokenizer_config.json` of a pretrained model.

use prompt::{END_OF_TEXT, END_OF_TEXT_ID};
use serde_json::{Value, json};

use crate::Recipe;
use crate::recipe::{HEAD_DIM, MAX_POSITIONS};

/// The architecture: heads of 32, half as many of keys, an MLP three times as wide as the model, a tied head.
/// `initializer_range` is `1 / sqrt(width)` rather than 0.02, so that random attention tells tokens apart: it also
/// draws the random twin of the model.
pub(crate) fn model_config(recipe: &Recipe, vocab: usize) -> Value {
    let heads = recipe.width / HEAD_DIM;
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": recipe.width,
        "intermediate_size": 3 * recipe.width,
        "num_hidden_layers": recipe.layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads / 2,
        "head_dim": HEAD_DIM,
        "max_position_embeddings": MAX_POSITIONS,
        "rope_theta": 10000.0,
        "rms_norm_eps": 1e-5,
        "initializer_range": (1000.0 / (recipe.width as f64).sqrt()).round() / 1000.0,
        "tie_word_embeddings": true,
        "bos_token_id": END_OF_TEXT_ID,
        "eos_token_id": END_OF_TEXT_ID,
        "torch_dtype": "float16",
        "vocab_size": vocab,
    })
}

/// What `AutoTokenizer` needs to know besides `tokenizer.json`.
pub(crate) fn tokenizer_config() -> Value {
    json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "clean_up_tokenization_spaces": false,
        "model_max_length": MAX_POSITIONS,
    })
}
