use serde_json::json;
use trading_env::{SplitName, Training, contract};

use crate::testing::*;

fn params() -> serde_json::Value {
    json!({
        "total_timesteps": 8000, "num_steps": 50, "learning_rate": 3e-3, "gamma": 0.0, "update_epochs": 4,
        "minibatch_size": 50, "gradient_accumulation_steps": 1, "kl_coef": 0, "ent_coef": 0.01,
        "window": 4, "widths": [16], "policy_head": [], "value_head": [],
    })
}

fn small() -> serde_json::Value {
    let mut params = params();
    params["total_timesteps"] = json!(400);
    params
}

#[test]
fn keeps_the_promises_of_agents() {
    check_promises("ppo-mlp", &small(), 120);
}

#[test]
fn sampling_at_test_keeps_them_too() {
    let mut params = params();
    params["action_at_test"] = json!("sample");
    params["temperature"] = json!(0.6);
    contract::check_agent(
        &*agent("ppo-mlp", params),
        &masking_arena(reverting_market(1, 80), SplitName::Test),
        3,
    );
}

#[test]
fn learns_a_market_that_reverts() {
    let agent = agent("ppo-mlp", params());
    let training = arena(reverting_market(1, 800), SplitName::Train);
    let mut learner = agent.learner(7).unwrap();
    let unseen = reverting_market(2, 400);
    let optimum = reversal_score(unseen.closes());
    let test = arena(unseen, SplitName::Test);
    let before = score(&mut *learner, &test);
    let mut log = MemoryLog::default();
    learner.train(Training { arena: &training, validation: None, log: &mut log }).unwrap();
    let after = score(&mut *learner, &test);
    assert!(before < 0.5 * optimum, "untrained: {before} of {optimum}");
    assert!(after > 0.95 * optimum, "trained: {after} of {optimum}");

    let receipt = learner.receipt().unwrap();
    assert!(receipt.tensors.iter().all(|t| t.trained));
    let groups: Vec<_> = receipt.groups.iter().map(|g| g.group.as_str()).collect();
    assert_eq!(groups, ["body", "policy_head", "value_head"]);
    assert!(log.timings.iter().all(|t| t.rss_bytes > 1 << 20 && t.steps_per_s > 0.0));
}

#[test]
fn a_saved_policy_decides_as_the_learner_did() {
    let agent = agent("ppo-mlp", small());
    let training = arena(reverting_market(1, 300), SplitName::Train);
    let test = arena(reverting_market(2, 100), SplitName::Test);
    let mut learner = agent.learner(7).unwrap();
    let untrained = decisions(&mut *learner, &test);
    learner.train(Training { arena: &training, validation: None, log: &mut MemoryLog::default() }).unwrap();
    let dir = tempfile::tempdir().unwrap();
    assert!(learner.save(dir.path()).unwrap());
    let trained = decisions(&mut *learner, &test);
    assert_ne!(trained, untrained);
    let mut loaded = agent.load(7, dir.path()).unwrap();
    assert_eq!(decisions(&mut *loaded, &test), trained);
    let mut names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["optimizer.safetensors", "policy.json", "policy.safetensors"]);
}

#[test]
fn a_policy_of_another_agent_or_shape_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let small_agent = agent("ppo-mlp", small());
    let error = small_agent.load(7, dir.path()).err().unwrap().to_string();
    assert!(error.contains("policy.json"), "{error}");

    small_agent.learner(7).unwrap().save(dir.path()).unwrap();
    let mut wide = small();
    wide["widths"] = json!([17]);
    let error = agent("ppo-mlp", wide).load(7, dir.path()).err().unwrap().to_string();
    assert!(
        error.contains("body.0.weight") && error.contains("[17, 5]") && error.contains("[16, 5]"),
        "{error}"
    );

    let path = dir.path().join("policy.json");
    let text = std::fs::read_to_string(&path).unwrap().replace("ppo-mlp", "ppo-llm");
    std::fs::write(&path, text).unwrap();
    let error = small_agent.load(7, dir.path()).err().unwrap().to_string();
    assert!(error.ends_with("policy.json: agent: expected ppo-mlp, found ppo-llm"), "{error}");
}

#[test]
fn every_parameter_of_its_own_changes_the_result() {
    let training = arena(reverting_market(1, 300), SplitName::Train);
    let digests = |key: &str, value: serde_json::Value| {
        let mut params = small();
        params[key] = value;
        let agent = agent("ppo-mlp", params);
        let mut learner = agent.learner(7).unwrap();
        learner
            .train(Training { arena: &training, validation: None, log: &mut MemoryLog::default() })
            .unwrap();
        learner.receipt().unwrap().tensors.into_iter().map(|t| t.after).collect::<Vec<_>>()
    };
    let results = [
        digests("window", json!(4)),
        digests("window", json!(5)),
        digests("return_scale", json!(50.0)),
        digests("widths", json!([16, 16])),
        digests("widths", json!([])),
        digests("activation", json!("relu")),
        digests("policy_head", json!([8])),
        digests("value_head", json!([8])),
    ];
    for i in 0..results.len() {
        assert!(!results[..i].contains(&results[i]), "{i}");
    }
}

/// The flattened schema holds PPO's settings as well as the agent's own, all described; wrong values are found.
#[test]
fn the_schema_is_flat_and_complete() {
    let plugin = agent_plugin("ppo-mlp");
    let schema = plugin.schema();
    let docs = plugin::key_docs(&schema);
    let own = serde_json::to_value(crate::PpoMlpParams::default()).unwrap();
    for key in own.as_object().unwrap().keys() {
        let doc = docs.iter().find(|d| d.key == *key).unwrap_or_else(|| panic!("no key {key}"));
        assert!(!doc.doc.is_empty(), "{key}");
    }
    let mut wrong = resolved("ppo-mlp", json!({}));
    wrong["learning_rate"] = json!(-1.0);
    wrong["windoe"] = json!(3);
    wrong["dropout"] = json!(0.1);
    wrong["train_dtype"] = json!("float8");
    wrong["action_at_test"] = json!("argmin");
    wrong["activation"] = json!("gelu");
    let mut keys: Vec<_> = plugin::check_value(&schema, &wrong).into_iter().map(|e| e.key).collect();
    keys.sort();
    assert_eq!(keys, ["action_at_test", "activation", "dropout", "learning_rate", "train_dtype", "windoe"]);

    let narrow = resolved_unchecked("ppo-mlp", json!({ "train_dtype": "float16" }));
    let errors = plugin.check(&narrow).unwrap_err();
    assert_eq!((errors.len(), errors[0].key.as_str()), (1, "train_dtype"));

    let relation = resolved_unchecked("ppo-mlp", json!({ "total_timesteps": 10, "num_steps": 40 }));
    let errors = plugin.check(&relation).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].key, "total_timesteps");
}
