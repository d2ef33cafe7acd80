//! Random search: drawn arms, one of them selected on validation data.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::folder::{EXPERIMENT, Folder, prices};

const AXES: &str = r#"
"agent.window" = { int_uniform = [1, 12] }
"reward.scale" = { log_uniform = [0.1, 10.0] }
"#;

fn experiment(n_samples: usize) -> String {
    let sweep = format!("mode = \"random\"\nn_samples = {n_samples}\nseed = 7\n\n[sweep.axes]{AXES}");
    let (head, _) = EXPERIMENT.split_once("mode = ").unwrap();
    // Its scores follow from the window alone.
    format!("{head}{sweep}").replace("test-agent", "momentum").replace(", \"momentum\"]", "]")
}

fn swept(n_samples: usize) -> (Folder, Value) {
    let folder = Folder::with_experiment(&experiment(n_samples));
    let result = folder.run(&["sweep", "small.toml", "--format", "json"]).json();
    (folder, result)
}

/// Mean validation score of each arm that is no baseline, from the manifests.
fn validation(folder: &Folder) -> BTreeMap<String, f64> {
    let mut scores: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for manifest in folder.manifests("small").values().filter(|m| m["role"] == "arm") {
        let score = manifest["metrics"]["valid"]["sharpe"].as_f64().unwrap();
        scores.entry(manifest["arm"].as_str().unwrap().to_owned()).or_default().push(score);
    }
    let mean = |(arm, scores): (String, Vec<f64>)| (arm, scores.iter().sum::<f64>() / scores.len() as f64);
    scores.into_iter().map(mean).collect()
}

/// Values of the axes by arm, as planned.
fn drawn(folder: &Folder) -> BTreeMap<String, Value> {
    let plan = folder.run(&["sweep", "small.toml", "--plan", "--format", "json"]).json();
    let runs = plan["runs"].as_array().unwrap().iter().filter(|run| run["role"] == "arm");
    runs.map(|run| (run["arm"].as_str().unwrap().to_owned(), run["axes"].clone())).collect()
}

#[test]
fn the_arm_with_the_best_validation_score_is_selected_and_marked() {
    let (folder, result) = swept(5);
    let scores = validation(&folder);
    assert_eq!(scores.len(), 6, "the base and five samples");
    let distinct: BTreeSet<String> = scores.values().map(|score| format!("{score:.6}")).collect();
    assert!(distinct.len() > 3, "{scores:?}");
    let best = scores.iter().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    let [window] = result["selection"].as_array().unwrap().as_slice() else { panic!("{result}") };
    assert_eq!((&window["arm"], &window["by"]), (&json!(best), &json!("sharpe")));
    assert_eq!((&window["is_final"], &window["left_out"]), (&json!(true), &json!([])));
    assert_eq!(window["validation_window"], json!(["2020-04-01", "2020-04-30"]));
    let order: Vec<f64> = window["arms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|arm| {
            let mean = arm["validation"]["mean"].as_f64().unwrap();
            assert!((mean - scores[arm["name"].as_str().unwrap()]).abs() < 1e-9);
            mean
        })
        .collect();
    assert!(order.is_sorted_by(|a, b| a >= b), "{order:?}");

    let text = folder.run(&["sweep", "small.toml"]);
    assert!(
        text.ok().contains(&format!("selection on validation data\n  Selected: {best}. ")),
        "{}",
        text.stdout
    );
    let marked = text.stdout.lines().filter(|line| line.contains("(selected)"));
    assert_eq!(marked.filter(|line| line.starts_with(&format!("{best} (selected)  "))).count(), 1);

    for format in ["markdown", "latex"] {
        let table = folder.run(&["report", "small.toml", "--format", format]);
        let escaped = best.replace('_', "\\_");
        assert_eq!(table.ok().matches(&format!("{escaped} (selected)")).count(), 2, "{}", table.stdout);
        assert_eq!(table.stdout.matches("(selected)").count(), 2);
    }
    let summary = folder.run(&["report", "small.toml", "--format", "json"]).json();
    assert_eq!(summary["selection"], result["selection"]);
    for arm in summary["arms"].as_array().unwrap() {
        assert_eq!(arm["is_selected"], json!(arm["name"] == window["arm"]), "{arm}");
    }
    assert_eq!(summary["trials"], 6, "every arm counts");
    let gate = folder.run(&["report", "small.toml", "--fail-unless", "n(selected) == 1"]);
    assert!(gate.refused().contains("one of > >= < <="));
    let gate = folder.run(&["report", "small.toml", "--fail-unless", "n.min(selected) > 1"]);
    gate.ok();
    assert!(gate.stderr.contains(&format!("; selected is {best}")), "{}", gate.stderr);
}

#[test]
fn more_samples_keep_the_finished_runs() {
    let (folder, _) = swept(2);
    let before = folder.files("small", "manifest.json");
    folder.write("small.toml", experiment(4));
    let more = folder.run(&["sweep", "small.toml", "--format", "json"]).json();
    assert_eq!(more["executed"], 4, "two samples, two seeds");
    let after = folder.files("small", "manifest.json");
    assert!(before.iter().all(|(id, bytes)| after[id] == *bytes));
}

/// Prices after the validation part are others: the draws, the order and the selection stay, and only what the test part
/// says of them changes.
#[test]
fn test_data_steer_nothing() {
    let (folder, result) = swept(5);
    let other = Folder::with_experiment(&experiment(5));
    let original = prices(182);
    let perturbed = original.lines().enumerate().map(|(i, line)| {
        // The header, and 121 days to the end of April.
        if i <= 121 {
            return format!("{line}\n");
        }
        let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
        let factor = 1.0 + 0.2 * (1.7 * i as f64).sin();
        for field in &mut fields[1..5] {
            *field = format!("{:.4}", field.parse::<f64>().unwrap() * factor);
        }
        format!("{}\n", fields.join(","))
    });
    other.write("prices.csv", perturbed.collect::<String>());
    let perturbed = other.run(&["sweep", "small.toml", "--format", "json"]).json();
    assert_eq!(drawn(&folder), drawn(&other));
    let of = |result: &Value, part: &str| -> Vec<Value> {
        let arms = result["selection"][0]["arms"].as_array().unwrap();
        arms.iter().map(|arm| json!([arm["name"], arm["rank"], arm[part]])).collect()
    };
    assert_eq!(result["selection"][0]["arm"], perturbed["selection"][0]["arm"]);
    assert_eq!(of(&result, "validation"), of(&perturbed, "validation"));
    assert_ne!(of(&result, "test"), of(&perturbed, "test"), "the test part is another");
}

#[test]
fn the_plan_tells_what_was_drawn() {
    let folder = Folder::with_experiment(&experiment(3));
    let drawn = drawn(&folder);
    assert_eq!(drawn.keys().collect::<BTreeSet<_>>().len(), 4);
    let plan = folder.run(&["sweep", "small.toml", "--plan"]);
    for (arm, values) in drawn {
        let line =
            format!("agent.window = {}, reward.scale = {}", values["agent.window"], values["reward.scale"]);
        let told = plan.ok().lines().find(|l| l.starts_with(&arm) && l.ends_with(&line));
        assert!(told.is_some(), "{line}\n{}", plan.stdout);
    }
    assert!(!folder.path("runs").exists());
}

#[test]
fn a_search_without_validation_data_is_refused() {
    let text = experiment(3).replace("valid = [\"2020-04-01\", \"2020-04-30\"]\n", "");
    let folder = Folder::with_experiment(&text);
    let refused = folder.run(&["sweep", "small.toml"]).refused();
    assert!(refused.contains("split.valid: expected first and last date of the part on which"), "{refused}");
    assert_eq!(folder.names(), ["prices.csv", "small.toml"]);
}
