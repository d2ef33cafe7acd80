mod account;

use std::path::Path;
use std::sync::Arc;

use plugin::{Imported, SharedPool};
use ppo::ActorCritic;
use serde_json::{Value, json};
use trading_env::{Agent, Arena, SplitName, Training};

use super::net::JOINED;
use super::testing::{model_dir, prompt_config, write_model};
use super::*;
use crate::testing::*;

fn params(dir: &Path) -> Value {
    json!({
        "total_timesteps": 48, "num_steps": 12, "minibatch_size": 12, "gradient_accumulation_steps": 3,
        "update_epochs": 2, "learning_rate": 5e-3, "policy_head": [], "value_head": [8],
        "model": { "path": dir, "weights": "random", "weights_seed": 5 },
        "n_trainable_layers": 1,
        "prompt": prompt_config(),
    })
}

fn with(mut params: Value, key: &str, value: Value) -> Value {
    let mut at = &mut params;
    for part in key.split('.') {
        at = &mut at[part];
    }
    *at = value;
    params
}

fn train(agent: &dyn Agent, seed: u64) -> (Box<dyn Learner + '_>, MemoryLog) {
    let training = masking_arena(reverting_market(1, 80), SplitName::Train);
    let mut log = MemoryLog::default();
    let mut learner = agent.learner(seed).unwrap();
    learner.train(Training { arena: &training, validation: None, log: &mut log }).unwrap();
    (learner, log)
}

/// Digests of all tensors after training.
fn trained(params: Value) -> Vec<String> {
    let agent = agent("ppo-llm", params);
    let (learner, _) = train(&*agent, 1);
    learner.receipt().unwrap().tensors.into_iter().map(|t| t.after).collect()
}

#[test]
fn keeps_the_promises_of_agents() {
    let dir = model_dir();
    check_promises("ppo-llm", &params(dir.path()), 24);
}

#[test]
fn a_model_may_compute_in_sixteen_bits() {
    let dir = model_dir();
    let trained = |dtype: &str| {
        let mut params = params(dir.path());
        params["train_dtype"] = json!(dtype);
        let agent = agent("ppo-llm", params);
        let (learner, log) = train(&*agent, 1);
        assert!(log.updates.iter().all(|u| u.policy_loss.is_finite() && u.grad_norm > 0.0), "{dtype}");
        learner.receipt().unwrap()
    };
    let full = trained("float32");
    for dtype in ["float16", "bfloat16"] {
        let narrow = trained(dtype);
        // The same tensors are trained, from the same start, to other values.
        for (a, b) in full.tensors.iter().zip(&narrow.tensors) {
            assert_eq!((&a.name, a.trained), (&b.name, b.trained));
        }
        assert!(full.tensors.iter().zip(&narrow.tensors).any(|(a, b)| a.trained && a.after != b.after));
    }
}

#[test]
fn the_receipt_shows_what_was_trained() {
    let dir = model_dir();
    let cases = [
        (json!({ "n_trainable_layers": 0 }), vec![]),
        (json!({ "n_trainable_layers": 1 }), vec!["layers.2", "norm"]),
        (json!({ "n_trainable_layers": 3 }), vec!["layers.0", "layers.1", "layers.2", "norm"]),
        (json!({ "trainable": ["embedding", "layers.1"] }), vec!["embedding", "layers.1"]),
        (json!({ "n_trainable_layers": 2, "lora": { "rank": 2 } }), vec!["layers.1", "layers.2"]),
        (
            json!({ "n_trainable_layers": 0, "lora": { "rank": 2, "targets": ["q", "v"], "layers": ["0"] } }),
            vec!["layers.0"],
        ),
    ];
    for (given, groups) in cases {
        let mut params = params(dir.path());
        for (key, value) in given.as_object().unwrap() {
            params[key] = value.clone();
        }
        let agent = agent("ppo-llm", params);
        let (learner, log) = train(&*agent, 1);
        let receipt = learner.receipt().unwrap();
        let mut found: Vec<&str> = receipt.groups.iter().map(|g| g.group.as_str()).collect();
        found.retain(|g| !g.ends_with("_head"));
        found.sort_unstable();
        assert_eq!(found, groups, "{given}");
        assert_eq!(receipt.groups.len(), groups.len() + 2, "{given}");
        assert!(receipt.groups.iter().all(|g| g.mean_grad_norm > 0.0), "{given}");
        for tensor in &receipt.tensors {
            let lora_base = given.get("lora").is_some() && !tensor.name.contains("lora");
            let in_layer = tensor.name.starts_with("model.layers") && !lora_base;
            assert!(tensor.trained || tensor.before == tensor.after, "{given}: {}", tensor.name);
            if tensor.trained && in_layer {
                assert!(
                    groups.iter().any(|g| tensor.name.contains(&format!("{g}."))),
                    "{given}: {}",
                    tensor.name
                );
            }
        }
        assert!(receipt.tensors.iter().any(|t| !t.trained) || groups.len() == 4 || groups[0] == "embedding");
        for update in &log.updates {
            assert!(update.first_ratio_error < 1e-4, "{given}: {}", update.first_ratio_error);
        }
    }
}

#[test]
fn a_saved_policy_decides_as_the_learner_did() {
    let dir = model_dir();
    for lora_rank in [0, 2] {
        let params = with(params(dir.path()), "lora", json!({ "rank": lora_rank }));
        let agent = agent("ppo-llm", params.clone());
        let test = masking_arena(reverting_market(2, 20), SplitName::Test);
        let (mut learner, _) = train(&*agent, 7);
        let folder = tempfile::tempdir().unwrap();
        assert!(learner.save(folder.path()).unwrap());
        let made = decisions(&mut *learner, &test);
        assert_ne!(made, decisions(&mut *agent.learner(7).unwrap(), &test), "training changed something");
        let again = crate::testing::agent("ppo-llm", params.clone());
        assert_eq!(decisions(&mut *again.load(7, folder.path()).unwrap(), &test), made);

        let other = crate::testing::agent("ppo-llm", with(params, "model.weights_seed", json!(6)));
        let error = other.load(7, folder.path()).err().unwrap().to_string();
        assert!(error.contains("policy.json: base: expected "), "{error}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_alone_and_beside_another() {
    let dir = model_dir();
    let agent = agent("ppo-llm", params(dir.path()));
    let result = |seed| {
        let (learner, log) = train(&*agent, seed);
        (learner.receipt().unwrap(), log.steps, log.updates)
    };
    let (one, two) = (result(1), result(2));
    assert!(one.0 != two.0 && one.1 != two.1);
    let (a, b) = std::thread::scope(|s| {
        let a = s.spawn(|| result(1));
        let b = s.spawn(|| result(2));
        (a.join().unwrap(), b.join().unwrap())
    });
    assert!(a == one && b == two);
}

/// Without room in the prefix cache every prompt is computed again; nothing else changes.
#[test]
fn the_prefix_cache_changes_no_byte() {
    let dir = model_dir();
    let result = |mib: u64| {
        let agent = agent("ppo-llm", with(params(dir.path()), "prefix_cache_mib", json!(mib)));
        let (learner, log) = train(&*agent, 1);
        let last = log.timings.last().unwrap();
        assert!(last.tokens_per_s > 0.0);
        (learner.receipt().unwrap(), log.steps, last.cache_hits)
    };
    let (with_cache, without) = (result(64), result(0));
    assert!(with_cache.2 > 0 && without.2 == 0);
    assert!(with_cache.0 == without.0 && with_cache.1 == without.1);
}

/// An arm continues what another one with more trained layers has read, and gives the bytes that it gives alone.
#[test]
fn arms_of_different_boundaries_share_prefixes() {
    let dir = model_dir();
    let raw = || with(params(dir.path()), "head_input", json!("raw"));
    let result = |n: u64, shared: &SharedPool| {
        // Standardised heads would have read every date before.
        let params = with(raw(), "n_trainable_layers", json!(n));
        // The policy before training is read through all layers.
        let agent = try_agent("ppo-llm", with(params, "kl_coef", json!(0)), shared).unwrap();
        let (learner, log) = train(&*agent, 1);
        (learner.receipt().unwrap(), log.steps, log.timings.last().unwrap().clone())
    };
    let alone = result(1, &SharedPool::default());
    assert!(alone.2.cache_extended == 0 && alone.2.cache_misses > 0);
    let shared = SharedPool::default();
    // What runs share lives as long as somebody holds it.
    let _holder = try_agent("ppo-llm", raw(), &shared).unwrap();
    let below = result(2, &shared);
    let beside = result(1, &shared);
    assert!(beside.0 == alone.0 && beside.1 == alone.1);
    let [alone, below, beside] = [alone, below, beside].map(|(_, _, timing)| timing);
    assert!(below.cache_extended == 0 && beside.cache_extended > 0);
    // Other actions lead to other dates, so not every prompt was there.
    assert_eq!(beside.cache_misses + beside.cache_extended, alone.cache_misses);
    assert_eq!((beside.cache_hits, beside.cache_spilled), (alone.cache_hits, 0));
    // The other way round, where it was built before the other one ran: nothing is left to compute.
    let shared = SharedPool::default();
    let arm = |n: u64| try_agent("ppo-llm", with(raw(), "n_trainable_layers", json!(n)), &shared);
    let [_two, _one] = [arm(2), arm(1)].map(Result::unwrap);
    let one = result(1, &shared).2;
    let two = result(2, &shared).2;
    assert_eq!((one.cache_misses, two.cache_extended), (alone.cache_misses, 0));
    assert_eq!(two.cache_hits + two.cache_misses, below.cache_hits + below.cache_misses);
    assert!(two.cache_misses < below.cache_misses);
}

#[test]
fn every_parameter_of_its_own_changes_the_result() {
    let dir = model_dir();
    let base = || params(dir.path());
    let lora = || with(base(), "lora", json!({ "rank": 2 }));
    let results = [
        trained(base()),
        trained(with(base(), "n_trainable_layers", json!(2))),
        trained(with(base(), "trainable", json!(["layers.0"]))),
        trained(with(base(), "model.weights_seed", json!(6))),
        trained(with(base(), "model.weights_seed", json!(null))),
        trained(with(base(), "prompt.history", json!(2))),
        trained(with(base(), "prompt.news_items", json!(0))),
        trained(with(base(), "prompt.chat_template", json!(true))),
        trained(with(base(), "prompt.account", json!(false))),
        trained(with(base(), "policy_head", json!([4]))),
        trained(with(base(), "head_input", json!("raw"))),
        trained(with(base(), "head_learning_rate", json!(1e-3))),
        trained(lora()),
        trained(with(lora(), "lora.alpha", json!(1.0))),
        trained(with(lora(), "lora.rank", json!(1))),
        trained(with(lora(), "lora.targets", json!(["q"]))),
        trained(with(lora(), "lora.layers", json!(["0"]))),
    ];
    for i in 0..results.len() {
        assert!(!results[..i].contains(&results[i]), "{i}");
    }
}

#[test]
fn arms_and_seeds_share_one_backbone() {
    let dir = model_dir();
    let shared = SharedPool::default();
    let one = try_agent("ppo-llm", params(dir.path()), &shared).unwrap();
    let two =
        try_agent("ppo-llm", with(params(dir.path()), "n_trainable_layers", json!(0)), &shared).unwrap();
    // The pool hands out what somebody holds: a second make must not happen.
    let files = Files { root: dir.path().to_owned(), ..Files::default() };
    let model: ModelParams = serde_json::from_value(params(dir.path())["model"].clone()).unwrap();
    let content: Vec<String> =
        model.content(&files, false).unwrap().files.into_iter().map(|(_, digest)| digest).collect();
    let key = format!("backbone/{}/Some(5)/{:?}/F32", content.join("."), Device::flex());
    let held =
        shared.get_or_try_init::<llm::Backbone, String>(&key, || Err("made again".to_owned())).unwrap();
    assert_eq!(Arc::strong_count(&held), 3, "two arms and this test");
    drop((one, two));
}

#[test]
fn content_identifies_a_run_and_the_path_does_not() {
    let (dir, copy) = (model_dir(), model_dir());
    let plugin = agent_plugin("ppo-llm");
    let files = Files { root: dir.path().to_owned(), ..Files::default() };
    let content = |dir: &Path| plugin.content(&resolved("ppo-llm", params(dir)), &files).map(|c| c.files);
    let digests = content(dir.path()).unwrap();
    assert_eq!(
        digests.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["config.json", "tokenizer.json"]
    );
    assert_eq!(content(copy.path()).unwrap(), digests);
    let path = copy.path().join("config.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("0.2", "0.1")).unwrap();
    assert_ne!(content(copy.path()).unwrap(), digests);
    assert!(plugin::unhashed_keys(&plugin.schema()).contains(&"model.path".to_owned()));
    std::fs::remove_file(&path).unwrap();
    let error = content(copy.path()).unwrap_err().to_string();
    assert!(error.starts_with("agent.model.path: ") && error.contains("config.json"), "{error}");
}

#[test]
fn the_file_of_an_imported_model_is_known_and_identifies_nothing() {
    let dir = model_dir();
    std::fs::write(dir.path().join("model.safetensors"), "weights").unwrap();
    let plugin = agent_plugin("ppo-llm");
    let files = Files { root: dir.path().to_owned(), ..Files::default() };
    let content = |weights: &str| {
        let model = json!({ "path": dir.path(), "weights": weights });
        plugin.content(&resolved("ppo-llm", with(params(dir.path()), "model", model)), &files)
    };
    let before = content("checkpoint").unwrap();
    assert_eq!(before.imported, None);
    let import = dir.path().join(Imported::FILE);
    let imported = json!({ "file": "x.gguf", "sha256": "f00d", "quantisation": "Q4_1", "dtype": "float32" });
    std::fs::write(&import, imported.to_string()).unwrap();
    let after = content("checkpoint").unwrap();
    assert_eq!(after.files, before.files);
    let expected =
        Imported { file: "x.gguf".to_owned(), sha256: "f00d".to_owned(), quantisation: "Q4_1".to_owned() };
    assert_eq!(after.imported, Some(expected));
    // Random weights are of no file.
    assert_eq!(content("random").unwrap().imported, None);
    std::fs::write(&import, "{}").unwrap();
    let error = content("checkpoint").unwrap_err().to_string();
    assert!(error.starts_with("agent.model.path: ") && error.contains("import.json"), "{error}");
}

#[test]
fn what_does_not_fit_the_model_is_refused_at_build() {
    let dir = model_dir();
    let shared = SharedPool::default();
    let error = |params: Value| try_agent("ppo-llm", params, &shared).err().unwrap().to_string();
    let base = || params(dir.path());
    assert_eq!(
        error(with(base(), "n_trainable_layers", json!(4))),
        "agent.n_trainable_layers: expected 0 to 3, the model's layers, found 4"
    );
    assert!(error(with(base(), "trainable", json!(["layers.3"]))).starts_with("agent.trainable: "));
    assert!(error(with(base(), "prompt.max_tokens", json!(16))).starts_with("agent.prompt.max_tokens: "));
    let missing = error(with(base(), "model.path", json!("no/such/folder")));
    assert!(missing.starts_with("agent.model.path: ") && missing.contains("no/such/folder"), "{missing}");
    let checkpoint = json!({ "path": dir.path(), "weights": "checkpoint" });
    let missing = error(with(base(), "model", checkpoint));
    assert!(missing.contains("model.safetensors"), "{missing}");

    let path = dir.path().join("config.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("512", "300")).unwrap();
    let small = error(base());
    assert!(small.contains("config.json: vocab_size: expected at least "), "{small}");
    std::fs::write(&path, text.replace("\"max_position_embeddings\":512", "\"max_position_embeddings\":30"))
        .unwrap();
    let short = error(base());
    assert!(short.starts_with("agent.prompt: ") && short.ends_with("longest sequence is 30"), "{short}");
}

#[test]
fn a_chat_template_is_the_models_and_identifies_a_run() {
    let dir = model_dir();
    let plugin = agent_plugin("ppo-llm");
    let files = Files { root: dir.path().to_owned(), ..Files::default() };
    let chat = || with(params(dir.path()), "prompt.chat_template", json!(true));
    let names = |params: Value| {
        let content = plugin.content(&resolved("ppo-llm", params), &files).unwrap();
        content.files.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names(params(dir.path())), ["config.json", "tokenizer.json"]);
    assert_eq!(names(chat()), ["config.json", "tokenizer.json", "tokenizer_config.json"]);

    let config = dir.path().join("tokenizer_config.json");
    std::fs::write(&config, "{}").unwrap();
    let error = try_agent("ppo-llm", chat(), &SharedPool::default()).err().unwrap().to_string();
    assert!(error.starts_with("agent.prompt.chat_template: ") && error.contains("found nothing"), "{error}");
    std::fs::remove_file(&config).unwrap();
    let error = try_agent("ppo-llm", chat(), &SharedPool::default()).err().unwrap().to_string();
    assert!(error.contains("tokenizer_config.json"), "{error}");
}

#[test]
fn shortened_prompts_are_counted() {
    let dir = model_dir();
    let counts = |max_tokens: u64| {
        let agent = agent("ppo-llm", with(params(dir.path()), "prompt.max_tokens", json!(max_tokens)));
        let (mut learner, _) = train(&*agent, 1);
        let trained = learner.prompts().unwrap();
        decisions(&mut *learner, &masking_arena(reverting_market(2, 20), SplitName::Test));
        (trained, learner.prompts().unwrap())
    };
    let (trained, evaluated) = counts(400);
    // 48 steps and what stands after the last one in each of two environments, ends of episodes aside.
    assert!(trained.encoded >= 50 && trained.shortened == 0, "{trained:?}");
    assert_eq!(evaluated.encoded, trained.encoded + 19);
    // The dates of the first bars have no news yet: their prompts fit.
    let (_, tight) = counts(40);
    assert_eq!(tight.encoded, evaluated.encoded);
    assert!(tight.shortened > 0 && tight.shortened < tight.encoded, "{tight:?}");
}

/// A repository of the hub is a folder of its cache, pinned to a commit.
#[test]
fn a_model_may_be_a_repository_of_the_hub() {
    let cache = tempfile::tempdir().unwrap();
    let commit = "0123456789012345678901234567890123456789";
    let repository = cache.path().join("models--org--tiny");
    let snapshot = repository.join("snapshots").join(commit);
    std::fs::create_dir_all(&snapshot).unwrap();
    write_model(&snapshot);
    let plugin = agent_plugin("ppo-llm");
    let with_revision = |revision: Value| {
        resolved("ppo-llm", with(params(Path::new("org/tiny")), "model.revision", revision))
    };
    let unpinned = Files { hub: Some(cache.path().to_owned()), ..Files::default() };
    let pinned = Files { pins: [("org/tiny".to_owned(), commit.to_owned())].into(), ..unpinned.clone() };
    let folder = plugin.content(&resolved("ppo-llm", params(&snapshot)), &unpinned).unwrap();
    assert_eq!(folder.pin, None);
    for (revision, files) in [(json!(commit), &unpinned), (json!(null), &pinned)] {
        let content = plugin.content(&with_revision(revision), files).unwrap();
        assert_eq!(content.files, folder.files);
        assert_eq!(content.pin.unwrap().commit, commit);
    }
    let error = plugin.content(&with_revision(json!(null)), &unpinned).unwrap_err().to_string();
    assert!(
        error.starts_with("agent.model.path: ")
            && error.contains(&format!("`{} model fetch org/tiny`", plugin::program())),
        "{error}"
    );
    for key in ["model.path", "model.revision"] {
        assert!(plugin::unhashed_keys(&plugin.schema()).contains(&key.to_owned()), "{key}");
    }
}

#[test]
fn relations_are_checked_without_the_model() {
    let plugin = agent_plugin("ppo-llm");
    let error = |given: Value| {
        let errors = plugin.check(&resolved_unchecked("ppo-llm", given)).unwrap_err();
        assert_eq!(errors.len(), 1);
        errors[0].to_string()
    };
    assert_eq!(
        error(json!({ "trainable": ["lm_head"] })),
        "trainable: expected embedding, layers.N, layers.N-M or norm, found [\"lm_head\"]"
    );
    assert!(
        error(json!({ "n_trainable_layers": 0, "lora": { "rank": 4 } })).starts_with("lora.rank: expected ")
    );
    assert!(
        error(json!({ "model": { "weights_seed": 3 } })).starts_with("model.weights_seed: expected nothing")
    );
    assert_eq!(
        error(json!({ "model": { "knowledge_until": "2024-13-01" } })),
        "model.knowledge_until: expected a day as YYYY-MM-DD, found \"2024-13-01\""
    );
    assert!(error(json!({ "model": { "path": "" } })).starts_with("model.path: expected a folder"));
    assert!(
        error(json!({ "model": { "revision": "../x" } })).starts_with("model.revision: expected a branch")
    );
    assert!(
        error(json!({ "total_timesteps": 1 })).starts_with("total_timesteps: expected at least num_steps")
    );
    plugin.check(&resolved("ppo-llm", json!({}))).unwrap();
}

/// All keys of the flattened and nested tables are known, described and have a default.
#[test]
fn the_schema_is_complete() {
    let docs = plugin::key_docs(&agent_plugin("ppo-llm").schema());
    for key in ["learning_rate", "kl_coef", "model.path", "lora.rank", "prompt.history", "n_trainable_layers"]
    {
        let doc = docs.iter().find(|d| d.key == key).unwrap_or_else(|| panic!("no key {key}"));
        assert!(doc.default.is_some() && !doc.doc.is_empty(), "{key}");
    }
    assert!(docs.iter().all(|d| !d.doc.is_empty()));
    let mut wrong = resolved("ppo-llm", json!({}));
    wrong["lora"]["rnak"] = json!(1);
    wrong["learning_rate"] = json!(-1.0);
    let errors = plugin::check_value(&agent_plugin("ppo-llm").schema(), &wrong);
    let mut keys: Vec<_> = errors.iter().map(|e| e.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["learning_rate", "lora.rnak"]);
}

/// Minibatches whose graph is small go through the network at once, larger ones in equal pieces, never smaller than asked.
#[test]
fn micro_batches_are_joined_where_memory_is_no_matter() {
    let config = json!({
        "model_type": "llama", "vocab_size": 64, "hidden_size": 64, "intermediate_size": 4096, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096,
        "tie_word_embeddings": true, "rms_norm_eps": 1e-5,
    });
    let config = llm::LlmConfig::from_json(&config, Path::new("config.json")).unwrap();
    let backbone = Arc::new(llm::Backbone::random(&config, 1, &Device::flex()));
    let body = |n_trainable_layers| {
        Body::new(backbone.clone(), TrainSpec { n_trainable_layers, ..TrainSpec::default() }, 1).unwrap()
    };
    let policy = LlmPolicy::new(body(1), &PpoConfig::default(), 1);
    let sequence = |token| {
        let part = policy.body().encode_shared(&[token; 100]).unwrap();
        policy.body().encode_own(&part, &[2; 28]).unwrap()
    };
    let [one, other] = [sequence(1), sequence(3)];
    let bytes = policy.body().graph_bytes(&[&one]);
    // 4 (4 d + 2 (q + 2 kv) + 2 q + 3 * 4096) bytes for each of 128 tokens.
    assert_eq!(bytes, 4 * (4 * 64 + 2 * (64 + 2 * 32) + 2 * 64 + 3 * 4096) * 128);
    // With nothing in common, and 100 tokens in common.
    assert_eq!(policy.body().graph_bytes(&[&one, &other]), 2 * bytes);
    assert_eq!(policy.body().graph_bytes(&[&one, &one]), bytes + bytes / 128 * 28);
    let batch = |n: usize| [&one, &other].into_iter().cycle().take(n).collect::<Vec<_>>();
    let size = |n: usize, least: usize| policy.micro_batch_size(&batch(n), least);
    let most = JOINED / bytes;
    assert_eq!((size(most, 2), size(most + 1, 2)), (most, (most + 1).div_ceil(2)));
    assert_eq!(size(3 * most, most + 3), most + 3);
    assert_eq!(size(1, 4), 4);
    // Nothing of a body without trained layers is kept.
    let heads = LlmPolicy::new(body(0), &PpoConfig::default(), 1);
    assert_eq!(heads.micro_batch_size(&batch(1000), 4), 1000);
}

/// Mean and scale are those of the training part's first prompts under the untrained model, the same for every seed, and
/// training leaves them.
#[test]
fn heads_read_states_standardised_over_the_training_part() {
    let dir = model_dir();
    let receipt = train(&*agent("ppo-llm", params(dir.path())), 1).0.receipt().unwrap();
    for name in ["head_input.mean", "head_input.scale"] {
        let tensor = receipt.tensors.iter().find(|t| t.name == name).unwrap();
        assert!(!tensor.trained && tensor.before == tensor.after, "{name}");
    }

    let shared = SharedPool::default();
    let parsed = serde_json::from_value(resolved("ppo-llm", params(dir.path()))).unwrap();
    let agent = with_context(&shared, |context| PpoLlm::build(parsed, context)).unwrap();
    let arena = masking_arena(reverting_market(1, 80), SplitName::Train);
    let prepared = |seed, chunk| {
        let mut net = agent.fresh(seed).unwrap().into_network();
        net.prepare(&arena, chunk).unwrap();
        let values = |name: &str| net.params().get(name).unwrap().values();
        [values("head_input.mean"), values("head_input.scale")]
    };
    let [mean, scale] = prepared(1, 12);
    assert_eq!([mean.clone(), scale.clone()], prepared(2, 12));

    // The same by hand: every bar of 80 at which an episode can begin.
    let starts = arena.starts(1000);
    assert_eq!(starts.len(), 79);
    let mut reader = agent.reader.clone();
    let backbone = agent.model.backbone(1, &agent.device).unwrap();
    let body = Body::new(backbone, agent.params.train_spec(), 1).unwrap();
    let encoded = reader.read(None, &body, &starts.observations()).unwrap();
    let state = |e| body.forward_frozen(std::slice::from_ref(e)).try_into_vec_as::<f32>().unwrap();
    let rows: Vec<Vec<f32>> = encoded.iter().map(state).collect();
    for j in 0..mean.len() {
        let column = || rows.iter().map(|row| f64::from(row[j]));
        let by_hand = column().sum::<f64>() / 79.0;
        let deviation = (column().map(|x| (x - by_hand).powi(2)).sum::<f64>() / 79.0).sqrt();
        assert!((f64::from(mean[j]) - by_hand).abs() < 1e-5, "{j}");
        assert!(f64::from(scale[j]) > deviation - 1e-5, "{j}");
    }
}

/// Heads on raw states have no tensors but their own.
#[test]
fn raw_heads_hold_what_they_held_before_there_was_a_choice() {
    let dir = model_dir();
    let agent = agent("ppo-llm", with(params(dir.path()), "head_input", json!("raw")));
    let (learner, _) = train(&*agent, 1);
    assert!(learner.receipt().unwrap().tensors.iter().all(|t| !t.name.starts_with("head_input")));
}
