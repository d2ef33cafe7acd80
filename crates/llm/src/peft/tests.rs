use super::*;

use std::sync::Arc;

use burn::tensor::Device;

use crate::testing::{distance, ids, tiny_config};
use crate::{Backbone, Body, TrainSpec, init};

fn base() -> Arc<Backbone> {
    Arc::new(Backbone::random(&tiny_config(false), 3, &Device::flex()))
}

/// A body with adapters on two of three layers whose `B` is not 0.
fn adapted(rank_stabilised: bool) -> Body {
    let lora = LoraSpec {
        rank: 3,
        alpha: 6.0,
        rank_stabilised,
        dropout: 0.25,
        targets: vec![Projection::Q, Projection::Down],
        layers: vec!["0".to_owned(), "2".to_owned()],
    };
    let mut body =
        Body::new(base(), TrainSpec { n_trainable_layers: 0, lora, ..TrainSpec::default() }, 1).unwrap();
    let factors: Vec<(String, usize)> = body
        .params()
        .iter()
        .filter(|p| p.name().contains("lora_B"))
        .map(|p| (p.name().to_owned(), p.shape().iter().product()))
        .collect();
    for (name, n) in factors {
        body.params_mut().set(&name, init::normal(9, &name, n, 0.3));
    }
    body
}

fn write(body: &Body) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    body.adapter().unwrap().write(dir.path(), body.backbone().config(), "models/tiny").unwrap();
    dir
}

fn read(dir: &Path) -> Result<LoraAdapter, LlmError> {
    LoraAdapter::read(dir, &tiny_config(false), base().digest())
}

#[test]
fn a_written_adapter_reads_as_itself_with_equal_logits() {
    for rank_stabilised in [false, true] {
        let body = adapted(rank_stabilised);
        let ids = ids(2, 11);
        let logits = body.logits(&ids).unwrap();
        assert!(distance(&logits, &base().logits(&ids).unwrap()) > 1e-2);
        let read = read(write(&body).path()).unwrap();
        assert_eq!(read, body.adapter().unwrap());
        assert_eq!(Body::adapted(base(), &read).logits(&ids).unwrap(), logits);
    }
}

#[test]
fn a_merged_model_computes_what_base_and_adapter_do() {
    let body = adapted(false);
    let dir = tempfile::tempdir().unwrap();
    body.save_merged(dir.path()).unwrap();
    let merged = Backbone::load(dir.path(), &Device::flex()).unwrap();
    let ids = ids(2, 11);
    assert!(distance(&merged.logits(&ids).unwrap(), &body.logits(&ids).unwrap()) < 1e-4);
    // Only what was adapted differs.
    let moved = merged.digests().iter().filter(|d| !base().digests().contains(d)).count();
    assert_eq!(moved, 4);
}

#[test]
fn the_files_are_those_of_peft() {
    let dir = write(&adapted(true));
    let text = std::fs::read_to_string(dir.path().join(CONFIG)).unwrap();
    let config: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(config["target_modules"], json!(["q_proj", "down_proj"]));
    assert_eq!(config["layers_to_transform"], json!([0, 2]));
    assert_eq!(
        (&config["r"], &config["lora_alpha"], &config["use_rslora"]),
        (&json!(3), &json!(6), &json!(true))
    );
    let tensors = read_file(&dir.path().join(TENSORS)).unwrap();
    assert_eq!(tensors.len(), 8);
    assert_eq!(tensors["base_model.model.model.layers.2.mlp.down_proj.lora_B.weight"].shape, [12, 3]);
}

#[test]
fn other_adapters_are_refused_with_file_and_key() {
    let written = write(&adapted(false));
    let text = std::fs::read_to_string(written.path().join(CONFIG)).unwrap();
    let tensors = read_file(&written.path().join(TENSORS)).unwrap();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut config = serde_json::from_str(&text).unwrap();
        change(&mut config);
        std::fs::write(written.path().join(CONFIG), config.to_string()).unwrap();
        read(written.path()).unwrap_err().to_string()
    };
    for (key, value, expected) in [
        ("peft_type", json!("IA3"), "adapter_config.json: peft_type: expected \"LORA\", found \"IA3\""),
        ("use_dora", json!(true), "use_dora: expected false, found true"),
        ("bias", json!("all"), "bias: expected \"none\""),
        ("rank_pattern", json!({ "q_proj": 4 }), "rank_pattern: expected {} or []"),
        ("modules_to_save", json!(["lm_head"]), "modules_to_save: expected"),
        ("r", json!(4), "tensor `model.layers.0.self_attn.q_proj.lora_A.weight`: expected shape [4, 12]"),
        ("target_modules", json!(["q_proj", "k_proj"]), "target_modules: expected names of modules"),
    ] {
        let error = changed(&|config| config[key] = value.clone());
        assert!(error.contains(expected), "{error}");
    }
    std::fs::write(written.path().join(CONFIG), &text).unwrap();

    let replaced = |change: &dyn Fn(&mut std::collections::HashMap<String, HostTensor>)| {
        let mut tensors = tensors.clone();
        change(&mut tensors);
        write_file_with(&written.path().join(TENSORS), tensors.into_iter().collect(), []).unwrap();
        read(written.path()).unwrap_err().to_string()
    };
    let name = "base_model.model.model.layers.2.mlp.down_proj.lora_B.weight";
    let error = replaced(&|t| drop(t.remove(name)));
    assert!(error.ends_with("`model.layers.2.mlp.down_proj.lora_B.weight`: missing"), "{error}");
    let error = replaced(&|t| {
        let head = t.remove(name).unwrap();
        t.insert("base_model.model.lm_head.lora_B.weight".to_owned(), head);
    });
    assert!(error.ends_with("lora_B.weight`: missing"), "{error}");
    let error = replaced(&|t| t.get_mut(name).unwrap().values[0] = f32::NAN);
    assert!(error.ends_with("holds a value that is not finite"), "{error}");
    let error = replaced(&|t| drop(t.insert("x".to_owned(), HostTensor::new(vec![1], vec![0.0]))));
    assert!(error.contains("tensor `x`: expected LoRA factors"), "{error}");
}

#[test]
fn an_adapter_knows_its_base() {
    let dir = write(&adapted(false));
    let other = Backbone::random(&tiny_config(false), 4, &Device::flex());
    let error = LoraAdapter::read(dir.path(), other.config(), other.digest()).unwrap_err().to_string();
    assert!(error.contains("trained on a base model with digest"), "{error}");
}

#[test]
fn a_pickle_is_never_loaded() {
    let dir = write(&adapted(false));
    std::fs::rename(dir.path().join(TENSORS), dir.path().join("adapter_model.bin")).unwrap();
    assert!(read(dir.path()).unwrap_err().to_string().contains("a pickle, which can run code"));
}
