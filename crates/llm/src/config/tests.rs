use super::*;

use serde_json::json;

fn parse(value: &Value) -> Result<LlmConfig, LlmError> {
    LlmConfig::from_json(value, Path::new("m/config.json"))
}

#[test]
fn smollm2_135m() {
    // The architecture keys of HuggingFaceTB/SmolLM2-135M's config.json.
    let value = json!({
        "architectures": ["LlamaForCausalLM"], "attention_bias": false, "hidden_act": "silu", "hidden_size": 576,
        "initializer_range": 0.041666666666666664, "intermediate_size": 1536, "max_position_embeddings": 8192,
        "model_type": "llama", "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3,
        "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_interleaved": false, "rope_scaling": null,
        "rope_theta": 100000, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "vocab_size": 49152
    });
    let config = parse(&value).unwrap();
    assert_eq!(config.head_dim, 64);
    assert_eq!((config.q_width(), config.kv_width()), (576, 192));
    assert_eq!(config.rope_theta, 1e5);
    assert_eq!(config.rms_norm_eps, 1e-5);
    assert!(config.tie_word_embeddings);
}

#[test]
fn absent_keys_take_the_defaults_of_transformers() {
    let config = parse(&json!({ "num_key_value_heads": null })).unwrap();
    assert_eq!(config.vocab_size, 32_000);
    assert_eq!(config.num_key_value_heads, 32);
    assert_eq!(config.head_dim, 128);
    assert_eq!(config.rms_norm_eps, 1e-6);
    assert_eq!(config.initializer_range, 0.02);
    assert!(!config.tie_word_embeddings);
}

#[test]
fn head_dim_may_differ_from_the_quotient() {
    let config = parse(&json!({ "hidden_size": 64, "num_attention_heads": 4, "head_dim": 32 })).unwrap();
    assert_eq!(config.q_width(), 128);
}

#[test]
fn newer_files_nest_the_rotary_base() {
    let config = parse(&json!({ "rope_parameters": { "rope_theta": 5e5, "rope_type": "default" } })).unwrap();
    assert_eq!(config.rope_theta, 5e5);
}

#[test]
fn other_models_are_refused_with_key_found_and_expected() {
    for (value, expected) in [
        (json!({ "model_type": "gpt2" }), "m/config.json: model_type: expected \"llama\", found \"gpt2\""),
        (json!({ "hidden_act": "gelu" }), "hidden_act: expected \"silu\", found \"gelu\""),
        (json!({ "attention_bias": true }), "attention_bias: expected false, found true"),
        (json!({ "rope_scaling": { "rope_type": "llama3" } }), "rope_scaling: expected null"),
        (json!({ "hidden_size": -1 }), "hidden_size: expected a whole number > 0, found -1"),
        (json!({ "hidden_size": "576" }), "hidden_size: expected a whole number > 0, found \"576\""),
        (json!({ "num_key_value_heads": 5 }), "num_key_value_heads: expected a divisor of"),
        (json!({ "rms_norm_eps": 0 }), "rms_norm_eps: expected a number > 0, found 0"),
        (json!({ "tie_word_embeddings": 1 }), "tie_word_embeddings: expected true or false, found 1"),
        (json!({ "head_dim": 5 }), "head_dim: expected an even number > 0, found 5"),
    ] {
        let text = parse(&value).unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_folder_without_a_config_or_with_a_broken_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    assert!(LlmConfig::read(dir.path()).unwrap_err().to_string().contains("config.json"));
    std::fs::write(dir.path().join("config.json"), "{").unwrap();
    assert!(LlmConfig::read(dir.path()).unwrap_err().to_string().contains("config.json: EOF"));
}
