use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::fixture::{Folder, load_text, sections};
use crate::{RunSpec, canonical_json};

fn run_of(text: &str, seed: u64) -> RunSpec {
    load_text(text).unwrap_or_else(|e| panic!("{e}")).arms[0].run(seed)
}

fn digests() -> Vec<(String, String)> {
    vec![("data".to_owned(), "aa".to_owned()), ("checkpoint".to_owned(), "bb".to_owned())]
}

#[test]
fn the_identity_is_the_hash_of_the_documented_json() {
    // printf '%s' '{"contract":1,"digests":[["checkpoint","bb"],["data","aa"]],"sections":{...},"seed":7}' | sha256sum
    let run = run_of("", 7);
    let mut sections = Value::Object(run.sections.clone());
    let map = sections.as_object_mut().unwrap();
    map.remove("data");
    map["agent"].as_object_mut().unwrap().remove("checkpoint");
    let facts = json!({ "contract": 1, "seed": 7, "digests": [["checkpoint", "bb"], ["data", "aa"]], "sections": sections });
    let digest = <sha2::Sha256 as sha2::Digest>::digest(canonical_json(&facts).as_bytes());
    let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(run.run_id(1, &digests()), hex[..16]);
}

#[test]
fn what_changes_no_result_changes_no_identity() {
    let id = |text: &str| run_of(text, 1).run_id(1, &digests());
    let base = id("");
    for same in [
        "title = \"t\"",
        "seeds = [1, 5]",
        "run.jobs = 2",
        "launcher = \"slurm\"",
        "data.path = \"elsewhere.csv\"",
        "data.close = \"Close\"",
        "agent.checkpoint = \"/some/where\"",
        "[agent]\nlora = { alpha = 16 }\nlearning_rate = 3e-4",
        "backend = \"flex\"",
    ] {
        assert_eq!(id(same), base, "{same}");
    }
    let folder = Folder::new(&[("other.toml", crate::fixture::BASE)]);
    assert_eq!(folder.load("other.toml", &[], &[]).unwrap().arms[0].run(1).run_id(1, &digests()), base);
    let mut turned = digests();
    turned.reverse();
    assert_eq!(run_of("", 1).run_id(1, &turned), base);
}

#[test]
fn what_changes_a_result_changes_the_identity() {
    let base = run_of("", 1);
    let mut ids =
        vec![base.run_id(1, &digests()), base.run_id(2, &digests()), base.run_id(1, &digests()[..1])];
    ids.push(run_of("", 2).run_id(1, &digests()));
    for other in [
        "backend = \"wgpu\"",
        "env.max_episode_steps = 64",
        "agent.lora.rank = 1",
        "reward = \"cvar\"",
        "split.warmup = 1",
    ] {
        ids.push(run_of(other, 1).run_id(1, &digests()));
    }
    for (i, id) in ids.iter().enumerate() {
        assert_eq!(id.len(), 16);
        assert!(!ids[..i].contains(id), "{i}");
    }
}

#[test]
fn the_trial_is_the_run_without_its_seed() {
    let (one, two) = (run_of("", 1), run_of("", 2));
    assert_eq!(one.arm_key(1, &digests()), two.arm_key(1, &digests()));
    assert_ne!(one.arm_key(1, &digests()), one.run_id(1, &digests()));
    assert_ne!(one.arm_key(1, &digests()), run_of("agent.lora.rank = 1", 1).arm_key(1, &digests()));
}

#[test]
fn a_run_survives_its_own_toml() {
    for (text, seed) in
        [("", 0), ("reward = { kind = \"cvar\", alpha = 1e-7 }\nagent.checkpoint = 'a \"b\" \\c'", u64::MAX)]
    {
        let run = run_of(text, seed);
        let written = run.to_toml();
        let read = RunSpec::from_toml(&written, "spec.toml", &sections())
            .unwrap_or_else(|e| panic!("{e}\n{written}"));
        assert_eq!(read.seed, seed);
        assert_eq!(
            canonical_json(&Value::Object(read.sections.clone())),
            canonical_json(&Value::Object(run.sections.clone()))
        );
        assert_eq!(read.run_id(1, &[]), run.run_id(1, &[]));
        assert_eq!(read.to_toml(), written);
    }
}

#[test]
fn a_damaged_run_file_is_refused_with_its_keys() {
    let text = run_of("", 1).to_toml().replace("seed = 1", "sed = 1").replace("rank = 0", "rank = \"0\"");
    let errors = RunSpec::from_toml(&text, "spec.toml", &sections()).unwrap_err().to_string();
    assert!(errors.contains("spec.toml: seed: expected a whole number >= 0"), "{errors}");
    assert!(
        errors.contains("agent.lora.rank: expected a whole number >= 0 and <= 64, found \"0\""),
        "{errors}"
    );
    assert!(errors.contains("spec.toml:1: sed: unknown section"), "{errors}");
}

/// The same value with its keys turned around at every level.
fn turned(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.iter().rev().map(|(k, v)| (k.clone(), turned(v))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(turned).collect()),
        other => other.clone(),
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9f64).prop_map(Value::from),
        "[ -~]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..5)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn canonical_json_ignores_key_order_and_reads_back(value in any_json()) {
        let text = canonical_json(&value);
        prop_assert_eq!(&canonical_json(&turned(&value)), &text);
        let read: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(canonical_json(&read), text);
    }

    #[test]
    fn floats_survive_the_canonical_form(x in any::<f64>().prop_filter("finite", |x| x.is_finite())) {
        let read: f64 = canonical_json(&json!(x)).parse().unwrap();
        prop_assert_eq!(read, x);
    }

    #[test]
    fn the_identity_ignores_the_order_of_keys_in_the_file(steps in 1u32..500, rank in 0u32..64, swap in any::<bool>()) {
        let lines = [format!("env.max_episode_steps = {steps}"), format!("agent.lora.rank = {rank}"), "reward = \"cvar\"".to_owned()];
        let plain = lines.join("\n");
        let mixed = if swap { [&lines[2], &lines[0], &lines[1]] } else { [&lines[1], &lines[2], &lines[0]] };
        let mixed = mixed.map(String::as_str).join("\n");
        prop_assert_eq!(run_of(&plain, 3).run_id(1, &[]), run_of(&mixed, 3).run_id(1, &[]));
    }
}
