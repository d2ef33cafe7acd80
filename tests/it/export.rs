//! `export`: stored runs as tables and as event files, the same bytes each time, and nothing else touched.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::folder::{EXPERIMENT, Folder};

fn swept() -> Folder {
    let folder = Folder::with_experiment(EXPERIMENT);
    folder.run(&["sweep", "small.toml"]).ok();
    folder
}

/// Files below a folder with their bytes, by path from there.
fn files(folder: &Folder, name: &str) -> BTreeMap<String, Vec<u8>> {
    fn below(dir: &Path, root: &Path, into: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, root, into);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                into.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    below(&folder.path(name), &folder.path(name), &mut found);
    found
}

/// Rows of a table by column; no field of these tests holds a comma.
fn table(folder: &Folder, name: &str) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(folder.path(name)).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let head = lines.next().unwrap();
    lines
        .map(|cells| {
            assert_eq!(cells.len(), head.len(), "{name}: {cells:?}");
            head.iter().cloned().zip(cells).collect()
        })
        .collect()
}

/// Number of records of an event file, whose lengths must lead to its end.
fn records(bytes: &[u8]) -> usize {
    let (mut at, mut n) = (0, 0);
    while at < bytes.len() {
        let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        at += 8 + 4 + usize::try_from(length).unwrap() + 4;
        n += 1;
    }
    assert_eq!(at, bytes.len());
    n
}

#[test]
fn tables_hold_every_run_under_the_names_of_the_parquet_files() {
    let folder = swept();
    let before = files(&folder, "runs");
    let output = folder.run(&["export", "small.toml", "--to", "csv"]);
    assert_eq!(output.ok(), "exports/small\n");
    assert_eq!(output.stderr, "small: 12 runs in 3 files\n");
    let runs = table(&folder, "exports/small/runs.csv");
    assert_eq!(runs.len(), 12);
    let manifests = folder.manifests("small");
    for row in &runs {
        let manifest = &manifests[&row["run_id"]];
        assert_eq!(row["arm"], manifest["arm"].as_str().unwrap());
        assert_eq!(row["role"], manifest["role"].as_str().unwrap());
        assert_eq!((row["state"].as_str(), row["attempt"].as_str()), ("completed", "1"));
        assert_eq!(row["seed"], manifest["seed"].to_string());
        let total = manifest["metrics"]["test"]["cumulative_return"].as_f64().unwrap();
        assert_eq!(row["test.cumulative_return"].parse::<f64>().unwrap(), total);
        assert!(row.contains_key("rescored.realistic.10bps.sharpe"));
    }
    let axis = |row: &BTreeMap<String, String>| row["axis.agent.learning_rate"].clone();
    assert_eq!(runs.iter().filter(|row| axis(row) == "0.01").count(), 2);
    assert_eq!(runs.iter().filter(|row| axis(row).is_empty()).count(), 8, "baselines have no axes");
    let updates = table(&folder, "exports/small/updates.csv");
    assert_eq!(updates.len(), 4);
    assert!(updates.iter().all(|row| row["policy_loss"] == "0.5" && row["global_step"] == "40"));
    assert!(updates.iter().all(|row| row["explained_variance"].is_empty()), "a null is an empty field");
    let steps = table(&folder, "exports/small/steps.csv");
    assert!(steps.iter().filter(|row| row["split"] == "test").count() >= 12 * 30);
    assert!(steps.iter().all(|row| ["sell", "hold", "buy"].contains(&row["action"].as_str())));
    assert_eq!(files(&folder, "runs"), before);

    let first = files(&folder, "exports");
    folder.run(&["export", "small.toml", "--to", "csv"]).ok();
    assert_eq!(files(&folder, "exports"), first);
}

#[test]
fn an_event_file_per_run_is_replaced_with_it() {
    let folder = swept();
    let args = ["export", "small.toml", "--to", "tensorboard", "--out", "board"];
    assert_eq!(folder.run(&args).ok(), "board\n");
    let first = files(&folder, "board");
    let events = |files: &BTreeMap<String, Vec<u8>>| -> Vec<String> {
        files.keys().filter(|name| name.contains("/events.out.tfevents.")).cloned().collect()
    };
    assert_eq!((events(&first).len(), first.len()), (12, 13), "{:?}", first.keys());
    for (name, bytes) in first.iter().filter(|(name, _)| name.contains("tfevents")) {
        let steps = if name.starts_with("buy-and-hold/seed-") { 0 } else { 1 };
        assert!(records(bytes) > 40 + steps, "{name}");
        assert!(
            bytes[12..].windows(13).next_back().is_some() && bytes.windows(13).any(|w| w == b"brain.Event:2")
        );
    }
    folder.run(&args).ok();
    assert_eq!(files(&folder, "board"), first);

    // New attempts have new names; those of the old go, and what another format has put there stays.
    folder.run(&["export", "small.toml", "--to", "csv", "--out", "board"]).ok();
    folder.run(&["sweep", "small.toml", "--fresh"]).ok();
    folder.run(&args).ok();
    let second = files(&folder, "board");
    assert_eq!((events(&second).len(), second.len()), (12, 16), "{:?}", second.keys());
    assert!(events(&second).iter().all(|name| name.ends_with(".2")), "{:?}", second.keys());
}

#[test]
fn failed_runs_stand_there_with_their_reason_and_unfinished_ones_do_not() {
    let agent = "kind = \"test-agent\"";
    let failing = format!("{agent}\nbehaviour = \"diverge\"\nseeds = [1]");
    let folder = Folder::with_experiment(&EXPERIMENT.replace(agent, &failing));
    assert_eq!(folder.run(&["sweep", "small.toml"]).code, 1);
    let output = folder.run(&["export", "small.toml", "--to", "csv", "--set", "seeds=3"]);
    output.ok();
    assert_eq!(output.stderr, "small: 12 runs in 3 files, 6 planned left out\n");
    let runs = table(&folder, "exports/small/runs.csv");
    let failed: Vec<_> = runs.iter().filter(|row| row["state"] == "failed").collect();
    assert_eq!(failed.len(), 2);
    assert!(failed.iter().all(|row| !row["reason"].is_empty() && row["test.sharpe"].is_empty()));
    folder.run(&["export", "small.toml", "--to", "tensorboard"]).ok();
}

#[test]
fn what_is_wrong_is_told_and_nothing_is_written() {
    let folder = Folder::with_experiment(EXPERIMENT);
    let export = |more: &[&str]| folder.run(&[&["export", "small.toml"], more].concat()).refused();
    let message = export(&["--to", "csv"]);
    assert!(message.contains("runs/small: expected a completed or failed run"), "{message}");
    assert!(!folder.path("exports").exists());

    folder.run(&["sweep", "small.toml"]).ok();
    folder.write("other.toml", EXPERIMENT);
    folder.run(&["sweep", "other.toml"]).ok();
    folder.run(&["export", "other.toml", "--to", "csv"]).ok();
    fs::create_dir(folder.path("mine")).unwrap();
    folder.write("mine/runs.csv", "my own\n");
    let before = files(&folder, ".");
    let message = export(&["--to", "csv", "--out", "mine"]);
    assert!(message.contains("--out: mine: holds runs.csv, which no export has written"), "{message}");
    let message = export(&["--to", "csv", "--out", "small.toml"]);
    assert!(message.contains("--out: small.toml: expected a folder, found a file"), "{message}");
    let message = export(&["--to", "tensorboard", "--out", "exports/other"]);
    assert!(message.contains("holds the export of \"other\""), "{message}");
    let message = export(&["--to", "csv", "--out", "runs/small"]);
    assert!(message.contains("which no export has written"), "{message}");
    let message = export(&["--to", "tensorbord"]);
    assert!(message.contains("tensorboard") && message.contains("csv"), "{message}");
    assert!(export(&[]).contains("--to"));
    let message = export(&["--to", "csv", "--set", "agent.behavior=panic"]);
    assert!(message.contains("behaviour"), "{message}");
    assert_eq!(files(&folder, "."), before);
}
