//! Bytes of real training runs: what stands beside a run changes nothing in it.

// Helpers are part of the tests: what goes wrong in them is the failure of the test.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Both learned agents and the one that only reads, on a small market.
fn experiment(model: &Path) -> String {
    format!(
        r#"
title = "Equal bytes"
seeds = 1
baselines = ["zero-shot-llm"]
controls = ["ppo-mlp", "shuffled-news"]
data.kind = "synthetic-news"
data.generator.bars = 230
split.train = ["2010-01-04", "2010-08-31"]
split.test = ["2010-09-01", "2010-10-29"]
rules = "investor-bench"
reward = "log-return"
env.num_envs = 4
env.max_episode_steps = 30
[agent]
kind = "ppo-llm"
total_timesteps = 64
num_steps = 8
minibatch_size = 16
gradient_accumulation_steps = 4
[agent.model]
path = {model:?}
"#
    )
}

/// Bytes of both tables of every run after a sweep with these arguments.
fn sweep(args: &[&str]) -> BTreeMap<String, [Vec<u8>; 2]> {
    let dir = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    std::fs::write(dir.path().join("bytes.toml"), experiment(&root.join("models/tiny-llama"))).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_flaglab"));
    for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("FLAGLAB_")) {
        command.env_remove(key);
    }
    let output = command.args(["sweep", "bytes.toml"]).args(args).current_dir(dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let runs = std::fs::read_dir(dir.path().join("runs/bytes")).unwrap().map(|entry| entry.unwrap().path());
    let tables = |run: &Path| {
        ["steps", "updates"].map(|t| std::fs::read(run.join(t).with_extension("parquet")).unwrap())
    };
    let name = |run: &Path| run.file_name().unwrap().to_str().unwrap().to_owned();
    runs.filter(|path| path.is_dir()).map(|run| (name(&run), tables(&run))).collect()
}

/// One seed alone on one worker, and the same seed among five on two workers.
#[test]
fn a_seed_has_the_same_bytes_alone_and_among_five() {
    let alone = sweep(&["--jobs", "1"]);
    let among = sweep(&["--jobs", "2", "--set", "seeds=5"]);
    assert_eq!((alone.len(), among.len()), (4, 20));
    for (run, tables) in &alone {
        assert!(among[run] == *tables, "run {run}");
    }
    let distinct: std::collections::HashSet<_> = among.values().map(|[steps, _]| steps).collect();
    // The untrained model decides the same for every seed; its rows differ in nothing.
    assert!(distinct.len() >= 16, "seeds and arms differ: {}", distinct.len());
}
