//! Several experiments side by side.

use super::demo::Demo;
use super::page::{ablation, input, input_of};
use crate::{ComparedExperiment, ReportInput, TableFormat, compare, compared_tables};

fn named(mut input: ReportInput, name: &str) -> ReportInput {
    input.plan.experiment = name.to_owned();
    input
}

fn html(inputs: &[&ReportInput]) -> (String, String) {
    let out = tempfile::tempdir().unwrap();
    let experiments: Vec<ComparedExperiment<'_>> = inputs
        .iter()
        .map(|input| ComparedExperiment {
            input,
            report: Some(format!("../{}/index.html", input.plan.experiment)),
        })
        .collect();
    let path = compare(&experiments, out.path()).unwrap();
    let shown = path.strip_prefix(out.path()).unwrap().display().to_string();
    (shown, std::fs::read_to_string(path).unwrap())
}

#[test]
fn arms_of_one_window_stand_in_one_table_and_equal_baselines_once() {
    let (one, two) = (named(input(3), "one"), named(input(3), "two"));
    let text = compared_tables(&[one.clone(), two.clone()], TableFormat::Markdown);
    assert_eq!(text.matches("| Experiment | Arm |").count(), 1);
    for row in ["| one | base |", "| two | base |", "| one, two | buy-and-hold |"] {
        assert_eq!(text.lines().filter(|line| line.starts_with(row)).count(), 1, "{row}\n{text}");
    }
    let (path, page) = html(&[&one, &two]);
    assert_eq!(path, "compare-one+two/index.html");
    assert!(page.contains("<a href=\"../one/index.html\">one</a>"), "links to the reports");
    assert!(page.contains(">Sharpe above Buy &amp; Hold</th>"));
    assert_eq!(page.matches("<section class=\"group\"").count(), 1);
    assert!(!page.contains("http://") && !page.contains("https://"));
    assert_eq!(page.matches("<table class=\"scores cards sortable\" data-csv=").count(), 2);
}

#[test]
fn another_window_or_other_rules_are_another_table() {
    let one = named(input(3), "one");
    let mut costly = named(input(3), "costly");
    for arm in &mut costly.plan.arms {
        arm.spec.insert("rules".to_owned(), serde_json::json!({"kind": "realistic", "fee_bps": 10.0}));
    }
    let longer = Demo { days: 61, ..ablation(3) };
    let longer = named(input_of(&longer, &longer.plan()), "longer");
    let other = Demo { symbols: vec!["OTHER"], ..ablation(3) };
    let other = named(input_of(&other, &other.plan()), "other");
    let text = compared_tables(&[one, costly, longer, other], TableFormat::Markdown);
    assert_eq!(text.matches("| Experiment | Arm |").count(), 4, "{text}");
    assert!(text.contains("rules realistic, fee\\_bps = 10.0."), "{text}");
}

#[test]
fn differences_are_to_buy_and_hold_seed_by_seed() {
    let input = named(input(3), "one");
    let mean = |name: &str| {
        let arm = input.plan.arms.iter().position(|arm| arm.name == name).unwrap();
        let scores: Vec<f64> = input
            .runs
            .iter()
            .filter(|run| run.arm == arm)
            .filter_map(|run| run.test_metric("sharpe"))
            .collect();
        scores.iter().sum::<f64>() / scores.len() as f64
    };
    let text = compared_tables(std::slice::from_ref(&input), TableFormat::Markdown);
    let cells = |arm: &str| -> Vec<String> {
        let row = text.lines().find(|line| line.starts_with(&format!("| one | {arm} |"))).unwrap();
        row.split(" | ").map(str::to_owned).collect()
    };
    let wanted = format!("{:.2}", mean("base") - mean("buy-and-hold")).replace('-', "\u{2212}");
    assert!(cells("base")[3].starts_with(&format!("{wanted} \\[")), "{:?} {wanted}", cells("base"));
    assert_eq!(cells("buy-and-hold")[3], "–", "what all are compared with");
    assert_eq!(cells("flat")[2], "–", "undefined");
}

#[test]
fn arms_without_a_completed_run_are_named_below() {
    let mut input = named(input(3), "<b>one");
    input.runs.iter_mut().filter(|run| run.arm == 1).for_each(|run| run.state = store::RunState::Planned);
    let name = input.plan.arms[1].name.clone();
    let (_, page) = html(&[&input]);
    let missing = &page[page.find("id=\"missing\"").expect("a section")..];
    assert!(missing.contains(&name) && page.contains("&lt;b&gt;one") && !page.contains("<b>"), "{missing}");
    input.runs.iter_mut().for_each(|run| run.state = store::RunState::Planned);
    assert!(html(&[&input]).1.contains("No run of these experiments has completed."));
}
