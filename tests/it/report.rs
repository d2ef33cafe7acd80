//! `report`: pages, tables, and gates, from what sweeps have stored.

use serde_json::{Value, json};

use crate::folder::{EXPERIMENT, Folder, Output};

fn swept() -> Folder {
    let folder = Folder::with_experiment(EXPERIMENT);
    folder.run(&["sweep", "small.toml"]).ok();
    folder
}

fn gate(folder: &Folder, gates: &[&str]) -> Output {
    let options = gates.iter().flat_map(|gate| ["--fail-unless", gate]);
    folder.run(&["report", "small.toml"].into_iter().chain(options).collect::<Vec<_>>())
}

/// The table on stdout, the page's path on stderr, the page rendered.
#[test]
fn tables_go_to_stdout_and_the_path_to_stderr() {
    let folder = swept();
    for (format, head) in [("markdown", "| Arm | Sharpe |"), ("latex", "Arm & Sharpe &")] {
        std::fs::remove_dir_all(folder.path("reports")).unwrap();
        let output = folder.run(&["report", "small.toml", "--format", format]);
        assert!(output.ok().contains(head) && output.stdout.contains("buy-and-hold"), "{}", output.stdout);
        assert!(!output.stdout.contains("reports/small"), "{}", output.stdout);
        assert_eq!(output.stderr.trim(), "reports/small/index.html");
        assert!(folder.path("reports/small/index.html").is_file());
    }
    assert!(folder.run(&["report", "small.toml", "--format", "html"]).refused().contains("markdown"));
}

/// The numbers of the manifests, every name that a run's score has, and what was tried.
#[test]
fn the_summary_agrees_with_the_manifests() {
    let folder = swept();
    let output = folder.run(&["report", "small.toml", "--format", "json"]);
    let summary = output.json();
    assert_eq!((&summary["experiment"], &summary["trials"]), (&json!("small"), &json!(2)));
    assert_eq!((&summary["report"], &summary["gates"]), (&json!("reports/small/index.html"), &json!([])));
    let arms = summary["arms"].as_array().unwrap();
    assert_eq!(arms.len(), 6);
    let manifests = folder.manifests("small");
    for arm in arms {
        let mean = |of: &dyn Fn(&Value) -> Option<f64>| {
            let values: Option<Vec<f64>> =
                manifests.values().filter(|m| m["arm"] == arm["name"]).map(of).collect();
            values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
        };
        let agrees = |found: &Value, wanted: Option<f64>| match wanted {
            Some(wanted) => assert!((found.as_f64().unwrap() - wanted).abs() < 1e-9, "{found} {wanted}"),
            None => assert!(found.is_null(), "{found}"),
        };
        assert_eq!(arm["seeds"], json!([0, 1]));
        agrees(&arm["sharpe"]["mean"], mean(&|m| m["metrics"]["test"]["sharpe"].as_f64()));
        agrees(&arm["paper"]["mdd"]["mean"], mean(&|m| m["metrics"]["test"]["paper"]["mdd"].as_f64()));
        assert!(arm["sharpe"]["low"].is_null(), "two seeds have no interval");
        let rescored = arm["rescored"].as_array().unwrap();
        assert_eq!(rescored.len(), 7);
        for (place, under) in rescored.iter().enumerate() {
            assert_eq!(under["rules"], manifests.values().next().unwrap()["rescored"][place]["rules"]);
            let wanted = mean(&|m| m["rescored"][place]["scores"]["max_drawdown"].as_f64());
            agrees(&under["max_drawdown"]["mean"], wanted);
        }
    }
    // Every score of a manifest is known to gates.
    for name in leaves("", &manifests.values().next().unwrap()["metrics"]["test"]) {
        let answer = gate(&folder, &[&format!("{name}(momentum) >= 0")]);
        assert!(answer.code < 2, "{name}: {}", answer.stderr);
    }
}

fn leaves(prefix: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let dot = if prefix.is_empty() { "" } else { "." };
            fields.iter().flat_map(|(key, value)| leaves(&format!("{prefix}{dot}{key}"), value)).collect()
        }
        _ => vec![prefix.to_owned()],
    }
}

#[test]
fn gates_decide_the_exit_code() {
    let folder = swept();
    let holds = gate(&folder, &["max_drawdown(buy-and-hold) > 0", "n.min(flat) >= n.max(momentum)"]);
    assert_eq!(holds.ok().trim(), "reports/small/index.html");
    assert_eq!(holds.stderr.lines().filter(|line| line.starts_with("PASS ")).count(), 2, "{}", holds.stderr);

    std::fs::remove_dir_all(folder.path("reports")).unwrap();
    let fails = gate(&folder, &["max_drawdown(buy-and-hold) > 0", "cumulative_return(flat) > 0"]);
    assert_eq!((fails.code, fails.stdout.trim()), (1, "reports/small/index.html"));
    assert!(fails.stderr.contains("FAIL cumulative_return(flat) > 0: 0 > 0\n"), "{}", fails.stderr);
    assert!(fails.stderr.contains("PASS max_drawdown(buy-and-hold) > 0: "), "{}", fails.stderr);
    assert!(folder.path("reports/small/index.html").is_file(), "the page says why");

    let undefined = gate(&folder, &["sharpe(flat) < 100"]);
    assert_eq!(undefined.code, 1);
    assert!(
        undefined.stderr.contains("sharpe.mean(flat) is undefined: for 2 of 2 seeds"),
        "{}",
        undefined.stderr
    );

    let json = folder.run(&[
        "report",
        "small.toml",
        "--format",
        "json",
        "--fail-unless",
        "cumulative_return(flat) >= 0",
    ]);
    let verdict = &json.json()["gates"][0];
    assert_eq!(
        (&verdict["holds"], &verdict["left"], &verdict["right"]),
        (&json!(true), &json!(0.0), &json!(0.0))
    );
}

#[test]
fn wrong_gates_are_refused_before_anything_is_written() {
    let folder = swept();
    std::fs::remove_dir_all(folder.path("reports")).unwrap();
    for (text, told) in [
        ("sharpe(flat)", "expected one of > >= < <=, found the end, at character 13"),
        ("sharpe(flaat) > 0", "unknown arm \"flaat\" (did you mean \"flat\"?); known: "),
        (
            "sharpee(flat) > 0",
            "unknown metric \"sharpee\" (did you mean \"sharpe\"?); known: n, cumulative_return",
        ),
        (
            "sharpe.iqr(flat) > 0",
            "unknown statistic \"iqr\" (did you mean \"iqm\"?); known: mean, median, iqm",
        ),
        ("1 < 2", "expected metric(arm) on one side at least"),
    ] {
        let message = gate(&folder, &["max_drawdown(flat) <= 0", text]).refused();
        assert!(message.contains("--fail-unless `") && message.contains(told), "{message}");
    }
    let both = gate(&folder, &["x", "y"]).refused();
    assert!(both.contains("`x`") && both.contains("`y`"), "{both}");
    let two = folder.run(&["report", "small.toml", "small.toml", "--fail-unless", "n(flat) > 0"]).refused();
    assert!(two.contains("--fail-unless: expected one experiment file"), "{two}");
    assert!(!folder.path("reports").exists());
}

#[test]
fn several_experiments_stand_side_by_side() {
    let folder = swept();
    folder
        .write("costly.toml", EXPERIMENT.replace("kind = \"paper\"", "kind = \"realistic\"\nfee_bps = 10.0"));
    assert!(folder.run(&["report", "small.toml", "costly.toml"]).refused().contains("runs/costly"));
    folder.run(&["sweep", "costly.toml"]).ok();
    folder.write("again.toml", EXPERIMENT);
    folder.run(&["sweep", "again.toml"]).ok();
    std::fs::remove_dir_all(folder.path("reports")).unwrap();
    let output = folder.run(&["report", "small.toml", "costly.toml", "again.toml"]);
    assert_eq!(output.ok().trim(), "reports/compare-small+costly+again/index.html");
    for name in ["small", "costly", "again"] {
        assert!(folder.path(&format!("reports/{name}/index.html")).is_file(), "its link leads somewhere");
    }
    let page = std::fs::read_to_string(folder.path(output.stdout.trim())).unwrap();
    assert_eq!(page.matches("<section class=\"group\"").count(), 2, "other rules are another table");
    let text = folder.run(&["report", "small.toml", "costly.toml", "again.toml", "--format", "markdown"]);
    assert!(text.ok().contains("| small, again | buy-and-hold |"), "{}", text.stdout);
    assert_eq!(text.stderr.trim(), "reports/compare-small+costly+again/index.html");
    let json = folder.run(&["report", "small.toml", "costly.toml", "--format", "json"]).json();
    let names = json["experiments"].as_array().unwrap().iter().map(|e| e["experiment"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["small", "costly"]);
    // One name, two experiments: nobody could tell their rows apart.
    std::fs::create_dir_all(folder.path("other")).unwrap();
    folder.write("other/small.toml", EXPERIMENT.replace("prices.csv", "../prices.csv"));
    folder.run(&["sweep", "other/small.toml"]).ok();
    let refused = folder.run(&["report", "small.toml", "other/small.toml"]).refused();
    assert!(refused.contains("both experiments are called \"small\""), "{refused}");
}

#[test]
fn the_index_lists_what_has_runs() {
    let folder = swept();
    folder.write(
        "broken.toml",
        EXPERIMENT.replace("kind = \"test-agent\"", "kind = \"test-agent\"\nbehaviour = \"panic\""),
    );
    assert_eq!(folder.run(&["sweep", "broken.toml"]).code, 1);
    assert_eq!(folder.run(&["report", "--index"]).ok().trim(), "reports/index.html");
    let page = std::fs::read_to_string(folder.path("reports/index.html")).unwrap();
    assert!(page.contains("<a href=\"small/index.html\">small</a>"), "{page}");
    let json = folder.run(&["report", "--index", "--format", "json"]).json();
    let broken = &json["experiments"][0];
    assert_eq!(
        (&broken["name"], &broken["arms"], &broken["trials"]),
        (&json!("broken"), &json!(2), &json!(2))
    );
    assert_eq!(broken["runs"], json!({"completed": 8, "failed": 4}));
    assert_eq!(json["experiments"][1]["report"], "small/index.html");
    assert!(
        folder
            .run(&["report", "--index", "--format", "markdown"])
            .ok()
            .contains("| small | 2 + 4 baselines |")
    );

    assert!(folder.run(&["report"]).refused().contains("FILE"));
    assert!(folder.run(&["report", "--index", "small.toml"]).refused().contains("--index"));
}
