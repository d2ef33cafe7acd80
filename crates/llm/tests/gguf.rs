//! Checkpoints with transformers' logits, written as llama.cpp's converter writes them and imported again: the loader
//! computes what it computes of the checkpoint itself, to the bit.

// Helpers are part of the tests: what goes wrong in them is the failure of the test.
#![allow(clippy::unwrap_used)]

#[path = "../../gguf/src/testing.rs"]
mod testing;

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use gguf::{Model, StoredType};
use llm::checkpoint::{HostTensor, read_file};
use llm::{Architecture, Backbone, LlmConfig, RopeScaling};
use testing::{GgufFile, Meta, f32s, gguf_name, interleave, tokenizer};

/// The checkpoint of a folder as a GGUF.
fn gguf(folder: &Path, config: &LlmConfig) -> GgufFile {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "safetensors"));
    let mut tensors: Vec<(String, HostTensor)> = files.flat_map(|path| read_file(&path).unwrap()).collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    // What follows from the others is in no GGUF.
    tensors.retain(|(name, _)| {
        !(name.ends_with("inv_freq") || config.tie_word_embeddings && name == "lm_head.weight")
    });
    let is_llama = config.architecture == Architecture::Llama;
    let blob = |(name, tensor): (String, HostTensor)| {
        let row = if tensor.shape.len() == 1 { 1 } else { tensor.shape[1] };
        let values = match &name {
            name if is_llama && name.contains("q_proj") => {
                interleave(&tensor.values, config.num_attention_heads, row)
            }
            name if is_llama && name.contains("k_proj") => {
                interleave(&tensor.values, config.num_key_value_heads, row)
            }
            _ => tensor.values,
        };
        let shape: Vec<u64> = tensor.shape.iter().map(|n| *n as u64).collect();
        f32s(&gguf_name(&name), &shape, &values)
    };
    let mut blobs: Vec<_> = tensors.into_iter().map(blob).collect();
    let name = config.architecture.model_type();
    let number = |key: &str, v: usize| (format!("{name}.{key}"), Meta::U32(v as u32));
    let real = |key: &str, v: f64| (format!("{name}.{key}"), Meta::F32(v as f32));
    let mut metadata = vec![
        ("general.architecture".to_owned(), Meta::Text(name.to_owned())),
        number("block_count", config.num_hidden_layers),
        number("context_length", config.max_position_embeddings),
        number("embedding_length", config.hidden_size),
        number("feed_forward_length", config.intermediate_size),
        number("attention.head_count", config.num_attention_heads),
        number("attention.head_count_kv", config.num_key_value_heads),
        number("attention.key_length", config.head_dim),
        number("attention.value_length", config.head_dim),
        real("rope.freq_base", config.rope.theta),
        real("attention.layer_norm_rms_epsilon", config.rms_norm_eps),
    ];
    match config.rope.scaling {
        RopeScaling::Default => {}
        RopeScaling::Linear { factor } => {
            metadata.push((format!("{name}.rope.scaling.type"), Meta::Text("linear".to_owned())));
            metadata.push(real("rope.scaling.factor", factor));
        }
        RopeScaling::Llama3 { .. } => {
            let factors = llama3_factors(config);
            blobs.push(f32s("rope_freqs.weight", &[factors.len() as u64], &factors));
        }
    }
    metadata.extend(tokenizer(config.vocab_size, "smollm"));
    GgufFile { version: 3, alignment: 32, metadata, tensors: blobs }
}

/// As `generate_extra_tensors` of llama.cpp's converter makes them.
fn llama3_factors(config: &LlmConfig) -> Vec<f32> {
    let RopeScaling::Llama3 {
        factor,
        low_freq_factor: low,
        high_freq_factor: high,
        original_max_position_embeddings: original,
    } = config.rope.scaling
    else {
        unreachable!()
    };
    let one = |i: usize| {
        let frequency = config.rope.theta.powf(-((2 * i) as f64) / config.head_dim as f64);
        let length = std::f64::consts::TAU / frequency;
        if length < original / high {
            1.0
        } else if length > original / low {
            factor as f32
        } else {
            let smooth = (original / length - low) / (high - low);
            (1.0 / ((1.0 - smooth) / factor + smooth)) as f32
        }
    };
    (0..config.head_dim / 2).map(one).collect()
}

#[test]
fn imported_checkpoints_compute_what_the_originals_do() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/parity");
    let mut cases = 0;
    for entry in std::fs::read_dir(fixtures).unwrap() {
        let original = entry.unwrap().path();
        let name = original.file_name().unwrap().to_string_lossy().into_owned();
        let config = LlmConfig::read(&original).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("model.gguf");
        std::fs::write(&file, gguf(&original, &config).bytes()).unwrap();
        let model = Model::open(&file).unwrap_or_else(|e| panic!("{name}: {e}"));
        model.write(dir.path(), StoredType::Float32).unwrap();
        let imported = LlmConfig::read(dir.path()).unwrap();
        let expected = LlmConfig { initializer_range: imported.initializer_range, ..config };
        assert_eq!(imported, expected, "{name}");
        let logits = |folder: &Path| {
            let backbone = Arc::new(Backbone::load(folder, &Device::flex()).unwrap());
            backbone.logits(&[1, 5, 9, 2, 33, 7, 60, 3, 3, 11]).unwrap()
        };
        assert_eq!(logits(dir.path()), logits(&original), "{name}");
        cases += 1;
    }
    assert_eq!(cases, 12);
}
