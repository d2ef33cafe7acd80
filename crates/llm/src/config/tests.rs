use super::*;

use serde_json::json;

/// The keys of `changes` over a minimal file of `model_type`.
fn parse_as(model_type: &str, changes: &Value) -> Result<LlmConfig, LlmError> {
    let mut value = json!({ "model_type": model_type });
    for (key, change) in changes.as_object().unwrap() {
        value[key] = change.clone();
    }
    LlmConfig::from_json(&value, Path::new("m/config.json"))
}

fn parse(changes: &Value) -> Result<LlmConfig, LlmError> {
    parse_as("llama", changes)
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
    assert_eq!(config.rope, Rope { theta: 1e5, scaling: RopeScaling::Default });
    assert_eq!(config.rms_norm_eps, 1e-5);
    assert_eq!(config.bias, Biases::default());
    assert!(config.tie_word_embeddings);
}

#[test]
fn qwen2_5_0_5b() {
    // The architecture keys of Qwen/Qwen2.5-0.5B's config.json.
    let value = json!({
        "hidden_act": "silu", "hidden_size": 896, "initializer_range": 0.02, "intermediate_size": 4864,
        "max_position_embeddings": 32768, "max_window_layers": 24, "num_attention_heads": 14,
        "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
        "sliding_window": 32768, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "use_mrope": false,
        "use_sliding_window": false, "vocab_size": 151936
    });
    let config = parse_as("qwen2", &value).unwrap();
    assert_eq!((config.head_dim, config.kv_width()), (64, 128));
    assert_eq!(config.bias, Biases { qkv: true, o: false, mlp: false });
    assert_eq!(config.rope.theta, 1e6);
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
    let config =
        parse_as("qwen2", &json!({ "hidden_size": 64, "num_attention_heads": 64, "head_dim": 2 })).unwrap();
    assert_eq!((config.vocab_size, config.max_position_embeddings), (151_936, 32_768));
    // Absent: 32. Null: one for each query head.
    assert_eq!(config.num_key_value_heads, 32);
    let null = json!({ "num_attention_heads": 8, "num_key_value_heads": null });
    assert_eq!(parse_as("qwen2", &null).unwrap().num_key_value_heads, 8);
}

#[test]
fn head_dim_may_differ_from_the_quotient() {
    let config = parse(&json!({ "hidden_size": 64, "num_attention_heads": 4, "head_dim": 32 })).unwrap();
    assert_eq!(config.q_width(), 128);
}

#[test]
fn newer_files_nest_the_rotary_base() {
    let config = parse(&json!({ "rope_parameters": { "rope_theta": 5e5, "rope_type": "default" } })).unwrap();
    assert_eq!(config.rope.theta, 5e5);
}

#[test]
fn scalings_under_old_and_new_keys() {
    let llama3 = json!({ "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192, "rope_theta": 500000.0 });
    let old = parse(&json!({ "rope_theta": 500000.0, "rope_scaling": llama3 })).unwrap();
    let new = parse(&json!({ "rope_parameters": llama3 })).unwrap();
    assert_eq!(old.rope, new.rope);
    assert!(matches!(old.rope.scaling, RopeScaling::Llama3 { factor: 8.0, .. }));
    let linear = parse(&json!({ "rope_scaling": { "type": "linear", "factor": 4 } })).unwrap();
    assert_eq!(linear.rope.scaling, RopeScaling::Linear { factor: 4.0 });
    // Changes nothing up to max_position_embeddings.
    let dynamic = parse(&json!({ "rope_scaling": { "type": "dynamic", "factor": 2.0 } })).unwrap();
    assert_eq!(dynamic.rope.scaling, RopeScaling::Default);
}

#[test]
fn frequencies_by_hand() {
    let rope = |scaling| Rope { theta: 100.0, scaling };
    assert_eq!(rope(RopeScaling::Default).frequencies(4), [1.0, 0.1]);
    assert_eq!(rope(RopeScaling::Linear { factor: 4.0 }).frequencies(4), [0.25, 0.025]);
    // Turns within 20 pi positions: 10 for frequency 1, which is kept (10 > 6); 1 for 0.1, divided (1 < 2).
    let llama3 = |low_freq_factor| RopeScaling::Llama3 {
        factor: 2.0,
        low_freq_factor,
        high_freq_factor: 6.0,
        original_max_position_embeddings: 20.0 * std::f64::consts::PI,
    };
    assert_eq!(rope(llama3(2.0)).frequencies(4), [1.0, 0.05]);
    // Between the two bounds: (1 - 0.5) / (6 - 0.5) = 1/11 is kept, the rest divided.
    let between = 0.1 / 11.0 + 0.05 * 10.0 / 11.0;
    assert!((f64::from(rope(llama3(0.5)).frequencies(4)[1]) - between).abs() < 1e-8);
}

#[test]
fn what_is_written_reads_as_itself() {
    let llama3 = json!({ "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192 });
    for config in [
        parse(&json!({ "attention_bias": true, "mlp_bias": true, "rope_scaling": llama3 })).unwrap(),
        parse(&json!({ "rope_scaling": { "type": "linear", "factor": 4 }, "head_dim": 6 })).unwrap(),
        parse_as("qwen2", &json!({ "tie_word_embeddings": true })).unwrap(),
    ] {
        assert_eq!(LlmConfig::from_json(&config.to_json(), Path::new("")).unwrap(), config);
    }
}

#[test]
fn windows_that_nothing_reaches_are_ignored() {
    let with = |used: bool, window: Value, first: usize| {
        parse_as(
            "qwen2",
            &json!({ "use_sliding_window": used, "sliding_window": window, "max_window_layers": first }),
        )
    };
    assert!(with(false, json!(128), 0).is_ok());
    assert!(with(false, Value::Null, 0).is_ok());
    assert!(with(true, json!(32_768), 0).is_ok());
    assert!(with(true, json!(128), 32).is_ok());
    assert!(with(true, Value::Null, 0).is_ok());
    let full =
        json!({ "use_sliding_window": true, "sliding_window": 128, "layer_types": ["full_attention"] });
    assert!(parse_as("qwen2", &full).is_ok());
    let error = with(true, json!(128), 31).unwrap_err().to_string();
    assert!(error.contains("use_sliding_window: expected false"), "{error}");
}

#[test]
fn other_models_are_refused_with_key_found_and_expected() {
    for (value, expected) in [
        (
            json!({ "model_type": "gpt2" }),
            "m/config.json: model_type: expected \"llama\" or \"qwen2\", found \"gpt2\"",
        ),
        (json!({ "model_type": null }), "model_type: expected \"llama\" or \"qwen2\", found null"),
        (json!({ "hidden_act": "gelu" }), "hidden_act: expected \"silu\" or \"swish\", found \"gelu\""),
        (json!({ "attention_bias": 1 }), "attention_bias: expected true or false, found 1"),
        (json!({ "rope_scaling": 4 }), "rope_scaling: expected null or an object"),
        (json!({ "rope_scaling": { "rope_type": "yarn" } }), "rope_scaling.rope_type: expected \"default\""),
        (json!({ "rope_scaling": { "type": "linear" } }), "factor: expected a number > 0, found null"),
        (
            json!({ "rope_scaling": { "rope_type": "llama3", "low_freq_factor": 4, "high_freq_factor": 4 } }),
            "high_freq_factor: expected more than low_freq_factor (4), found 4",
        ),
        (
            json!({ "rope_parameters": { "rope_type": "default", "partial_rotary_factor": 0.5 } }),
            "partial_rotary_factor: expected 1",
        ),
        (json!({ "hidden_size": -1 }), "hidden_size: expected a whole number > 0 and <= 16777216, found -1"),
        (
            json!({ "hidden_size": "576" }),
            "hidden_size: expected a whole number > 0 and <= 16777216, found \"576\"",
        ),
        (
            json!({ "num_hidden_layers": u64::MAX }),
            "num_hidden_layers: expected a whole number > 0 and <= 10000, found 18446744073709551615",
        ),
        (
            json!({ "hidden_size": 1 << 20, "num_attention_heads": 32, "vocab_size": 1 << 20 }),
            "vocab_size: expected at most 17179869184 numbers, found a matrix of 1048576 by 1048576",
        ),
        (json!({ "num_key_value_heads": 5 }), "num_key_value_heads: expected a divisor of"),
        (
            json!({ "hidden_size": 100, "num_attention_heads": 3 }),
            "num_attention_heads: expected a divisor of hidden_size (100), or a head_dim, found 3",
        ),
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
