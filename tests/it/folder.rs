//! A temporary folder with data and an experiment, and the command line started in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Experiment of most tests: small, and every section explicit.
pub const EXPERIMENT: &str = r#"
title = "A small sweep"
seeds = 2
backend = "host"
baselines = ["buy-and-hold", "flat", "random", "momentum"]

[data]
kind = "csv"
path = "prices.csv"

[split]
train = ["2020-01-01", "2020-03-31"]
valid = ["2020-04-01", "2020-04-30"]
test = ["2020-05-01", "2020-06-30"]

[rules]
kind = "paper"

[reward]
kind = "log-return"

[env]
max_episode_steps = 20

[agent]
kind = "test-agent"

[sweep]
mode = "one-at-a-time"

[sweep.axes]
"agent.learning_rate" = [0.001, 0.01]
"#;

/// Deleted when dropped.
pub struct Folder {
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
}

/// What a command came to.
pub struct Output {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Folder {
    /// Nothing in it.
    pub fn empty() -> Self {
        Folder { dir: tempfile::tempdir().unwrap(), env: Vec::new() }
    }

    /// With `prices.csv` and `small.toml`.
    pub fn with_experiment(text: &str) -> Self {
        let folder = Self::empty();
        folder.write("prices.csv", prices(182));
        folder.write("small.toml", text);
        folder
    }

    /// Path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// Sets an environment variable of the commands to come.
    pub fn set(&mut self, key: &str, value: &str) {
        self.env.push((key.to_owned(), value.to_owned()));
    }

    /// Starts the command line in the folder.
    pub fn run(&self, args: &[&str]) -> Output {
        self.run_in("", args)
    }

    /// Starts the command line in a folder below.
    pub fn run_in(&self, below: &str, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_it"));
        command.args(args).current_dir(self.path(below));
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("FLAGLAB_") || key.to_string_lossy().starts_with("HF_") {
                command.env_remove(key);
            }
        }
        // Neither a cache of this machine nor the network.
        command.env("HF_HOME", self.path("hf")).env("HF_ENDPOINT", "http://127.0.0.1:9");
        command.envs(self.env.iter().cloned());
        let output = command.output().unwrap();
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Names of everything in it, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Manifests of all stored attempts of an experiment, by folder name.
    pub fn manifests(&self, experiment: &str) -> BTreeMap<String, Value> {
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir(self.path("runs").join(experiment)).unwrap() {
            let dir = entry.unwrap().path();
            if let Ok(text) = std::fs::read_to_string(dir.join("manifest.json")) {
                let name = dir.file_name().unwrap().to_string_lossy().into_owned();
                found.insert(name, serde_json::from_str(&text).unwrap());
            }
        }
        found
    }

    /// Contents of one file of every stored attempt, by folder name.
    pub fn files(&self, experiment: &str, name: &str) -> BTreeMap<String, Vec<u8>> {
        let of = |attempt: &String| {
            (attempt.clone(), read(&self.path("runs").join(experiment).join(attempt).join(name)))
        };
        self.manifests(experiment).keys().map(of).collect()
    }
}

impl Output {
    /// Exit 0; the standard output.
    pub fn ok(&self) -> &str {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
        &self.stdout
    }

    /// Exit 0; the standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(self.ok()).unwrap()
    }

    /// Last line of the standard output.
    pub fn last_line(&self) -> &str {
        self.stdout.lines().next_back().unwrap_or_default()
    }

    /// The rules for bad input: exit 2, nothing on stdout, one screen on stderr, no panic. Returns the message with
    /// its wrapped lines joined.
    pub fn refused(&self) -> String {
        assert_eq!(self.code, 2, "{}\n{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "");
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        assert!(!self.stderr.trim().is_empty());
        assert!(self.stderr.lines().count() <= 24, "{}", self.stderr);
        assert!(self.stderr.lines().all(|l| l.chars().count() <= 100), "{}", self.stderr);
        self.stderr.replace("\n    ", " ")
    }
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// `n` daily bars from 2020-01-01, with opens, that rise and fall by a fixed formula.
pub fn prices(n: u64) -> String {
    let first = 18_262; // Days from 1970-01-01 to 2020-01-01.
    let close = |i: u64| 100.0 + 10.0 * (i as f64 * 0.3).sin() + 0.05 * i as f64;
    let mut text = "date,open,high,low,close,volume\n".to_owned();
    for i in 0..n {
        let (open, close) = (close(i.saturating_sub(1)) + 0.1, close(i));
        let (high, low) = (open.max(close) + 1.0, open.min(close) - 1.0);
        text += &format!("{},{open:.4},{high:.4},{low:.4},{close:.4},{}\n", date(first + i), 1000 + i);
    }
    text
}

/// The closes of a CSV text.
pub fn closes(text: &str) -> Vec<f64> {
    let mut lines = text.lines().map(|line| line.split(','));
    let column = lines.next().unwrap().position(|name| name == "close").unwrap();
    lines.map(|mut cells| cells.nth(column).unwrap().parse().unwrap()).collect()
}

/// ISO date of a number of days since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
pub fn date(days: u64) -> String {
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[test]
fn dates_are_right() {
    assert_eq!(
        (date(18_262), date(18_321), date(18_322)),
        ("2020-01-01".into(), "2020-02-29".into(), "2020-03-01".into())
    );
}
