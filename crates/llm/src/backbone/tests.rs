use super::*;

use crate::checkpoint::{HostTensor, SINGLE, read_file, write_file};
use std::sync::Arc;

use crate::testing::{distance, ids, oracle_hidden, oracle_logits, tiny_config};
use crate::{Architecture, Biases, Body, Rope, TrainSpec};

fn tiny(tied: bool) -> Backbone {
    Backbone::random(&tiny_config(tied), 3, &Device::flex())
}

#[test]
fn agrees_with_plain_loops() {
    for tied in [true, false] {
        let backbone = tiny(tied);
        for n in [1, 2, 17] {
            let ids = ids(n as u64, n);
            let hidden = to_host(backbone.hidden(&ids).unwrap());
            let expected: Vec<f32> =
                oracle_hidden(&backbone, &ids).into_iter().flatten().map(|v| v as f32).collect();
            assert!(distance(&hidden, &expected) < 1e-4, "{}", distance(&hidden, &expected));
            let logits = backbone.logits(&ids).unwrap();
            let expected: Vec<f32> =
                oracle_logits(&backbone, &ids).pop().unwrap().into_iter().map(|v| v as f32).collect();
            assert!(distance(&logits, &expected) < 1e-4);
        }
    }
}

#[test]
fn biases_agree_with_plain_loops() {
    for (architecture, bias) in [
        (Architecture::Qwen2, Biases { qkv: true, ..Biases::default() }),
        (Architecture::Llama, Biases { qkv: true, o: true, mlp: true }),
    ] {
        let config = LlmConfig { architecture, bias, ..tiny_config(true) };
        let dir = tempfile::tempdir().unwrap();
        Backbone::random(&config, 3, &Device::flex()).save(dir.path()).unwrap();
        let path = dir.path().join(SINGLE);
        let mut tensors = read_file(&path).unwrap();
        for (name, tensor) in tensors.iter_mut().filter(|(name, _)| name.ends_with(".bias")) {
            tensor.values = init::normal(5, name, tensor.values.len(), 0.5);
        }
        write_file(&path, tensors.into_iter().collect()).unwrap();
        let backbone = Backbone::load(dir.path(), &Device::flex()).unwrap();
        assert_eq!(backbone.digests_now(), backbone.digests());
        let ids = ids(1, 9);
        let expected: Vec<f32> =
            oracle_hidden(&backbone, &ids).into_iter().flatten().map(|v| v as f32).collect();
        assert!(distance(&to_host(backbone.hidden(&ids).unwrap()), &expected) < 1e-4);
        // Both ways of a layer: weights of the backbone, and trained ones that start as them.
        let spec = TrainSpec { n_trainable_layers: 2, ..TrainSpec::default() };
        let body = Body::new(Arc::new(backbone), spec, 0).unwrap();
        assert!(distance(&to_host(body.hidden(&ids).unwrap()), &expected) < 1e-4);
        assert_eq!(
            body.params().iter().filter(|p| p.name().ends_with(".bias")).count(),
            if bias.o { 14 } else { 6 }
        );
    }
}

#[test]
fn later_tokens_do_not_change_earlier_states() {
    let backbone = tiny(true);
    let mut ids = ids(1, 12);
    let before = to_host(backbone.hidden(&ids).unwrap());
    ids[8] = (ids[8] + 1) % 23;
    let after = to_host(backbone.hidden(&ids).unwrap());
    let d = backbone.config().hidden_size;
    assert!(distance(&before[..8 * d], &after[..8 * d]) < 1e-6);
    assert!(distance(&before[8 * d..9 * d], &after[8 * d..9 * d]) > 1e-3);
}

#[test]
fn weights_depend_on_seed_and_name_only() {
    let backbone = tiny(true);
    assert_eq!(backbone.digest(), tiny(true).digest());
    assert_ne!(backbone.digest(), Backbone::random(&tiny_config(true), 4, &Device::flex()).digest());
    // One layer fewer leaves the other layers' weights as they were.
    let shorter = LlmConfig { num_hidden_layers: 2, ..tiny_config(true) };
    let shorter = Backbone::random(&shorter, 3, &Device::flex());
    assert!(shorter.digests().iter().all(|d| backbone.digests().contains(d)));
    // Another rotary base is another model, although its tensors are the same.
    let rope = LlmConfig { rope: Rope { theta: 1e4, ..tiny_config(true).rope }, ..tiny_config(true) };
    assert_ne!(Backbone::random(&rope, 3, &Device::flex()).digest(), backbone.digest());
}

#[test]
fn reading_back_gives_the_loaded_digests() {
    for tied in [true, false] {
        let backbone = tiny(tied);
        assert_eq!(backbone.digests_now(), backbone.digests());
    }
}

#[test]
fn a_saved_model_loads_as_itself() {
    for tied in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let backbone = tiny(tied);
        backbone.save(dir.path()).unwrap();
        let loaded = Backbone::load(dir.path(), &Device::flex()).unwrap();
        assert_eq!(loaded.config(), backbone.config());
        assert_eq!(loaded.digest(), backbone.digest());
        assert_eq!(loaded.logits(&[1, 2, 3]).unwrap(), backbone.logits(&[1, 2, 3]).unwrap());
    }
}

#[test]
fn a_checkpoint_that_does_not_fit_its_config_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(SINGLE);
    tiny(true).save(dir.path()).unwrap();
    let good = read_file(&path).unwrap();
    let error = || Backbone::load(dir.path(), &Device::flex()).unwrap_err().to_string();
    let write = |tensors: std::collections::HashMap<String, HostTensor>| {
        write_file(&path, tensors.into_iter().collect()).unwrap();
    };

    let mut missing = good.clone();
    missing.remove("model.layers.1.mlp.up_proj.weight");
    write(missing);
    assert!(error().ends_with("model.safetensors: tensor `model.layers.1.mlp.up_proj.weight`: missing"));

    let mut unknown = good.clone();
    unknown.insert("model.layers.3.mlp.up_proj.weight".to_owned(), HostTensor::new(vec![1], vec![0.0]));
    write(unknown);
    assert!(
        error().ends_with("`model.layers.3.mlp.up_proj.weight`: not a tensor of this model's config.json")
    );

    let mut shape = good.clone();
    shape.insert("model.norm.weight".to_owned(), HostTensor::new(vec![11], vec![1.0; 11]));
    write(shape);
    assert!(error().ends_with("`model.norm.weight`: expected shape [12], found [11]"));

    // A tied model may carry its head and the old rotary buffers.
    let mut derived = good;
    derived.insert("lm_head.weight".to_owned(), derived["model.embed_tokens.weight"].clone());
    let buffer = HostTensor::new(vec![2], vec![1.0, 0.1]);
    derived.insert("model.layers.0.self_attn.rotary_emb.inv_freq".to_owned(), buffer);
    write(derived);
    assert_eq!(Backbone::load(dir.path(), &Device::flex()).unwrap().digest(), tiny(true).digest());
}

#[test]
fn impossible_tokens_are_errors() {
    let backbone = tiny(true);
    let error = |ids: &[u32]| backbone.logits(ids).unwrap_err().to_string();
    assert_eq!(error(&[]), "token ids: expected at least one, found none");
    assert_eq!(error(&[0, 23]), "token ids: expected ids below 23, found 23");
    assert_eq!(error(&[0; 65]), "token ids: expected at most 64, found 65");
}

#[test]
fn narrower_types_compute_nearly_the_same() {
    let ids = ids(4, 20);
    let exact = tiny(true).logits(&ids).unwrap();
    let largest = exact.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    // Rounding of weights and activations: 2^-11 for f16, 2^-8 for bf16, over three layers.
    for (dtype, bound) in [(FloatDType::F16, 0.01), (FloatDType::BF16, 0.08)] {
        let narrow = Arc::new(tiny(true).cast(dtype).unwrap());
        assert_eq!(narrow.digest(), tiny(true).digest());
        let logits = narrow.logits(&ids).unwrap();
        let error = distance(&logits, &exact) / largest;
        assert!(error > 0.0 && error < bound, "{dtype:?}: {error}");
        // The policy's way, with trained layers, padding and gradients, ends in f32 and agrees.
        let spec = TrainSpec { n_trainable_layers: 1, ..TrainSpec::default() };
        let body = Body::new(narrow, spec, 0).unwrap();
        let row = |cut: usize| {
            let shared = body.encode_shared(&ids[..cut]).unwrap();
            body.encode_own(&shared, &ids[cut..]).unwrap()
        };
        let hidden = body.forward(&[row(5), row(12)]);
        let mut gradients = hidden.clone().sum().backward();
        assert!(body.params().gradients(&mut gradients).global_norm() > 0.0);
        let plain = to_host(body.backbone().hidden(&ids).unwrap());
        let last = &plain[plain.len() - 12..];
        let scale = last.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        assert!(distance(&to_host(hidden.narrow(0, 0, 1)), last) / scale < 2.0 * bound, "{dtype:?}");
    }
}
