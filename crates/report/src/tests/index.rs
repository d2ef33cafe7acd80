//! The list of experiments.

use std::fs;

use trading_env::Role;

use super::demo::Demo;
use super::page::ablation;
use crate::{TableFormat, collect, experiments, index, index_table, render};

#[test]
fn experiments_are_listed_with_their_runs_trials_and_reports() {
    let root = tempfile::tempdir().unwrap();
    let (runs, reports) = (root.path().join("runs"), root.path().join("reports"));
    assert_eq!(experiments(&runs, &reports).unwrap(), []);
    let path = index(&[], &reports).unwrap();
    assert!(fs::read_to_string(&path).unwrap().contains("No experiment has run yet"));

    let [good, other] = ["good", "other #1"].map(|name| Demo { name, ..ablation(3) });
    let plan = good.plan();
    let store = good.run(&runs, &plan);
    let input = collect(&store, &plan).unwrap();
    render(&input, &reports).unwrap();
    other.run(&runs, &other.plan());
    fs::create_dir_all(reports.join("other #1")).unwrap();
    fs::write(reports.join("other #1/index.html"), "").unwrap();
    fs::create_dir_all(reports.join("compare-half done")).unwrap();
    fs::create_dir_all(reports.join("compare-good+other #1")).unwrap();
    fs::write(reports.join("compare-good+other #1/index.html"), "").unwrap();
    let found = experiments(&runs, &reports).unwrap();
    assert_eq!(found.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["good", "other #1"]);
    let entry = &found[0];
    assert_eq!(entry.trials, input.trials);
    assert_eq!(entry.report.as_deref(), Some("good/index.html"));
    let of_state = |word: &str| input.runs.iter().filter(|run| run.state.word() == word).count();
    for word in ["completed", "failed", "skipped"] {
        assert_eq!(entry.runs[word], of_state(word), "{word}");
    }
    assert!(!entry.runs.contains_key("planned"), "what was never started is not stored");
    let last = input.runs.iter().filter_map(|run| run.manifest.as_ref()?.finished.clone()).max();
    assert_eq!(entry.finished, last);

    let html = fs::read_to_string(index(&found, &reports).unwrap()).unwrap();
    assert!(html.contains("<a href=\"good/index.html\">good</a>"), "{html}");
    assert!(html.contains("<a href=\"other%20%231/index.html\">other #1</a>"), "{html}");
    assert!(
        html.contains("<a href=\"compare-good+other%20%231/index.html\">good and other #1</a>"),
        "{html}"
    );
    assert!(!html.contains("half done"));
    let text = index_table(&found, TableFormat::Markdown);
    let arms = plan.arms.iter().filter(|arm| arm.role == Role::Arm).count();
    // The last baseline was never started.
    assert!(text.contains(&format!("| good | {arms} + 3 baselines |")), "{text}");
}

#[test]
fn an_experiment_that_cannot_be_read_is_named_and_hides_no_other() {
    let root = tempfile::tempdir().unwrap();
    let (runs, reports) = (root.path().join("runs"), root.path().join("reports"));
    let demo = Demo { name: "good", ..ablation(3) };
    demo.run(&runs, &demo.plan());
    fs::create_dir_all(runs.join("broken/00ff")).unwrap();
    fs::write(runs.join("broken/00ff/manifest.json"), "{").unwrap();
    let found = experiments(&runs, &reports).unwrap();
    assert!(found[0].problem.as_ref().is_some_and(|p| p.contains("manifest.json")), "{found:?}");
    assert!(found[1].problem.is_none() && found[1].report.is_none());
    let html = fs::read_to_string(index(&found, &reports).unwrap()).unwrap();
    assert!(html.contains("cannot be read: ") && !html.contains("<a href"), "{html}");
}
