//! The main table as text, and the summary for programs.

use serde_json::{Value, json};
use stats::{Seed, SeedScores};

use super::page::{ablation, input, input_of, with_costs};
use crate::{ReportRun, TableFormat, summary, tables};

#[test]
fn the_main_table_has_a_row_per_arm_with_what_the_page_shows() {
    let input = input(3);
    let text = tables(&input, TableFormat::Markdown);
    assert!(text.starts_with("SYN, "), "{text}");
    assert!(text.contains("Mean over seeds with its 95% bootstrap interval; "), "{text}");
    let head = "| Arm | Sharpe | Return % | Drawdown % | Runs |";
    assert_eq!(text.lines().filter(|line| *line == head).count(), 1);
    for arm in &input.plan.arms {
        let name = arm.name.replace('_', "\\_");
        assert_eq!(
            text.lines().filter(|l| l.starts_with(&format!("| {name} |"))).count(),
            1,
            "{name}\n{text}"
        );
    }
    let of_base = |text: &str| text.lines().find(|l| l.starts_with("| base |")).unwrap().to_owned();
    let sharpe = SeedScores::new(
        input.runs.iter().filter(|r| r.arm == 0).map(|r| (Seed(r.seed), r.test_metric("sharpe"))),
    );
    let interval = sharpe.interval(0.95).unwrap();
    let [mean, low, high] =
        [interval.point, interval.low, interval.high].map(|v| format!("{v:.2}").replace('-', "\u{2212}"));
    let cell = format!("| base | {mean} \\[{low}, {high}\\] |");
    assert!(of_base(&text).starts_with(&cell), "{}\n{cell}", of_base(&text));

    let latex = tables(&input, TableFormat::Latex);
    assert!(
        latex.contains(&format!("base & {mean} {{[}}{low}, {high}{{]}}").replace('\u{2212}', "$-$")),
        "{latex}"
    );
    assert_eq!(latex.matches("\\toprule").count(), 1);
    assert!(!latex.contains("n_trainable"), "underscores are escaped: {latex}");
}

#[test]
fn a_mean_over_some_of_the_seeds_says_so() {
    let mut input = input(3);
    let run = input.runs.iter_mut().find(|run| run.arm == 0).unwrap();
    run.manifest.as_mut().unwrap().metrics.test.as_mut().unwrap()["sharpe"] = Value::Null;
    let text = tables(&input, TableFormat::Markdown);
    let base = text.lines().find(|line| line.starts_with("| base |")).unwrap();
    assert!(base.split(" | ").nth(1).unwrap().ends_with(" (2 of 3 seeds)"), "{base}");
}

#[test]
fn each_window_has_its_table() {
    let demo = super::demo::Demo { symbols: vec!["A", "B"], troubled: false, ..ablation(3) };
    let text = tables(&input_of(&demo, &demo.plan()), TableFormat::Markdown);
    assert_eq!(text.matches("| Arm | Sharpe |").count(), 2);
    assert!(text.starts_with("A, ") && text.contains("\n\nB, "), "{text}");
}

#[test]
fn the_summary_has_statistics_of_every_arm() {
    let demo = super::demo::Demo { rescored: true, ..ablation(3) };
    let input = input_of(&demo, &demo.plan());
    let found = summary(&input);
    assert_eq!((&found["experiment"], &found["trials"]), (&json!("ablation"), &json!(input.trials)));
    let arms = found["arms"].as_array().unwrap();
    let names: Vec<&str> = arms.iter().map(|arm| arm["name"].as_str().unwrap()).collect();
    assert_eq!(names, input.plan.arms.iter().map(|arm| arm.name.as_str()).collect::<Vec<_>>());
    let base = &arms[0];
    assert_eq!((&base["role"], &base["seeds"]), (&json!("arm"), &json!([0, 1, 2])));
    assert_eq!(base["axes"], Value::Object(input.plan.arms[0].axes.clone()));
    let (page, _) = crate::page::page(&input);
    let verdict = &page.groups[0].judged.verdicts[0].verdict;
    assert_eq!((&base["claim"], &base["verdict"]), (&json!(verdict.words), &json!(verdict.sentence)));
    let scores = |name: &str| -> Vec<f64> {
        let runs = input.runs.iter().filter(|run| run.arm == 0);
        runs.map(|run| run.test_metric(name).unwrap()).collect()
    };
    let close = |found: &Value, wanted: f64| {
        assert!((found.as_f64().unwrap() - wanted).abs() < 1e-12, "{found} is not {wanted}");
    };
    for name in ["sharpe", "cumulative_return", "max_drawdown"] {
        close(&base[name]["mean"], scores(name).iter().sum::<f64>() / 3.0);
        close(&base[name]["min"], scores(name).into_iter().fold(f64::INFINITY, f64::min));
        assert!(base[name]["low"].as_f64() <= base[name]["iqm"].as_f64());
    }
    close(&base["paper"]["cr"]["mean"], scores("paper.cr").iter().sum::<f64>() / 3.0);
    let first = &input.runs[0].manifest.as_ref().unwrap().rescored;
    assert!(!first.is_empty());
    for (place, other) in first.iter().enumerate() {
        let found = &base["rescored"][place];
        assert_eq!((&found["rules"], &found["cost_bps"]), (&json!(other.rules), &json!(other.cost_bps)));
        let of_run = |run: &ReportRun| run.manifest.as_ref()?.rescored[place].scores["sharpe"].as_f64();
        let sum: f64 = input.runs.iter().filter(|run| run.arm == 0).filter_map(of_run).sum();
        close(&found["sharpe"]["mean"], sum / 3.0);
    }
    // Never trading has no Sharpe ratio; one seed has no interval.
    let flat = arms.iter().find(|arm| arm["name"] == "flat").unwrap();
    assert!(flat["sharpe"]["mean"].is_null() && flat["sharpe"]["undefined"] == 1, "{flat}");
    assert!(flat["cumulative_return"]["mean"] == 0.0 && flat["cumulative_return"]["low"].is_null());
    assert_eq!(flat["role"], "baseline");
    assert!(flat["claim"].is_null() && flat["verdict"].is_null());
}

#[test]
fn captions_tell_groups_apart_that_differ_in_a_parameter_only() {
    let text = tables(&with_costs(), TableFormat::Markdown);
    for fee in ["0.0", "10.0"] {
        let caption = format!("SYN, rules.fee\\_bps = {fee}, ");
        assert_eq!(text.lines().filter(|line| line.starts_with(&caption)).count(), 1, "{text}");
    }
}
