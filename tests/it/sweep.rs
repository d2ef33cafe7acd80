//! Sweeps that go well.

use crate::folder::{EXPERIMENT, Folder};

#[test]
fn a_sweep_stores_its_runs_and_ends_with_the_report() {
    let folder = Folder::with_experiment(EXPERIMENT);
    let output = folder.run(&["sweep", "small.toml"]);
    output.ok();
    assert_eq!(output.last_line(), "reports/small/index.html");
    let page = std::fs::read_to_string(folder.path("reports/small/index.html")).unwrap();
    assert!(page.contains("A small sweep") && page.contains("buy-and-hold"));

    // Two arms (base and learning_rate = 0.01) and four baselines, two seeds each.
    let manifests = folder.manifests("small");
    assert_eq!(manifests.len(), 12);
    for (id, manifest) in &manifests {
        assert_eq!(manifest["state"], "completed", "{id}");
        assert_eq!(manifest["run_id"].as_str(), Some(id.as_str()));
        assert!(manifest["metrics"]["test"]["sharpe"].is_number() || manifest["arm"] == "flat", "{manifest}");
        assert!(manifest["metrics"]["train"].is_object() && manifest["metrics"]["valid"].is_object());
        assert_eq!(manifest["adapter"], "no device");
    }
    for name in ["spec.toml", "steps.parquet", "updates.parquet", "timing.parquet", "log.txt"] {
        assert_eq!(folder.files("small", name).len(), 12);
    }
    assert!(folder.path("runs/small/summary.parquet").is_file());
    // Progress on stderr, not on stdout.
    assert!(output.stderr.contains("12 of 12 runs"), "{}", output.stderr);
    assert!(!output.stdout.contains("steps/s"));
}

#[test]
fn the_same_command_again_does_no_work() {
    let folder = Folder::with_experiment(EXPERIMENT);
    folder.run(&["sweep", "small.toml"]).ok();
    let before = folder.files("small", "manifest.json");
    let again = folder.run(&["sweep", "small.toml"]);
    assert!(again.ok().contains("nothing left to do: 12 of 12 runs completed"), "{}", again.stdout);
    assert_eq!(again.last_line(), "reports/small/index.html");
    assert_eq!(folder.files("small", "manifest.json"), before);
}

#[test]
fn more_seeds_or_arms_add_runs_and_keep_the_finished_ones() {
    let folder = Folder::with_experiment(EXPERIMENT);
    folder.run(&["sweep", "small.toml"]).ok();
    let before = folder.files("small", "manifest.json");
    folder.run(&["sweep", "small.toml", "--set", "seeds=3"]).ok();
    let after = folder.files("small", "manifest.json");
    assert_eq!(after.len(), 18);
    assert!(before.iter().all(|(id, bytes)| after[id] == *bytes));
}

#[test]
fn fresh_makes_new_attempts_beside_the_old_with_equal_rows() {
    let folder = Folder::with_experiment(EXPERIMENT);
    folder.run(&["sweep", "small.toml"]).ok();
    folder.run(&["sweep", "small.toml", "--fresh"]).ok();
    let steps = folder.files("small", "steps.parquet");
    assert_eq!(steps.len(), 24);
    for (id, bytes) in steps.iter().filter(|(id, _)| !id.contains('.')) {
        assert_eq!(steps[&format!("{id}.2")], *bytes, "{id}");
    }
}

/// What a run writes depends neither on the number of workers nor on the folder.
#[test]
fn steps_are_equal_whatever_the_number_of_jobs() {
    let (one, many) = (Folder::with_experiment(EXPERIMENT), Folder::with_experiment(EXPERIMENT));
    one.run(&["sweep", "small.toml", "--jobs", "1"]).ok();
    many.run(&["sweep", "small.toml", "--jobs", "5"]).ok();
    let (one, many) = (one.files("small", "steps.parquet"), many.files("small", "steps.parquet"));
    assert_eq!(one.len(), 12);
    assert!(one == many);
    let distinct: std::collections::HashSet<&Vec<u8>> = one.values().collect();
    assert!(distinct.len() > 4, "runs of different seeds and agents differ");
}

#[test]
fn plan_prints_the_runs_and_writes_nothing() {
    let folder = Folder::with_experiment(EXPERIMENT);
    let before = folder.names();
    let text = folder.run(&["sweep", "small.toml", "--plan"]);
    assert!(text.ok().contains("12 runs: 2 arms and 4 baselines"), "{}", text.stdout);
    let plan = folder.run(&["sweep", "small.toml", "--plan", "--format", "json"]).json();
    let runs = plan["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 12);
    assert!(runs.iter().all(|r| r["state"] == "planned"));
    assert_eq!(folder.names(), before);

    folder.run(&["sweep", "small.toml"]).ok();
    let after = folder.run(&["sweep", "small.toml", "--plan", "--format", "json"]).json();
    assert!(after["runs"].as_array().unwrap().iter().all(|r| r["state"] == "completed"));
    assert_eq!(after["runs"][0]["run_id"], runs[0]["run_id"]);
}

#[test]
fn json_tells_what_the_sweep_came_to() {
    let folder = Folder::with_experiment(EXPERIMENT);
    let first = folder.run(&["sweep", "small.toml", "--format", "json"]).json();
    assert_eq!(
        (&first["runs"], &first["executed"], &first["completed"]),
        (&12.into(), &12.into(), &12.into())
    );
    assert_eq!(first["report"], "reports/small/index.html");
    let second = folder.run(&["sweep", "small.toml", "--format", "json"]).json();
    assert_eq!((&second["executed"], &second["completed"]), (&0.into(), &12.into()));
}

/// Means over seeds of what the manifests say, in the terminal and for programs.
#[test]
fn a_sweep_prints_its_test_scores() {
    let folder = Folder::with_experiment(EXPERIMENT);
    let text = folder.run(&["sweep", "small.toml"]).ok().to_owned();
    let json = folder.run(&["sweep", "small.toml", "--format", "json"]).json();
    let scores = json["scores"].as_array().unwrap();
    assert_eq!(scores.len(), 6);
    let of_hold = scores.iter().find(|s| s["arm"] == "buy-and-hold").unwrap();
    assert_eq!(of_hold["runs"], 2);
    let manifests = folder.manifests("small");
    let held: Vec<f64> = (manifests.values().filter(|m| m["arm"] == "buy-and-hold"))
        .map(|m| m["metrics"]["test"]["paper"]["sr"].as_f64().unwrap())
        .collect();
    let mean = held.iter().sum::<f64>() / held.len() as f64;
    assert_eq!(held.len(), 2);
    assert!((of_hold["paper"]["sr"].as_f64().unwrap() - mean).abs() < 1e-12);
    let line = text.lines().find(|line| line.starts_with("buy-and-hold")).unwrap();
    assert!(line.contains(&format!("{mean:.3}")), "{line}");
    // An account that never trades has no Sharpe ratio.
    assert!(scores.iter().find(|s| s["arm"] == "flat").unwrap()["sharpe"].is_null());
    assert!(text.lines().any(|line| line.starts_with("flat ") && line.contains("  -  ")), "{text}");
}

/// `--set` on top of `FLAGLAB_SET__` on top of the file.
#[test]
fn overrides_come_from_the_environment_and_from_set() {
    let mut folder = Folder::with_experiment(EXPERIMENT);
    let runs = |folder: &Folder, args: &[&str]| {
        let plan =
            folder.run(&[&["sweep", "small.toml", "--plan", "--format", "json"], args].concat()).json();
        plan["runs"].as_array().unwrap().len()
    };
    assert_eq!(runs(&folder, &[]), 12);
    folder.set("FLAGLAB_SET__seeds", "3");
    assert_eq!(runs(&folder, &[]), 18);
    assert_eq!(runs(&folder, &["--set", "seeds=1"]), 6);
    folder.set("FLAGLAB_SET__agent__behavior", "panic");
    let refused = folder.run(&["sweep", "small.toml", "--plan"]);
    assert!(refused.refused().contains("FLAGLAB_SET__agent__behavior"), "{}", refused.stderr);
    assert!(refused.stderr.contains("behaviour"), "{}", refused.stderr);
}

#[test]
fn folders_can_be_moved_by_the_environment() {
    let mut folder = Folder::with_experiment(EXPERIMENT);
    let (runs, reports) = (folder.path("elsewhere/runs"), folder.path("elsewhere/reports"));
    folder.set("FLAGLAB_RUNS", runs.to_str().unwrap());
    folder.set("FLAGLAB_REPORTS", reports.to_str().unwrap());
    folder.run(&["sweep", "small.toml"]).ok();
    assert!(runs.join("small/summary.parquet").is_file() && reports.join("small/index.html").is_file());
    assert_eq!(folder.names(), ["elsewhere", "prices.csv", "small.toml"]);
}

#[test]
fn report_renders_again_from_what_is_stored() {
    let folder = Folder::with_experiment(EXPERIMENT);
    assert!(folder.run(&["report", "small.toml"]).refused().contains("runs/small"));
    folder.run(&["sweep", "small.toml"]).ok();
    std::fs::remove_dir_all(folder.path("reports")).unwrap();
    assert_eq!(folder.run(&["report", "small.toml"]).ok().trim(), "reports/small/index.html");
    assert!(folder.path("reports/small/index.html").is_file());
}

/// Runs of an agent that asks for company take one job's place together; here they would wait for each other in vain
/// otherwise.
#[test]
fn runs_that_share_work_are_carried_out_side_by_side() {
    let text = EXPERIMENT.replace("kind = \"test-agent\"", "kind = \"test-agent\"\nbehaviour = \"together\"");
    let folder = Folder::with_experiment(&text);
    let output = folder.run(&["sweep", "small.toml", "--jobs", "1"]);
    assert!(output.ok().contains("12 of 12 runs completed"), "{}", output.stdout);
    // The bytes are those of the same runs one after the other, which the agent's key alone tells apart.
    let alone = Folder::with_experiment(EXPERIMENT);
    alone.run(&["sweep", "small.toml", "--jobs", "1"]).ok();
    let mut bytes =
        [folder, alone].map(|f| f.files("small", "steps.parquet").into_values().collect::<Vec<_>>());
    bytes.iter_mut().for_each(|files| files.sort());
    assert!(bytes[0] == bytes[1]);
}
