//! What counts as a trial of the search, over the life of an experiment.

use crate::folder::{EXPERIMENT, Folder};

fn trials(folder: &Folder) -> u64 {
    let summary = folder.run(&["report", "small.toml", "--format", "json"]).json();
    summary["trials"].as_u64().unwrap()
}

/// Seeds, attempts and baselines do not count; whatever another option changes in a spec does, and nothing takes back.
#[test]
fn distinct_specs_count_once_and_for_ever() {
    let folder = Folder::with_experiment(EXPERIMENT);
    let sweep = |more: &[&str]| folder.run(&[&["sweep", "small.toml"], more].concat());
    sweep(&[]).ok();
    assert_eq!(trials(&folder), 2, "two arms; four baselines are none");
    for same in [&["--fresh"][..], &["--set", "seeds=4"], &["--jobs", "1"]] {
        sweep(same).ok();
        assert_eq!(trials(&folder), 2, "{same:?}");
    }
    // Another spec of the same experiment, which its file does not name afterwards.
    sweep(&["--set", "agent.total_timesteps=50"]).ok();
    assert_eq!(trials(&folder), 4);
    sweep(&["--set", "rules.kind=investor-bench"]).ok();
    assert_eq!(trials(&folder), 6);
    // Without seeds that disappointed, with other arms, with the runs removed by hand.
    let fewer = EXPERIMENT.replace("[0.001, 0.01]", "[0.001]").replace("seeds = 2", "seeds = 1");
    folder.write("small.toml", fewer);
    sweep(&[]).ok();
    assert_eq!(trials(&folder), 6);
    for run in folder.manifests("small").keys() {
        std::fs::remove_dir_all(folder.path("runs/small").join(run)).unwrap();
    }
    assert_eq!(trials(&folder), 6);
    let sweeps = sweep(&["--format", "json"]).json();
    assert_eq!(sweeps["trials"], 6, "the same spec started again is the same trial");
}

#[test]
fn failed_trials_count_and_their_retries_do_not() {
    let text = EXPERIMENT.replace(
        "[sweep.axes]\n\"agent.learning_rate\" = [0.001, 0.01]",
        "[sweep.axes]\n\"agent.behaviour\" = [\"learn\", \"panic\", \"diverge\"]",
    );
    let folder = Folder::with_experiment(&text);
    assert_eq!(folder.run(&["sweep", "small.toml"]).code, 1);
    assert_eq!(trials(&folder), 3);
    assert_eq!(folder.run(&["retry", "small.toml"]).code, 1);
    assert_eq!(folder.run(&["sweep", "small.toml", "--fresh"]).code, 1);
    assert_eq!(trials(&folder), 3);
}

/// Nobody has seen a result of what this machine cannot run.
#[test]
fn skipped_arms_were_not_started() {
    let text =
        EXPERIMENT.replace("\"agent.learning_rate\" = [0.001, 0.01]", "backend = [\"host\", \"absent\"]");
    let folder = Folder::with_experiment(&text);
    folder.run(&["sweep", "small.toml"]).ok();
    assert_eq!(folder.manifests("small").values().filter(|m| m["state"] == "skipped").count(), 2);
    assert_eq!(trials(&folder), 1);
}

/// A sweep that was stopped in its first run has tried what it had begun.
#[cfg(unix)]
#[test]
fn an_abandoned_trial_counts() {
    use std::collections::BTreeSet;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    let text = EXPERIMENT
        .replace("kind = \"test-agent\"", "kind = \"test-agent\"\ntotal_timesteps = 100000")
        .replace("seeds = 2", "seeds = 20")
        .replace("baselines = [\"buy-and-hold\", \"flat\", \"random\", \"momentum\"]", "");
    let folder = Folder::with_experiment(&text);
    let mut sweep = Command::new(env!("CARGO_BIN_EXE_it"))
        .args(["sweep", "small.toml", "--jobs", "1"])
        .current_dir(folder.path("."))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !folder.path("runs/small").is_dir() || folder.manifests("small").is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60), "no run within a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
    sweep.kill().unwrap();
    sweep.wait().unwrap();
    let begun: BTreeSet<String> =
        folder.manifests("small").values().map(|m| m["arm"].as_str().unwrap().to_owned()).collect();
    assert_eq!(begun.len(), 1, "{begun:?}");
    assert_eq!(trials(&folder), 1, "the second arm was not begun");
}
