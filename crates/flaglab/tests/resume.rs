//! A sweep that is killed at random moments and started again: the same bytes as one that never stopped.

// What goes wrong in a helper is the failure of the test.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Every stream that a training draws from, a penalty that needs the policy before training, selection on validation,
/// and rewards with a memory.
fn experiment(model: &Path) -> String {
    format!(
        r#"
title = "Killed"
seeds = 1
controls = ["ppo-mlp"]
data.kind = "synthetic-news"
data.generator.bars = 200
split.train = ["2010-01-04", "2010-08-31"]
split.valid = ["2010-09-01", "2010-09-10"]
split.test = ["2010-09-13", "2010-09-24"]
rules = "paper"
reward = "sharpe-delta"
env.num_envs = 2
env.max_episode_steps = 17
run.checkpoint_every = 3
[agent]
kind = "ppo-llm"
total_timesteps = 800
num_steps = 8
minibatch_size = 8
update_epochs = 2
kl_coef = 0.05
checkpoint_rule = "best-validation"
validation_every = 3
action_at_test = "sample"
lora.rank = 2
lora.dropout = 0.1
[agent.model]
path = {model:?}
"#
    )
}

struct Sweep {
    dir: tempfile::TempDir,
}

impl Sweep {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
        std::fs::write(dir.path().join("killed.toml"), experiment(&root.join("models/tiny-llama"))).unwrap();
        Self { dir }
    }

    fn start(&self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flaglab"));
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("FLAGLAB_")) {
            command.env_remove(key);
        }
        command.args(["sweep", "killed.toml"]).current_dir(self.dir.path());
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn end(&self) {
        assert!(self.start().wait().unwrap().success());
    }

    fn runs(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.dir.path().join("runs/killed")).unwrap();
        let mut runs: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
        runs.sort();
        runs
    }

    /// Bytes of what must be equal, by run and file.
    fn bytes(&self) -> BTreeMap<String, Vec<u8>> {
        let files = [
            "steps.parquet",
            "updates.parquet",
            "checkpoint/policy.safetensors",
            "checkpoint/optimizer.safetensors",
            "checkpoint/policy.json",
        ];
        let mut bytes = BTreeMap::new();
        for run in self.runs() {
            assert!(!run.join("resume").exists(), "{}", run.display());
            let name = run.file_name().unwrap().to_string_lossy().into_owned();
            for file in files {
                bytes.insert(format!("{name}/{file}"), std::fs::read(run.join(file)).unwrap());
            }
            // What the receipt, the scores and the counts of prompts say is equal, too.
            let manifest = std::fs::read_to_string(run.join("manifest.json")).unwrap();
            let mut manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
            for key in ["started", "finished", "process"] {
                manifest.as_object_mut().unwrap().remove(key);
            }
            bytes.insert(format!("{name}/manifest"), manifest.to_string().into_bytes());
        }
        bytes
    }

    /// How long the longest run took.
    fn longest(&self) -> Duration {
        let time = |manifest: &serde_json::Value, key: &str| {
            chrono::DateTime::parse_from_rfc3339(manifest[key].as_str().unwrap()).unwrap()
        };
        let took = |run: &PathBuf| {
            let manifest = std::fs::read_to_string(run.join("manifest.json")).unwrap();
            let manifest = serde_json::from_str(&manifest).unwrap();
            (time(&manifest, "finished") - time(&manifest, "started")).to_std().unwrap()
        };
        self.runs().iter().map(took).max().unwrap()
    }

    /// Waits until a run has begun that has not ended; at most 20 seconds.
    fn wait_for_a_run(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let is_running = || {
            let runs = std::fs::read_dir(self.dir.path().join("runs/killed")).into_iter().flatten();
            let manifests =
                runs.map(|run| std::fs::read_to_string(run.unwrap().path().join("manifest.json")));
            let running = |text: String| text.contains("\"state\": \"running\"");
            manifests.flatten().any(running)
        };
        while !is_running() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How often runs went on from a point.
    fn resumed(&self) -> usize {
        let log = |run: &PathBuf| std::fs::read_to_string(run.join("log.txt")).unwrap_or_default();
        self.runs().iter().map(|run| log(run).matches("goes on after update").count()).sum()
    }
}

fn kill(child: &mut Child, signal: &str) {
    let _ = Command::new("kill").args([signal, &child.id().to_string()]).status();
}

/// `FLAGLAB_KILLS` moments (else 4), spread over the time that a run takes: SIGKILL, and SIGINT every fifth time.
fn killed(expected: &BTreeMap<String, Vec<u8>>, takes: Duration) -> String {
    let kills: u32 = std::env::var("FLAGLAB_KILLS").map_or(4, |n| n.parse().unwrap());

    let (mut equal, mut resumed) = (0, 0);
    let mut random = 7u64;
    let mut moment = 0;
    while moment < kills {
        let killed = Sweep::new();
        // Twice, so that it also goes on from a point that is no longer of its first process.
        for time in 0..(kills - moment).min(2) {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let share = f64::from((random >> 40) as u32) / f64::from(1u32 << 24);
            let mut child = killed.start();
            killed.wait_for_a_run();
            std::thread::sleep(takes.mul_f64(if time == 0 { 0.9 * share } else { 0.5 * share }));
            let signal = if moment % 5 == 4 { "-INT" } else { "-KILL" };
            kill(&mut child, signal);
            let _ = child.wait();
            moment += 1;
        }
        killed.end();
        assert!(killed.bytes() == *expected, "the bytes of a killed sweep differ");
        equal = moment;
        resumed += killed.resumed();
        println!("killed {moment} of {kills} times, went on {} times: equal", killed.resumed());
    }
    assert!(resumed > 0, "no run was killed after its first point");
    println!("{equal} of {kills} equal");
    format!("went on from a point {resumed} times; {equal} of {kills} equal")
}

/// The unit that a killed run goes on from is cut or lacks a file: the one before it, or the beginning, and the same bytes.
fn damaged(expected: &BTreeMap<String, Vec<u8>>) -> Vec<(&'static str, String)> {
    let mut table = Vec::new();
    for (damage, fault) in
        [("cut", "a checkpoint cut after 100 bytes"), ("gone", "a file of a checkpoint deleted")]
    {
        let killed = Sweep::new();
        let mut child = killed.start();
        let deadline = Instant::now() + Duration::from_secs(120);
        let points = || -> Vec<PathBuf> {
            let runs = std::fs::read_dir(killed.dir.path().join("runs/killed")).into_iter().flatten();
            let points = runs.flatten().flat_map(|run| std::fs::read_dir(run.path().join("resume")));
            let names = points.flatten().flatten().map(|entry| entry.path());
            names.filter(|path| path.join("params.safetensors").is_file()).collect()
        };
        while points().is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        kill(&mut child, "-KILL");
        let _ = child.wait();
        for point in points() {
            let file = point.join("params.safetensors");
            match damage {
                "cut" => std::fs::write(&file, &std::fs::read(&file).unwrap()[..100]).unwrap(),
                _ => std::fs::remove_file(&file).unwrap(),
            }
        }
        killed.end();
        assert!(killed.bytes() == *expected, "{damage}");
        let from = match killed.resumed() {
            0 => "the run began again",
            _ => "the run went on from the checkpoint before",
        };
        table.push((fault, from.to_owned()));
    }
    table
}

/// A disk that is full at different moments: with room again, the same command goes on.
fn full_disk(expected: &BTreeMap<String, Vec<u8>>) -> Option<String> {
    let mut told = Vec::new();
    for kib in [160, 400, 700] {
        let killed = Sweep::new();
        let script = format!(
            r#"mkdir disk && mount -t tmpfs -o size={kib}k none disk || exit 77
            FLAGLAB_RUNS=disk "$0" sweep killed.toml 2>full.txt
            echo $? >full.code
            mount -o remount,size=100m disk
            FLAGLAB_RUNS=disk "$0" sweep killed.toml || exit 1
            cp -r disk runs"#
        );
        let mut command = Command::new("unshare");
        // Root has no need of a user of its own, and others cannot do without.
        command.args(["--map-root-user", "--mount", "sh", "-c", &script, env!("CARGO_BIN_EXE_flaglab")]);
        let output = command.current_dir(killed.dir.path()).output();
        let Ok(output) = output.map_err(|e| println!("full disk: skipped, unshare: {e}")) else {
            return None;
        };
        if output.status.code() == Some(77) || String::from_utf8_lossy(&output.stderr).contains("unshare") {
            println!("full disk: skipped: {}", String::from_utf8_lossy(&output.stderr).trim());
            return None;
        }
        let read = |name: &str| std::fs::read_to_string(killed.dir.path().join(name)).unwrap();
        assert!(output.status.success(), "{kib} KiB: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(read("full.code").trim(), "1", "{kib} KiB are enough for the sweep");
        assert!(read("full.txt").contains("No space left on device"), "{}", read("full.txt"));
        assert!(killed.bytes() == *expected, "full at {kib} KiB: the bytes differ");
        told.push(format!("{kib} KiB (went on from a point {} times)", killed.resumed()));
    }
    Some(format!("exit 1 with the reason at {}; with room the same command completes", told.join(", ")))
}

/// Two sweeps on one folder of which one is killed: the other waits for nothing that is dead, and each run is
/// published once.
fn racing(expected: &BTreeMap<String, Vec<u8>>, takes: Duration) -> String {
    let shared = Sweep::new();
    let mut first = shared.start();
    shared.wait_for_a_run();
    let mut second = shared.start();
    std::thread::sleep(takes.mul_f64(0.5));
    kill(&mut first, "-KILL");
    let _ = first.wait();
    assert!(second.wait().unwrap().success());
    assert!(shared.bytes() == *expected, "the bytes of a shared sweep differ");
    let log = |run: &PathBuf| std::fs::read_to_string(run.join("log.txt")).unwrap();
    let published = |run: &PathBuf| log(run).lines().filter(|line| line.ends_with(" completed")).count();
    assert!(shared.runs().iter().all(|run| published(run) == 1));
    format!("the survivor took over what the dead one held, {} times from a point", shared.resumed())
}

/// One after the other: how long a run takes decides when it is killed.
#[test]
fn whatever_stops_a_sweep_its_bytes_are_the_same() {
    let whole = Sweep::new();
    whole.end();
    let expected = whole.bytes();
    let takes = whole.longest();
    let mut table = vec![("killed (4 of 5 times SIGKILL, else SIGINT)", killed(&expected, takes))];
    table.extend(damaged(&expected));
    table.extend(full_disk(&expected).map(|what| ("full disk", what)));
    table.push(("two sweeps on one folder, one killed", racing(&expected, takes)));
    println!("fault | what happened | lost");
    for (fault, what) in table {
        println!("{fault} | {what} | nothing: equal bytes");
    }
}
