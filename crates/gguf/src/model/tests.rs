use std::path::PathBuf;

use half::f16;
use tempfile::TempDir;

use super::*;
use crate::testing::{Blob, GgufFile, Meta, f32s, interleave, tiny_llama};

struct Opened {
    dir: TempDir,
    model: Result<Model, String>,
}

fn open(change: impl FnOnce(&mut GgufFile)) -> Opened {
    let mut file = tiny_llama();
    change(&mut file);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tiny.gguf");
    fs::write(&path, file.bytes()).unwrap();
    Opened { model: Model::open(&path).map_err(|e| e.to_string()), dir }
}

impl Opened {
    fn write(&self, stored: StoredType) -> Result<(PathBuf, Imported), String> {
        let folder = self.dir.path().join(stored.as_str());
        fs::create_dir(&folder).unwrap();
        let imported = self.model.as_ref().unwrap().write(&folder, stored).map_err(|e| e.to_string())?;
        Ok((folder, imported))
    }
}

/// Checks that the model is refused with all `parts` in its message.
fn refused(change: impl FnOnce(&mut GgufFile), parts: &[&str]) {
    let text = open(change).model.unwrap_err();
    assert!(text.contains("tiny.gguf: "), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}

fn json(path: &Path) -> Json {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Type, shape and bytes of a tensor of a safetensors file.
fn stored(folder: &Path, name: &str) -> (String, Json, Vec<u8>) {
    let bytes = fs::read(folder.join("model.safetensors")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Json = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let entry = &header[name];
    let at = |i: usize| 8 + length + entry["data_offsets"][i].as_u64().unwrap() as usize;
    (entry["dtype"].as_str().unwrap().to_owned(), entry["shape"].clone(), bytes[at(0)..at(1)].to_vec())
}

fn values(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

#[test]
fn writes_a_whole_folder_and_remembers_its_file() {
    let opened = open(|_| ());
    let (folder, imported) = opened.write(StoredType::Float32).unwrap();
    let mut names: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let expected = [
        "config.json",
        "generation_config.json",
        "import.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ];
    assert_eq!(names, expected);
    let bytes = fs::read(opened.dir.path().join("tiny.gguf")).unwrap();
    let digest: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!((imported.file.as_str(), imported.sha256.as_str()), ("tiny.gguf", digest.as_str()));
    let memory = json(&folder.join(Imported::FILE));
    assert_eq!(serde_json::from_value::<Imported>(memory.clone()).unwrap(), imported);
    assert_eq!((&memory["quantisation"], &memory["tensor_types"]), (&json!("F32"), &json!({ "F32": 20 })));
    assert_eq!((&memory["format"], &memory["dtype"]), (&json!("gguf"), &json!("float32")));
    let config = json(&folder.join("config.json"));
    for (key, value) in [
        ("model_type", json!("llama")),
        ("vocab_size", json!(264)),
        ("head_dim", json!(16)),
        ("num_key_value_heads", json!(1)),
        ("rms_norm_eps", json!(1e-5)),
        ("rope_theta", json!(10_000.0)),
        ("rope_scaling", Json::Null),
        ("tie_word_embeddings", json!(true)),
        ("attention_bias", json!(false)),
        ("torch_dtype", json!("float32")),
        ("bos_token_id", json!(1)),
    ] {
        assert_eq!(config[key], value, "{key}");
    }
}

#[test]
fn equal_files_give_equal_bytes() {
    let written = || {
        let opened = open(|_| ());
        let (folder, _) = opened.write(StoredType::Float16).unwrap();
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files
            .map(|path| (path.file_name().unwrap().to_owned(), fs::read(path).unwrap()))
            .collect::<BTreeMap<_, _>>()
    };
    assert!(written() == written());
}

#[test]
fn rows_of_q_and_k_are_brought_back_and_others_are_kept() {
    let opened = open(|_| ());
    let (folder, _) = opened.write(StoredType::Float32).unwrap();
    let mut file = tiny_llama();
    for (part, name, heads) in [
        ("attn_q", "self_attn.q_proj", Some(2)),
        ("attn_k", "self_attn.k_proj", Some(1)),
        ("attn_v", "self_attn.v_proj", None),
        ("ffn_down", "mlp.down_proj", None),
    ] {
        let original = &file.tensor(&format!("blk.1.{part}.weight")).bytes;
        let (dtype, _, found) = stored(&folder, &format!("model.layers.1.{name}.weight"));
        assert_eq!(dtype, "F32");
        match heads {
            None => assert_eq!(found, *original, "{part}"),
            Some(heads) => {
                assert_ne!(found, *original, "{part}");
                assert_eq!(interleave(&values(&found), heads, 32), values(original), "{part}");
            }
        }
    }
}

#[test]
fn biases_of_llama_are_brought_back_as_their_rows_are() {
    let bias = |count: u64| (0..count).map(|i| i as f32).collect::<Vec<f32>>();
    let opened = open(|file| {
        for layer in 0..2 {
            for (part, n) in [("attn_q", 32), ("attn_k", 16), ("attn_v", 16), ("attn_output", 32)] {
                file.tensors.push(f32s(&format!("blk.{layer}.{part}.bias"), &[n], &bias(n)));
            }
        }
    });
    let (folder, _) = opened.write(StoredType::Float32).unwrap();
    assert_eq!(json(&folder.join("config.json"))["attention_bias"], true);
    let found = |name: &str| values(&stored(&folder, &format!("model.layers.0.self_attn.{name}.bias")).2);
    assert_eq!(interleave(&found("q_proj"), 2, 1), bias(32));
    assert_eq!(found("q_proj")[..4], [0.0, 2.0, 4.0, 6.0]);
    assert_eq!(interleave(&found("k_proj"), 1, 1), bias(16));
    assert_eq!((found("v_proj"), found("o_proj")), (bias(16), bias(32)));
}

/// The tiny model as Qwen2: other names of keys, biases on q, k and v.
fn qwen2(file: &mut GgufFile) {
    for (key, _) in &mut file.metadata {
        *key = key.replace("llama.", "qwen2.");
    }
    file.set("general.architecture", Meta::Text("qwen2".to_owned()));
    for layer in 0..2 {
        for (part, n) in [("attn_q", 32), ("attn_k", 16), ("attn_v", 16)] {
            let values: Vec<f32> = (0..n).map(|i| i as f32).collect();
            file.tensors.push(f32s(&format!("blk.{layer}.{part}.bias"), &[n], &values));
        }
    }
}

#[test]
fn qwen2_keeps_the_order_of_its_rows() {
    let opened = open(qwen2);
    let (folder, _) = opened.write(StoredType::Float32).unwrap();
    let mut file = tiny_llama();
    let (_, shape, found) = stored(&folder, "model.layers.0.self_attn.q_proj.weight");
    assert_eq!((shape, &found), (json!([32, 32]), &file.tensor("blk.0.attn_q.weight").bytes));
    let config = json(&folder.join("config.json"));
    assert_eq!((&config["model_type"], config.get("attention_bias")), (&json!("qwen2"), None));
    refused(
        |file| {
            qwen2(file);
            file.tensors.retain(|tensor| tensor.name != "blk.1.attn_k.bias");
        },
        &["tensor `blk.1.attn_k.bias`", "found no tensor of that name"],
    );
}

#[test]
fn an_output_matrix_unties_the_head() {
    let opened = open(|file| {
        let mut output = file.tensor("token_embd.weight").clone();
        output.name = "output.weight".to_owned();
        file.tensors.push(output);
    });
    let (folder, _) = opened.write(StoredType::Float32).unwrap();
    assert_eq!(json(&folder.join("config.json"))["tie_word_embeddings"], false);
    assert_eq!(stored(&folder, "lm_head.weight").1, json!([264, 32]));
}

#[test]
fn quantised_rows_are_dequantised_in_their_order() {
    // Rows of q with one block each: row r has all values r.
    let blocks = |rows: u64| -> Vec<u8> {
        let block = |row: u64| {
            let mut block = f16::from_f32(1.0).to_le_bytes().to_vec();
            block.extend([row as u8; 32]);
            block
        };
        (0..rows).flat_map(block).collect()
    };
    let opened = open(|file| {
        let q = file.tensor("blk.0.attn_q.weight");
        *q = Blob { kind: TensorType::Q8_0.number(), bytes: blocks(32), ..q.clone() };
    });
    let (folder, _) = opened.write(StoredType::Float32).unwrap();
    let found = values(&stored(&folder, "model.layers.0.self_attn.q_proj.weight").2);
    let rows: Vec<f32> = found.iter().step_by(32).copied().collect();
    assert_eq!(rows[..10], [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 1.0, 3.0]);
    assert_eq!(rows[16..18], [16.0, 18.0]);
    assert_eq!(opened.model.as_ref().unwrap().tensor_types()[&TensorType::Q8_0], 1);
}

#[test]
fn narrow_types_round_to_the_nearest() {
    let third = 1.0f32 / 3.0;
    let norm = "model.layers.0.input_layernorm.weight";
    let opened = open(|file| {
        let mut values = vec![1.0; 32];
        values[1] = third;
        *file.tensor("blk.0.attn_norm.weight") = f32s("blk.0.attn_norm.weight", &[32], &values);
    });
    let (folder, _) = opened.write(StoredType::Float16).unwrap();
    let (dtype, _, bytes) = stored(&folder, norm);
    assert_eq!((dtype.as_str(), &bytes[2..4]), ("F16", &0x3555u16.to_le_bytes()[..]));
    let (folder, _) = opened.write(StoredType::Bfloat16).unwrap();
    let (dtype, _, bytes) = stored(&folder, norm);
    assert_eq!((dtype.as_str(), &bytes[2..4]), ("BF16", &0x3eabu16.to_le_bytes()[..]));
    assert_eq!(json(&folder.join("config.json"))["torch_dtype"], "bfloat16");
}

#[test]
fn refuses_weights_that_are_not_finite() {
    let with = |value: f32| {
        open(|file| {
            let q = file.tensor("blk.1.attn_q.weight");
            q.bytes[5 * 32 * 4 + 12..][..4].copy_from_slice(&value.to_le_bytes());
        })
    };
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let error = with(value).write(StoredType::Float32).unwrap_err();
        // Row 5 of the file is row 8 + 2 of the model.
        let place = format!("expected finite values, found {value} at index 3 of row 10");
        assert!(
            error.contains("tiny.gguf: tensor `blk.1.attn_q.weight`") && error.contains(&place),
            "{error}"
        );
    }
    let large = with(1e6);
    large.write(StoredType::Float32).unwrap();
    large.write(StoredType::Bfloat16).unwrap();
    let error = large.write(StoredType::Float16).unwrap_err();
    assert!(error.contains("values within the range of float16, found 1000000"), "{error}");
}

#[test]
fn refuses_other_architectures_by_name() {
    for name in ["gemma2", "phi3", "mamba", "Llama"] {
        refused(
            |file| file.set("general.architecture", Meta::Text(name.to_owned())),
            &["key `general.architecture`: expected \"llama\" or \"qwen2\"", &format!("found \"{name}\"")],
        );
    }
    refused(|file| file.unset("general.architecture"), &["general.architecture", "found nothing"]);
    refused(
        |file| file.set("general.type", Meta::Text("adapter".to_owned())),
        &["key `general.type`: expected \"model\", found \"adapter\""],
    );
    refused(|file| file.set("split.count", Meta::U32(3)), &["one of 3 files", "llama-gguf-split --merge"]);
}

#[test]
fn refuses_keys_that_would_change_the_computation() {
    refused(
        |file| file.set("llama.attention.clamp_kqv", Meta::F32(8.0)),
        &["key `llama.attention.clamp_kqv`: expected no key that would change", "found 8"],
    );
    refused(
        |file| file.set("llama.expert_count", Meta::U32(8)),
        &["llama.expert_count", "expected 0, found 8"],
    );
    refused(|file| file.set("llama.attention.causal", Meta::Bool(false)), &["expected true, found false"]);
    refused(
        |file| file.set("llama.attention.sliding_window", Meta::U32(64)),
        &["at least the context of 128"],
    );
    let fine = open(|file| {
        file.set("llama.expert_count", Meta::U32(0));
        file.set("llama.attention.sliding_window", Meta::U32(128));
        file.set("llama.tensor_data_layout", Meta::Text("Meta AI original pth".to_owned()));
        file.set("other.attention.clamp_kqv", Meta::F32(8.0));
    });
    fine.model.unwrap();
}

#[test]
fn refuses_sizes_that_do_not_fit_each_other() {
    let set = |key: &'static str, value: u32| move |file: &mut GgufFile| file.set(key, Meta::U32(value));
    refused(set("llama.embedding_length", 0), &["llama.embedding_length", "from 1 to", "found 0"]);
    refused(set("llama.embedding_length", u32::MAX), &["llama.embedding_length", "found 4294967295"]);
    refused(set("llama.block_count", 10_000), &["llama.block_count", "found 10000 with 20 tensors"]);
    refused(set("llama.block_count", 3), &["tensor `blk.2.attn_", "found no tensor of that name"]);
    refused(set("llama.block_count", 1), &["tensor `blk.1.", "tensors of a llama model alone"]);
    refused(set("llama.attention.head_count", 3), &["llama.attention.head_count", "embedding_length (32)"]);
    refused(set("llama.attention.head_count_kv", 3), &["head_count_kv", "a divisor of the 2 heads, found 3"]);
    refused(
        set("llama.attention.head_count", 32),
        &["attention.key_length", "an even width of heads, found 1"],
    );
    refused(
        set("llama.rope.dimension_count", 8),
        &["rope.dimension_count", "16, the width of a head, found 8"],
    );
    refused(set("llama.attention.value_length", 8), &["attention.value_length", "found 8"]);
    refused(set("llama.feed_forward_length", 65), &["expected shape [32, 65], found [32, 64]"]);
    refused(set("llama.vocab_size", 263), &["expected 264, the rows of the embedding, found 263"]);
    refused(
        |file| file.set("llama.block_count", Meta::Text("2".to_owned())),
        &["expected a whole number, found \"2\""],
    );
    for key in ["context_length", "attention.layer_norm_rms_epsilon", "feed_forward_length"] {
        refused(|file| file.unset(&format!("llama.{key}")), &[key, "found nothing"]);
    }
    refused(
        |file| file.set("llama.attention.layer_norm_rms_epsilon", Meta::F32(f32::NAN)),
        &["a finite number, found NaN"],
    );
    refused(|file| file.set("llama.rope.freq_base", Meta::F32(-1.0)), &["a number above 0, found -1"]);
}

#[test]
fn refuses_tensors_that_are_missing_or_too_many() {
    let without = |name: &'static str| move |file: &mut GgufFile| file.tensors.retain(|t| t.name != name);
    refused(without("token_embd.weight"), &["tensor `token_embd.weight`: expected the embedding"]);
    refused(without("output_norm.weight"), &["tensor `output_norm.weight`: expected shape [32]"]);
    refused(without("blk.0.ffn_gate.weight"), &["`blk.0.ffn_gate.weight`", "found no tensor of that name"]);
    refused(
        |file| file.tensors.push(f32s("blk.0.attn_q_norm.weight", &[16], &[1.0; 16])),
        &["tensor `blk.0.attn_q_norm.weight`", "tensors of a llama model alone"],
    );
    // One bias asks for all.
    refused(
        |file| file.tensors.push(f32s("blk.0.attn_q.bias", &[32], &[1.0; 32])),
        &["`blk.0.attn_k.bias`", "found no tensor of that name"],
    );
    refused(
        |file| {
            let tokens: Vec<String> = (0..263).map(|i| i.to_string()).collect();
            file.set("tokenizer.ggml.tokens", Meta::Texts(tokens));
            file.set("tokenizer.ggml.merges", Meta::Texts(vec!["1 2".to_owned()]));
            file.unset("tokenizer.ggml.token_type");
        },
        &["264 tokens, one per row of the embedding, found 263"],
    );
}

#[test]
fn refuses_blocks_of_another_layout() {
    refused(
        |file| {
            file.set("general.quantization_version", Meta::U32(1));
            let q = file.tensor("blk.0.attn_q.weight");
            *q = Blob { kind: TensorType::Q8_0.number(), bytes: vec![0; 32 * 34], ..q.clone() };
        },
        &["key `general.quantization_version`: expected 2, found 1"],
    );
    // It says nothing of numbers that are not quantised.
    open(|file| file.set("general.quantization_version", Meta::U32(1))).model.unwrap();
}

#[test]
fn rotary_scaling_is_carried_over_or_refused_by_name() {
    let scaling = |change: &dyn Fn(&mut GgufFile)| {
        let (folder, _) =
            open(change).write(StoredType::Float32).map(|(f, i)| (json(&f.join("config.json")), i)).unwrap();
        folder["rope_scaling"].clone()
    };
    let set = |file: &mut GgufFile, kind: &str, factor: f32| {
        file.set("llama.rope.scaling.type", Meta::Text(kind.to_owned()));
        file.set("llama.rope.scaling.factor", Meta::F32(factor));
    };
    assert_eq!(scaling(&|file| set(file, "linear", 2.5)), json!({ "rope_type": "linear", "factor": 2.5 }));
    assert_eq!(scaling(&|file| set(file, "linear", 1.0)), Json::Null);
    assert_eq!(scaling(&|file| set(file, "none", 4.0)), Json::Null);
    let old = scaling(&|file| file.set("llama.rope.scale_linear", Meta::F32(4.0)));
    assert_eq!(old, json!({ "rope_type": "linear", "factor": 4.0 }));
    refused(
        |file| set(file, "yarn", 4.0),
        &["key `llama.rope.scaling.type`: expected \"none\" or \"linear\", found \"yarn\""],
    );
    refused(|file| set(file, "linear", -2.0), &["a number above 0, found -2"]);
    refused(|file| file.set("llama.rope.scaling.attn_factor", Meta::F32(1.2)), &["expected 1, found 1.2"]);

    let factors =
        |values: [f32; 8]| move |file: &mut GgufFile| file.tensors.push(f32s(FACTORS, &[8], &values));
    assert_eq!(scaling(&factors([1.0; 8])), Json::Null);
    // Frequencies 1, 0.316, 0.1, ...: of a context of 256 tokens, 40.7, 12.9, 4.07, 1.29, 0.41, ... turns.
    let kept = (256.0 / std::f64::consts::TAU * 10f64.powf(-1.5) - 1.0) / 3.0;
    let between = (1.0 / (kept + (1.0 - kept) / 8.0)) as f32;
    let llama3 = [1.0, 1.0, 1.0, between, 8.0, 8.0, 8.0, 8.0];
    let found = scaling(&factors(llama3));
    let expected = json!({
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 256,
    });
    assert_eq!(found, expected);
    refused(
        |file| {
            set(file, "linear", 2.0);
            factors(llama3)(file);
        },
        &["one scaling of rotary positions"],
    );
    refused(
        factors([1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7]),
        &["tensor `rope_freqs.weight`: expected factors of Llama 3's scaling", "found 1, 1.1, 1.2, 1.3, ..."],
    );
    refused(
        |file| file.tensors.push(f32s(FACTORS, &[4], &[1.0; 4])),
        &["expected shape [8], half the width of a head, found [4]"],
    );
}
