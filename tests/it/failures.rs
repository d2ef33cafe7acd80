//! Sweeps in which something goes wrong: the others go on.

use crate::folder::{EXPERIMENT, Folder};

fn sweep_with(behaviour: &str) -> (Folder, crate::folder::Output) {
    let text = EXPERIMENT.replace(
        "[sweep.axes]\n\"agent.learning_rate\" = [0.001, 0.01]",
        &format!("[sweep.axes]\n\"agent.behaviour\" = [\"learn\", \"{behaviour}\"]"),
    );
    let folder = Folder::with_experiment(&text);
    let output = folder.run(&["sweep", "small.toml"]);
    (folder, output)
}

/// The arm's two seeds failed with that reason, the other arm and the baselines completed, the report is there.
fn fails(behaviour: &str, reason: &str) {
    let (folder, output) = sweep_with(behaviour);
    assert_eq!(output.code, 1, "{}\n{}", output.stdout, output.stderr);
    assert_eq!(output.last_line(), "reports/small/index.html");
    let manifests = folder.manifests("small");
    let failed: Vec<_> = manifests.values().filter(|m| m["state"] == "failed").collect();
    assert_eq!(failed.len(), 2);
    for manifest in &failed {
        let found = manifest["reason"].as_str().unwrap();
        assert!(found.contains(reason), "{found}");
        assert!(manifest["arm"].as_str().unwrap().contains(behaviour));
    }
    assert_eq!(manifests.values().filter(|m| m["state"] == "completed").count(), 10);
    assert!(output.stdout.contains("10 of 12 runs completed, 2 failed"), "{}", output.stdout);
    assert!(output.stdout.contains(reason), "{}", output.stdout);
    // The text of a panic belongs into the manifest, not onto the terminal.
    assert!(!output.stderr.contains("RUST_BACKTRACE"), "{}", output.stderr);
    let page = std::fs::read_to_string(folder.path("reports/small/index.html")).unwrap();
    assert!(page.contains("failed"));
}

#[test]
fn a_panic_is_a_failed_run() {
    fails("panic", "of 40 fell over");
}

#[test]
fn divergence_is_a_failed_run_with_its_update() {
    fails("diverge", "diverged at update 7");
    let (folder, _) = sweep_with("diverge");
    let manifests = folder.manifests("small");
    let failed = manifests.values().find(|m| m["state"] == "failed").unwrap();
    assert_eq!(failed["step"], 7);
}

#[test]
fn a_loss_that_is_no_number_is_a_failed_run() {
    fails("nan-loss", "policy_loss is NaN");
}

#[test]
fn an_illegal_decision_is_a_failed_run() {
    fails("illegal", "not legal");
}

#[test]
fn an_estimate_that_is_no_number_is_a_failed_run() {
    fails("nan-value", "value is NaN");
}

#[test]
fn a_frozen_tensor_that_moved_is_a_failed_run() {
    fails("moved", "moved although frozen");
}

#[test]
fn failed_stays_failed_until_retry() {
    let text = EXPERIMENT
        .replace("kind = \"test-agent\"", "kind = \"test-agent\"\nbehaviour = \"panic\"\nseeds = [1]");
    let folder = Folder::with_experiment(&text);
    assert_eq!(folder.run(&["sweep", "small.toml"]).code, 1);
    let before = folder.files("small", "manifest.json");
    assert_eq!(before.len(), 12);

    let again = folder.run(&["sweep", "small.toml"]);
    assert_eq!(again.code, 1);
    assert!(
        again.stdout.contains("nothing left to do: 10 of 12 runs completed, 2 failed"),
        "{}",
        again.stdout
    );
    assert_eq!(folder.files("small", "manifest.json"), before);

    // The failed ones only, as new attempts; what made them fail is still there.
    let retried = folder.run(&["retry", "small.toml"]);
    assert_eq!(retried.code, 1);
    let after = folder.files("small", "manifest.json");
    assert_eq!(after.len(), 14);
    assert!(before.iter().all(|(id, bytes)| after[id] == *bytes));
    assert_eq!(after.keys().filter(|id| id.ends_with(".2")).count(), 2);
}

#[test]
fn a_missing_device_skips_its_runs_with_the_reason() {
    let text =
        EXPERIMENT.replace("\"agent.learning_rate\" = [0.001, 0.01]", "backend = [\"host\", \"absent\"]");
    let folder = Folder::with_experiment(&text);
    let output = folder.run(&["sweep", "small.toml"]);
    assert!(output.ok().contains("10 of 12 runs completed, 2 skipped"), "{}", output.stdout);
    assert!(output.stdout.contains("no such device on this machine"), "{}", output.stdout);
    let states: Vec<String> =
        folder.manifests("small").values().map(|m| m["state"].as_str().unwrap().to_owned()).collect();
    assert_eq!(states.iter().filter(|s| *s == "skipped").count(), 2);
    // Skipped runs are taken up again: the device might be there now.
    let again = folder.run(&["sweep", "small.toml"]);
    assert!(again.ok().contains("2 skipped") && !again.stdout.contains("nothing left"), "{}", again.stdout);
}

#[test]
fn a_missing_feature_is_named_and_nothing_is_written() {
    let folder = Folder::with_experiment(EXPERIMENT);
    let before = folder.names();
    let output = folder.run(&["sweep", "small.toml", "--set", "backend=gated"]);
    assert!(output.refused().contains("--features gate"), "{}", output.stderr);
    assert_eq!(folder.names(), before);
}

/// With a program that can build features, the command hands over to it with the features and its own arguments.
#[cfg(unix)]
#[test]
fn a_missing_feature_is_handed_to_who_can_build_it() {
    use std::os::unix::fs::PermissionsExt;
    let mut folder = Folder::with_experiment(EXPERIMENT);
    folder.write("rebuild.sh", "#!/bin/sh\necho \"$@\"\n");
    let script = folder.path("rebuild.sh");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder.set("FLAGLAB_REBUILD", script.to_str().unwrap());
    let output = folder.run(&["sweep", "small.toml", "--set", "backend=gated"]);
    assert_eq!(output.ok().trim(), "--with-features gate sweep small.toml --set backend=gated");
}

/// Asked to stop, a sweep stops at once, keeps what is finished, and goes on from there the next time.
#[cfg(unix)]
#[test]
fn an_interrupted_sweep_goes_on_where_it_stopped() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    let text = EXPERIMENT
        .replace("seeds = 2", "seeds = 12")
        .replace("kind = \"test-agent\"", "kind = \"test-agent\"\ntotal_timesteps = 100000")
        .replace("[0.001, 0.01]", "[0.001]")
        .replace("baselines = [\"buy-and-hold\", \"flat\", \"random\", \"momentum\"]", "");
    let folder = Folder::with_experiment(&text);
    let mut sweep = Command::new(env!("CARGO_BIN_EXE_it"))
        .args(["sweep", "small.toml", "--jobs", "1"])
        .current_dir(folder.path("."))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !folder.path("runs/small").is_dir() || folder.manifests("small").len() < 2 {
        assert!(start.elapsed() < Duration::from_secs(60), "no second run within a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &sweep.id().to_string()]).status().unwrap().success());
    assert_eq!(sweep.wait().unwrap().code(), Some(1));
    let begun = folder.manifests("small");
    let completed = begun.values().filter(|m| m["state"] == "completed").count();
    assert!(completed >= 1 && begun.len() < 12, "{completed} of {}", begun.len());

    let done = folder.run(&["sweep", "small.toml"]);
    assert!(done.ok().contains("12 of 12 runs completed"), "{}", done.stdout);
    let after = folder.manifests("small");
    let kept = begun.iter().filter(|(_, m)| m["state"] == "completed");
    assert!(kept.into_iter().all(|(id, m)| after[id] == *m));
}
