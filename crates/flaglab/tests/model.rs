//! `flaglab model` on real folders: fixtures with transformers' numbers, and models that runs made.

// Helpers are part of the tests: what goes wrong in them is the failure of the test.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Exit code, stdout, stderr of the binary in `dir`.
fn flaglab(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flaglab"));
    for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("FLAGLAB_")) {
        command.env_remove(key);
    }
    let output = command.args(args).current_dir(dir).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

fn ok(dir: &Path, args: &[&str]) -> String {
    let (code, stdout, stderr) = flaglab(dir, args);
    assert_eq!(code, 0, "{args:?}\n{stdout}\n{stderr}");
    stdout
}

fn refused(dir: &Path, args: &[&str]) -> String {
    let (code, stdout, stderr) = flaglab(dir, args);
    assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}\n{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    stderr.replace("\n    ", " ")
}

fn logits(dir: &Path, args: &[&str]) -> Vec<f32> {
    let args = [&["model", "logits"], args, &["--format", "json"]].concat();
    serde_json::from_str(&ok(dir, &args)).unwrap()
}

/// Folder of a checkpoint that `crates/llm/fixtures/make.py` made.
fn fixture(name: &str) -> String {
    root().join("crates/llm/fixtures/parity").join(name).to_str().unwrap().to_owned()
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn logits_are_one_bare_array_and_those_of_transformers() {
    let checkpoint = fixture("llama-tokenizer");
    let expected = std::fs::read_to_string(Path::new(&checkpoint).join("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let of_ids = |ids: &[Value]| {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        logits(&root(), &["--checkpoint", &checkpoint, "--ids", &ids.join(",")])
    };
    for (n, row) in expected["logits"].as_object().unwrap() {
        let found = of_ids(&expected["ids"].as_array().unwrap()[..n.parse().unwrap()]);
        let row: Vec<f32> = serde_json::from_value(row.clone()).unwrap();
        assert!(distance(&found, &row) < 1e-4);
    }
    // Text becomes the ids that transformers' tokenizer gives, special tokens included.
    for case in expected["texts"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let found = logits(&root(), &["--checkpoint", &checkpoint, "--text", text]);
        assert_eq!(found, of_ids(case["ids"].as_array().unwrap()), "{text:?}");
    }
}

#[test]
fn narrower_formats_round() {
    let checkpoint = root().join("crates/llm/fixtures/parity/llama-gqa");
    let of = |dtype: &str| {
        let args = ["--checkpoint", checkpoint.to_str().unwrap(), "--ids", "1,2,3", "--dtype", dtype];
        logits(&root(), &args)
    };
    let full = of("float32");
    let largest = full.iter().fold(0f32, |m, v| m.max(v.abs()));
    let error = |dtype: &str| distance(&of(dtype), &full) / largest;
    assert!((1e-6..1e-2).contains(&error("float16")), "{}", error("float16"));
    assert!((1e-4..1e-1).contains(&error("bfloat16")), "{}", error("bfloat16"));
}

#[test]
fn impossible_sequences_and_folders_are_refused() {
    let tied = fixture("llama-llama3-rope-scaling");
    let tied = tied.as_str();
    let logits = |args: &[&str]| refused(&root(), &[&["model", "logits"], args].concat());
    assert!(logits(&["--checkpoint", tied, "--ids", "1,64"]).contains("expected ids below 64, found 64"));
    assert!(logits(&["--checkpoint", tied, "--ids", "-1"]).contains("--ids"));
    assert!(logits(&["--checkpoint", tied]).contains("--ids"));
    assert!(logits(&["--checkpoint", tied, "--text", "a"]).contains("tokenizer.json"));
    assert!(logits(&["--checkpoint", "nowhere", "--ids", "1"]).contains("no such folder"));
    assert!(
        logits(&["--checkpoint", tied, "--ids", "1", "--backend", "flx"]).contains("did you mean \"flex\"?")
    );
    assert!(
        logits(&["--checkpoint", tied, "--ids", "1", "--adapter", "x"]).contains("x/adapter_config.json")
    );
    let inspect = refused(&root(), &["model", "inspect", tied, "--n-trainable-layers", "3"]);
    assert!(inspect.contains("--n-trainable-layers: expected 0 to 2"), "{inspect}");
}

#[test]
fn inspect_counts_and_describes() {
    let text = ok(&root(), &["model", "inspect", "models/tiny-llama", "--lora-rank", "4"]);
    for word in ["llama (LlamaForCausalLM)", "parameters", "trainable", "prefix cache", "BPE"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let tied = ok(&root(), &["model", "inspect", &fixture("llama-llama3-rope-scaling"), "--format", "json"]);
    let tied: Value = serde_json::from_str(&tied).unwrap();
    // 64 x 16 embedding, two layers of 32*16 + 2*16*16 + 16*32 + 3*16*24 and two norms, the final norm.
    let layer = 32 * 16 + 2 * 16 * 16 + 16 * 32 + 3 * 16 * 24 + 2 * 16;
    assert_eq!(tied["footprint"]["parameters"], 64 * 16 + 2 * layer + 16);
    assert_eq!(tied["footprint"]["trainable"], 2 * layer + 16);
    assert_eq!(tied["weights"]["types"], serde_json::json!({ "BF16": 20 }));
    assert_eq!(tied["tokenizer"], Value::Null);
}

/// A run with adapters and one that trained its heads alone, whose model is therefore the base.
const EXPERIMENT: &str = r#"
extends = "base.toml"
seeds = 1
baselines = []

[split]
train = ["2010-01-04", "2010-06-30"]
valid = ["2010-07-01", "2010-07-31"]
test = ["2010-08-01", "2010-08-31"]

[env]
num_envs = 2

[agent]
total_timesteps = 16
num_steps = 4
minibatch_size = 8
learning_rate = 0.01

[sweep]
mode = "list"

[[sweep.list]]
"agent.n_trainable_layers" = 0

[[sweep.list]]
"agent.n_trainable_layers" = 2
"agent.lora.rank" = 4
"#;

#[test]
fn what_a_run_trained_travels() {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["datasets", "models"] {
        std::os::unix::fs::symlink(root().join(folder), dir.path().join(folder)).unwrap();
    }
    std::fs::copy(root().join("experiments/base.toml"), dir.path().join("base.toml")).unwrap();
    std::fs::write(dir.path().join("small.toml"), EXPERIMENT).unwrap();
    ok(dir.path(), &["sweep", "small.toml"]);
    let mut runs = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(dir.path().join("runs/small")).unwrap() {
        let path = entry.unwrap().path();
        if let Ok(spec) = std::fs::read_to_string(path.join("spec.toml")) {
            let spec: toml::Table = spec.parse().unwrap();
            runs.insert(spec["agent"]["lora"]["rank"].as_integer().unwrap(), path);
        }
    }
    let [heads, lora] = [0, 4].map(|rank| runs[&rank].to_str().unwrap());
    assert_eq!(ok(dir.path(), &["model", "export", heads, "base"]), "base\n");
    ok(dir.path(), &["model", "export", lora, "adapter"]);
    ok(dir.path(), &["model", "export", lora, "merged", "--format", "full"]);
    for file in ["base/model.safetensors", "base/tokenizer.json", "adapter/adapter_config.json"] {
        assert!(dir.path().join(file).is_file(), "{file}");
    }
    for folder in ["base", "adapter", "merged"] {
        assert!(dir.path().join(folder).join("heads.safetensors").is_file());
    }
    let text = ["--text", "Prices rose.\n"];
    let base = logits(dir.path(), &[&["--checkpoint", "base"], &text[..]].concat());
    let adapted =
        logits(dir.path(), &[&["--checkpoint", "base", "--adapter", "adapter"], &text[..]].concat());
    let merged = logits(dir.path(), &[&["--checkpoint", "merged"], &text[..]].concat());
    assert!(distance(&base, &adapted) > 1e-4, "training moved the model");
    assert!(distance(&adapted, &merged) < 1e-4);

    // An adapter belongs to its base, a folder is never overwritten, and heads alone are no adapter.
    let other = refused(
        dir.path(),
        &["model", "logits", "--checkpoint", "merged", "--ids", "1", "--adapter", "adapter"],
    );
    assert!(other.contains("trained on a base model with digest"), "{other}");
    assert!(refused(dir.path(), &["model", "export", lora, "adapter"]).contains("exists already"));
    let none = refused(dir.path(), &["model", "export", heads, "new", "--format", "peft"]);
    assert!(
        none.contains("which an adapter does not hold") || none.contains("trained no adapters"),
        "{none}"
    );
    assert!(!dir.path().join("new").exists());
}
