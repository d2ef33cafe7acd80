//! `gc`: what no experiment refers to goes when it is told to, and nothing else does.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::folder::{EXPERIMENT, Folder};

/// `small.toml`, swept, and `other.toml`, which keeps a file there when `small.toml` goes.
fn swept() -> Folder {
    let folder = Folder::with_experiment(EXPERIMENT);
    folder.write("other.toml", EXPERIMENT);
    folder.run(&["sweep", "small.toml"]).ok();
    folder
}

/// Every file and folder below, with the bytes of files.
fn everything(dir: &Path, into: &mut BTreeSet<(String, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let is_folder = fs::symlink_metadata(&path).unwrap().is_dir();
        let bytes = if path.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        into.insert((path.display().to_string(), bytes));
        if is_folder {
            everything(&path, into);
        }
    }
}

fn all(folder: &Folder) -> BTreeSet<(String, Vec<u8>)> {
    let mut found = BTreeSet::new();
    everything(&folder.path("."), &mut found);
    found
}

fn listed(value: &Value) -> BTreeSet<String> {
    let garbage = value["garbage"].as_array().unwrap();
    garbage.iter().map(|g| g["path"].as_str().unwrap().to_owned()).collect()
}

fn json(folder: &Folder, args: &[&str]) -> Value {
    folder.run(&[&["gc", "--format", "json"], args].concat()).json()
}

/// As if it had been written to last two hours ago.
fn old(path: &Path) {
    let time = SystemTime::now() - Duration::from_secs(7200);
    File::open(path).unwrap().set_modified(time).unwrap();
}

fn ids(folder: &Folder) -> Vec<String> {
    folder.manifests("small").into_keys().collect()
}

#[test]
fn nothing_goes_where_everything_is_wanted() {
    let folder = swept();
    let before = all(&folder);
    let text = folder.run(&["gc", "--yes", "--attempts"]);
    assert_eq!(text.ok(), "nothing to remove\n");
    assert_eq!(all(&folder), before);
}

#[test]
fn runs_of_other_settings_go_when_told_to_and_others_stay() {
    let folder = swept();
    let kept = ids(&folder);
    folder.run(&["sweep", "small.toml", "--set", "seeds=3"]).ok();
    folder.run(&["sweep", "small.toml", "--set", "agent.total_timesteps=41"]).ok();
    let others: BTreeSet<String> = ids(&folder).into_iter().filter(|id| !kept.contains(id)).collect();
    let before = all(&folder);
    let trials = fs::read(folder.path("runs/small/ledger.jsonl")).unwrap();

    let found = json(&folder, &[]);
    let expected: BTreeSet<String> = others.iter().map(|id| format!("runs/small/{id}")).collect();
    assert_eq!(listed(&found), expected);
    let sum: u64 = found["garbage"].as_array().unwrap().iter().map(|g| g["bytes"].as_u64().unwrap()).sum();
    assert_eq!(found["bytes"], sum);
    let text = folder.run(&["gc"]);
    assert!(text.ok().contains("no run of small.toml has these settings now"), "{}", text.stdout);
    assert!(text.stdout.contains("--yes removes them") && text.stdout.contains("ledger.jsonl stays"));
    assert_eq!(all(&folder), before, "a list changes nothing");

    let removed = json(&folder, &["--yes"]);
    assert!(removed["garbage"].as_array().unwrap().iter().all(|g| g["removed"] == true), "{removed}");
    assert_eq!(ids(&folder), kept);
    assert_eq!(fs::read(folder.path("runs/small/ledger.jsonl")).unwrap(), trials);
    let after = all(&folder);
    let gone = |name: &str| others.iter().any(|id| name.contains(&format!("runs/small/{id}")));
    let rest: BTreeSet<_> = before.into_iter().filter(|(name, _)| !gone(name)).collect();
    assert_eq!(after, rest, "nothing else was touched");
    // The experiment is as it was.
    let again = folder.run(&["sweep", "small.toml"]);
    assert!(again.ok().contains("nothing left to do: 12 of 12 runs completed"), "{}", again.stdout);
}

#[test]
fn an_experiment_that_is_gone_leaves_its_ledger() {
    let folder = swept();
    let ledger = folder.path("runs/small/ledger.jsonl");
    // A line that a crash lost: the folders stood for it.
    let text = fs::read_to_string(&ledger).unwrap();
    fs::write(&ledger, text.lines().next().unwrap().to_owned() + "\n").unwrap();
    let kept = folder.path("elsewhere.toml");
    fs::rename(folder.path("small.toml"), &kept).unwrap();
    let found = listed(&json(&folder, &[]));
    assert_eq!(found.len(), 12 + 2, "runs, summary and report: {found:?}");
    assert!(found.contains("reports/small") && found.contains("runs/small/summary.parquet"));
    // Named, it is not gone; the folder that a name stands for is that of the name.
    fs::rename(&kept, folder.path("small.toml")).unwrap();
    assert!(listed(&json(&folder, &["small.toml"])).is_empty());
    fs::remove_file(folder.path("small.toml")).unwrap();

    folder.run(&["gc", "--yes"]).ok();
    let names: Vec<String> = fs::read_dir(folder.path("runs/small"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, ["ledger.jsonl"]);
    assert!(!folder.path("reports/small").exists());
    let keys = |text: &str| -> BTreeSet<String> {
        let key = |line: &str| serde_json::from_str::<Value>(line).unwrap()["arm_key"].to_string();
        text.lines().map(key).collect()
    };
    assert_eq!(keys(&fs::read_to_string(&ledger).unwrap()), keys(&text), "no trial is lost");
    assert_eq!(folder.run(&["gc", "--yes"]).ok(), "nothing to remove\n");
}

#[test]
fn a_file_that_cannot_be_planned_keeps_its_folder() {
    let folder = swept();
    folder.run(&["sweep", "small.toml", "--set", "seeds=3"]).ok();
    let before = all(&folder);
    for broken in
        [EXPERIMENT.replace("seeds = 2", "seeds = true"), EXPERIMENT.replace("prices.csv", "no.csv")]
    {
        folder.write("small.toml", broken);
        let found = json(&folder, &["--yes"]);
        assert!(listed(&found).is_empty(), "{found}");
        let left = found["left_alone"][0].as_str().unwrap();
        assert!(left.starts_with("runs/small: left alone, because small.toml cannot be planned"), "{left}");
    }
    folder.write("small.toml", EXPERIMENT);
    assert_eq!(all(&folder), before);
    // From a folder without any experiment file everything would look gone.
    let elsewhere = Folder::empty();
    let mut command = Command::new(env!("CARGO_BIN_EXE_it"));
    command.args(["gc", "--yes"]).current_dir(elsewhere.path(".")).env("FLAGLAB_RUNS", folder.path("runs"));
    assert_eq!(command.output().unwrap().status.code(), Some(2));
    assert!(
        folder.run(&["gc", "nothing.toml"]).refused().contains("nothing.toml: expected an experiment file")
    );
    assert_eq!(all(&folder), before);
}

#[test]
fn older_attempts_go_only_when_they_are_asked_for() {
    let folder = swept();
    folder.run(&["sweep", "small.toml", "--fresh"]).ok();
    assert!(listed(&json(&folder, &["--yes"])).is_empty());
    assert_eq!(listed(&json(&folder, &["--yes", "--attempts"])).len(), 12);
    assert!(ids(&folder).iter().all(|id| id.ends_with(".2")));
    let again = folder.run(&["sweep", "small.toml"]);
    assert!(again.ok().contains("nothing left to do: 12 of 12 runs completed"), "{}", again.stdout);
}

#[test]
fn leftovers_go_when_nobody_can_be_at_them() {
    let folder = swept();
    let id = ids(&folder).remove(0);
    let run = folder.path(&format!("runs/small/{id}"));
    fs::create_dir_all(run.join("resume/state.1")).unwrap();
    fs::create_dir(run.join("result.1.tmp")).unwrap();
    File::create(run.join("result.1.tmp/steps.parquet.x.tmp")).unwrap();
    File::create(run.join("live.json.abc.tmp")).unwrap();
    File::create(folder.path("runs/small/summary.parquet.abc.tmp")).unwrap();
    // What an earlier removal did not get done.
    fs::create_dir(folder.path("runs/small/0123.1.gone.tmp")).unwrap();
    let path = |name: &str| format!("runs/small/{name}");
    let now: BTreeSet<String> = [path(&format!("{id}/resume")), path("0123.1.gone.tmp")].into();
    assert_eq!(listed(&json(&folder, &[])), now, "what was just written may be in use");
    for name in ["result.1.tmp/steps.parquet.x.tmp", "result.1.tmp", "live.json.abc.tmp"] {
        old(&run.join(name));
    }
    old(&folder.path("runs/small/summary.parquet.abc.tmp"));
    assert_eq!(listed(&json(&folder, &["--yes"])).len(), 5);
    let names: Vec<String> = fs::read_dir(&run)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("tmp") || name == "resume" || name.starts_with("lease"))
        .collect();
    assert_eq!(names, ["lease.end"]);
    let again = folder.run(&["sweep", "small.toml"]);
    assert!(again.ok().contains("nothing left to do: 12 of 12 runs completed"), "{}", again.stdout);
}

/// A published result that waits for its names is no leftover; the next sweep gives it them.
#[test]
fn a_result_that_counts_is_no_leftover() {
    let folder = swept();
    let id = ids(&folder).remove(0);
    let run = folder.path(&format!("runs/small/{id}"));
    let manifest = fs::read_to_string(run.join("manifest.json")).unwrap();
    let result = run.join("result.1.tmp");
    fs::create_dir(&result).unwrap();
    fs::rename(run.join("manifest.json"), result.join("manifest.json")).unwrap();
    let running = manifest.replace("\"state\": \"completed\"", "\"state\": \"running\"");
    fs::write(run.join("manifest.json"), running).unwrap();
    old(&result.join("manifest.json"));
    old(&result);
    assert!(listed(&json(&folder, &["--yes"])).is_empty());
    folder.run(&["sweep", "small.toml"]).ok();
    assert_eq!(fs::read_to_string(run.join("manifest.json")).unwrap(), manifest);
}

#[test]
fn what_somebody_works_on_stays() {
    let agent = "kind = \"test-agent\"";
    let slow = format!("{agent}\nbehaviour = \"slow\"\ntotal_timesteps = 4000");
    let folder = Folder::with_experiment(&EXPERIMENT.replace(agent, &slow));
    folder.write("other.toml", EXPERIMENT);
    let mut sweep = Command::new(env!("CARGO_BIN_EXE_it"))
        .args(["sweep", "small.toml", "--jobs", "1"])
        .current_dir(folder.path("."))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !folder.path("runs/small").is_dir() || ids(&folder).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60), "no run within a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
    let running = ids(&folder).remove(0);
    // Its settings are others now; then its file is gone.
    folder.write("small.toml", EXPERIMENT);
    let other = json(&folder, &["--yes"]);
    fs::remove_file(folder.path("small.toml")).unwrap();
    let gone = json(&folder, &["--yes"]);
    sweep.kill().unwrap();
    sweep.wait().unwrap();
    for found in [other, gone] {
        assert!(listed(&found).is_empty(), "{found}");
        assert!(found["left_alone"][0].as_str().unwrap().contains("somebody works on"), "{found}");
    }
    assert!(ids(&folder).contains(&running));
    assert!(listed(&json(&folder, &["--yes"])).contains(&format!("runs/small/{running}")));
    assert!(ids(&folder).is_empty());
}

#[cfg(unix)]
#[test]
fn nothing_is_followed_through_links() {
    use std::os::unix::fs::symlink;
    let folder = swept();
    let outside = Folder::empty();
    outside.write("kept.txt", "kept");
    let id = ids(&folder).remove(0);
    symlink(outside.path("."), folder.path(&format!("runs/small/{id}/resume"))).unwrap();
    symlink(outside.path("."), folder.path("runs/small/0123456789abcdef")).unwrap();
    symlink(outside.path("."), folder.path("runs/linked")).unwrap();
    symlink(outside.path("."), folder.path("reports/linked")).unwrap();
    fs::remove_file(folder.path("small.toml")).unwrap();
    folder.run(&["gc", "--yes"]).ok();
    assert!(ids(&folder).is_empty());
    assert_eq!(fs::read_to_string(outside.path("kept.txt")).unwrap(), "kept");
    assert_eq!(outside.names(), ["kept.txt"]);
}
