//! `why` and `diff`: what a stored run is made of.

use serde_json::Value;

use crate::folder::{EXPERIMENT, Folder};

/// Ids of the runs of seed 0, by arm.
fn ids(folder: &Folder) -> std::collections::BTreeMap<String, String> {
    let manifests = folder.manifests("small").into_values();
    let first = manifests.filter(|m| m["seed"] == 0);
    first.map(|m| (m["arm"].as_str().unwrap().to_owned(), m["run_id"].as_str().unwrap().to_owned())).collect()
}

fn swept() -> Folder {
    let folder = Folder::with_experiment(EXPERIMENT);
    folder.run(&["sweep", "small.toml"]).ok();
    folder
}

#[test]
fn why_names_the_input_that_made_a_run_new() {
    let folder = swept();
    let ids = ids(&folder);
    let (base, other) = (&ids["base"], &ids["learning_rate=0.01"]);
    let text = folder.run(&["why", other]);
    assert!(text.ok().contains("nearest of 11 other runs: base seed 0"), "{}", text.stdout);
    assert!(text.stdout.contains("  agent.learning_rate: 0.01 here, 0.001 there\n"), "{}", text.stdout);
    // By its folder as well, and as JSON.
    let json = folder.run(&["why", &format!("runs/small/{other}"), "--format", "json"]).json();
    assert_eq!((&json["nearest"], &json["attempts"]), (&Value::from(base.as_str()), &1.into()));
    assert_eq!(json["differences"].as_array().unwrap().len(), 1);
    let inputs = json["inputs"].as_object().unwrap();
    assert!(
        ["seed", "data", "contract", "rules.kind"].iter().all(|name| inputs.contains_key(*name)),
        "{json}"
    );
    // Where the data lie is no input.
    assert!(!inputs.contains_key("data.path"));
    folder.run(&["sweep", "small.toml", "--fresh"]).ok();
    let again = folder.run(&["why", other]);
    assert!(again.ok().contains("1 more of its attempts"), "{}", again.stdout);
}

#[test]
fn diff_says_what_differs_and_how_scores_moved() {
    let folder = swept();
    let ids = ids(&folder);
    let (base, other) = (&ids["base"], &ids["learning_rate=0.01"]);
    let text = folder.run(&["diff", base, other]);
    let inputs = "inputs of the id that differ\n  agent.learning_rate: 0.001 -> 0.01\nother settings: none\n";
    assert!(text.ok().contains(inputs), "{}", text.stdout);
    let json = folder.run(&["diff", base, other, "--format", "json"]).json();
    let scores = json["scores"].as_array().unwrap();
    let sharpe = scores.iter().find(|s| s["name"] == "sharpe").unwrap();
    let change = sharpe["b"].as_f64().unwrap() - sharpe["a"].as_f64().unwrap();
    assert!((sharpe["change"].as_f64().unwrap() - change).abs() < 1e-12);
    let same = folder.run(&["diff", base, base]);
    assert!(
        same.ok().contains("inputs of the id that differ: none\nother settings: none\nsurroundings: none\n")
    );
}

#[test]
fn what_is_no_run_is_refused() {
    let folder = swept();
    let message = folder.run(&["why", "nothing"]).refused();
    assert!(
        message.contains("nothing: expected the folder of a run, or the id of one below runs"),
        "{message}"
    );
    let message = folder.run(&["diff", "0", "1"]).refused();
    assert!(message.contains("at least its first 4 digits"), "{message}");
    let id = ids(&folder)["base"].clone();
    std::fs::write(folder.path(&format!("runs/small/{id}/manifest.json")), "{").unwrap();
    let message = folder.run(&["why", &id]).refused();
    assert!(message.contains(&format!("runs/small/{id}/manifest.json")), "{message}");
}
