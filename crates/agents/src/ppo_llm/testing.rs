//! A small model in a folder, for the tests of agents that read prompts.

use std::path::Path;

use prompt::PromptConfig;
use serde_json::json;
use trading_env::SplitName;

use crate::testing::{arena, reverting_market};

/// A folder with a two-layer model of random weights and a byte-level tokenizer.
pub fn model_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path());
    dir
}

pub fn write_model(dir: &Path) {
    let config = json!({
        "model_type": "llama", "vocab_size": 512, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512, "tie_word_embeddings": true,
        "rms_norm_eps": 1e-5, "initializer_range": 0.2,
    });
    std::fs::write(dir.join("config.json"), config.to_string()).unwrap();
    // Trained on prompts themselves, so that they are short.
    let envs = arena(reverting_market(1, 30), SplitName::Train).evaluation();
    let parts = prompt_config().render(&envs.observe(0));
    let numbers = "Shares gain on strong demand. Shares slip on weak demand. 99 100 101 0.5 -0.5";
    let texts = [parts.shared.as_str(), parts.own.as_str(), numbers];
    let tokenizer = prompt::train_bpe(texts.into_iter().cycle().take(9), 512).unwrap();
    std::fs::write(dir.join("tokenizer.json"), tokenizer).unwrap();
    let template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}<assistant>";
    let config = json!({ "chat_template": template });
    std::fs::write(dir.join("tokenizer_config.json"), config.to_string()).unwrap();
}

/// Prompts that the model has room for.
pub fn prompt_config() -> PromptConfig {
    PromptConfig { history: 4, max_tokens: Some(400), ..PromptConfig::default() }
}
