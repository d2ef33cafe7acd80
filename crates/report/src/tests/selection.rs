//! Selection on validation data, which the test part cannot steer.

use experiment::SelectionMetric;
use serde_json::{Value, json};
use store::RunState;

use super::demo::Demo;
use super::page::{ablation, own_text};
use crate::groups::{Group, groups};
use crate::page::page;
use crate::render::html;
use crate::selection::{LeftOut, select, selected_arms};
use crate::{Gate, ReportInput, TableFormat, selections, summary, tables};

/// The base and eleven samples, three seeds each.
fn search() -> ReportInput {
    let demo = Demo { mode: "random", troubled: false, ..ablation(3) };
    demo.input(&demo.plan())
}

/// The search in which the arms of the plan's order have these validation scores, every seed the same. Further arms are
/// far behind.
fn with_scores(scores: &[f64]) -> ReportInput {
    let mut input = search();
    for run in &mut input.runs {
        let score = scores.get(run.arm).copied().unwrap_or(-50.0 - run.arm as f64);
        set(run, "sharpe", json!(score + [-0.1, 0.0, 0.1][run.seed as usize]));
    }
    input
}

fn set(run: &mut crate::ReportRun, metric: &str, score: Value) {
    run.manifest.as_mut().unwrap().metrics.valid.as_mut().unwrap()[metric] = score;
}

fn run(input: &mut ReportInput, arm: usize, seed: u64) -> &mut crate::ReportRun {
    input.runs.iter_mut().find(|run| run.arm == arm && run.seed == seed).unwrap()
}

fn ranked(group: &Group<'_>) -> Vec<usize> {
    select(group).unwrap().ranked.iter().map(|ranked| ranked.arm).collect()
}

#[test]
fn the_best_mean_of_the_validation_part_is_selected() {
    let input = with_scores(&[1.0, 2.5, 0.5, 2.0]);
    let groups = groups(&input);
    let [group] = groups.as_slice() else { panic!("one window") };
    assert_eq!(ranked(group)[..4], [1, 3, 0, 2]);
    assert!(select(group).unwrap().is_final());
    assert_eq!(selected_arms(&input), [1]);
    // Baselines are never selected, whatever they score.
    let n = input.plan.arms.iter().filter(|arm| arm.role == trading_env::Role::Arm).count();
    assert_eq!((ranked(group).len(), n), (12, 12));
}

#[test]
fn of_equals_the_first_of_the_plan_is_selected() {
    let input = with_scores(&[0.0, 2.0, 1.0, 2.0]);
    assert_eq!(selected_arms(&input), [1]);
    let told = selections(&input).sentences;
    // Their differences are zero with every seed; all others are 1 or more behind.
    let expected = "sample-3 has the same score: of equals the first of the plan is selected. Over seeds the 95% interval of the difference covers zero for 1 of 11 other arms: with other seeds one of them could have been selected.";
    assert_eq!(told[2], expected);
}

#[test]
fn the_lowest_drawdown_is_the_best() {
    let mut input = search();
    input.plan.select = Some(SelectionMetric::MaxDrawdown);
    for run in &mut input.runs {
        set(run, "max_drawdown", json!(if run.arm == 4 { 0.05 } else { 0.1 + 0.01 * run.arm as f64 }));
    }
    assert_eq!(ranked(&groups(&input)[0])[..3], [4, 0, 1]);
    let told = selections(&input).sentences.join(" ");
    assert!(
        told.contains("Its maximum drawdown on the validation part")
            && told.contains("the lowest of 12 arms")
    );
}

#[test]
fn an_arm_without_every_seed_takes_no_part() {
    let mut input = with_scores(&[1.0, 9.0, 8.0, 7.0, 2.0]);
    run(&mut input, 1, 2).state = RunState::Failed { reason: "diverged".to_owned(), step: None };
    run(&mut input, 2, 0).state = RunState::Planned;
    set(run(&mut input, 3, 1), "sharpe", Value::Null);
    let groups = groups(&input);
    let selection = select(&groups[0]).unwrap();
    assert_eq!(selection.arm(), Some(4));
    assert_eq!(
        selection.left_out,
        [
            (1, LeftOut::Incomplete { completed: 2, planned: 3 }),
            (2, LeftOut::Unfinished { completed: 2, planned: 3 }),
            (3, LeftOut::Undefined { missing: 1, seeds: 3 }),
        ]
    );
    assert!(!selection.is_final());
    let (page, _) = page(&input);
    assert!(
        page.headline.starts_with("Of 9 arms sample-4 is selected on validation data so far; "),
        "{}",
        page.headline
    );
    let left_out = &page.groups[0].selection.as_ref().unwrap().left_out;
    let words: Vec<&str> = left_out.iter().map(|(_, words)| words.as_str()).collect();
    assert_eq!(
        words,
        ["2 of 3 runs completed", "2 of 3 runs completed so far", "no validation score for 1 of 3 seeds"]
    );
}

#[test]
fn without_a_completed_arm_nothing_is_selected() {
    let mut input = search();
    input.runs.iter_mut().for_each(|run| run.state = RunState::Planned);
    assert!(selected_arms(&input).is_empty());
    let (page, _) = page(&input);
    assert_eq!(page.headline, "No arm is selected: none has completed every seed with a validation score.");
    html(&input).unwrap();
    let gate: Gate = "sharpe(selected) > 0".parse().unwrap();
    assert_eq!(gate.unknown(&input), Vec::<String>::new());
    assert!(gate.judge(&input).to_string().contains("is undefined: no arm is selected"));
}

/// What says which arm was selected and in which order the others follow.
#[derive(Debug, PartialEq)]
struct Marks {
    order: Vec<usize>,
    headline: Option<String>,
    rows: Vec<[String; 2]>,
    values: Vec<Vec<(String, Option<f64>)>>,
    settings: Vec<String>,
    tags: Vec<bool>,
    text: Vec<String>,
    json: Vec<Value>,
}

fn marks(input: &ReportInput) -> Marks {
    let (page, _) = page(input);
    let group = &page.groups[0];
    let selection = group.selection.as_ref().unwrap();
    let windows = selections(input).windows;
    Marks {
        order: ranked(&groups(input)[0]),
        headline: page.headline.split("; on the test window").next().map(str::to_owned),
        rows: selection.rows.iter().map(|row| [row.name.clone(), row.cells[0].mean.clone()]).collect(),
        values: selection.rows.iter().map(|row| row.values.clone()).collect(),
        settings: selection.settings.iter().map(|setting| setting.words.clone()).collect(),
        tags: (group.table.arms.iter().map(|row| row.is_selected))
            .chain(group.judged.verdicts.iter().map(|verdict| verdict.is_selected))
            .collect(),
        text: (tables(input, TableFormat::Markdown).lines())
            .filter(|line| line.contains("(selected)"))
            .filter_map(|line| line.split(" | ").next().map(str::to_owned))
            .collect(),
        json: (windows[0]["arms"].as_array().unwrap().iter())
            .map(|arm| json!([arm["name"], arm["rank"], arm["validation"]]))
            .chain([windows[0]["arm"].clone(), json!(summary(input)["arms"][3]["is_selected"])])
            .collect(),
    }
}

/// Every test score, curve and control of the arms is handed to another arm: nothing that is marked moves.
#[test]
fn test_data_never_steer_a_selection() {
    let input = search();
    let before = marks(&input);
    assert_eq!(before.tags.iter().filter(|tag| **tag).count(), 2);
    assert_eq!(before.text.len(), 2, "the main table and that of the selection");
    let n = before.order.len();
    for shift in 1..n {
        let mut other = input.clone();
        for run in &mut other.runs {
            let from = if run.arm < n { (run.arm + shift) % n } else { run.arm };
            let source = input.runs.iter().find(|r| r.arm == from && r.seed == run.seed).unwrap();
            let theirs = source.manifest.clone().unwrap();
            let manifest = run.manifest.as_mut().unwrap();
            manifest.metrics.test = theirs.metrics.test;
            manifest.rescored = theirs.rescored;
            manifest.equal_turnover = theirs.equal_turnover;
            run.curve.clone_from(&source.curve);
        }
        assert_ne!(tables(&other, TableFormat::Markdown), tables(&input, TableFormat::Markdown));
        assert_eq!(marks(&other), before, "shifted by {shift}");
    }
    // And the other way round: another validation score is another selection.
    let mut other = input;
    let last = *before.order.last().unwrap();
    other.runs.iter_mut().filter(|run| run.arm == last).for_each(|run| set(run, "sharpe", json!(99.0)));
    assert_eq!(selected_arms(&other), [last]);
}

/// The best arm of the test part is one row like any other.
#[test]
fn the_best_of_the_test_part_is_not_marked() {
    let input = search();
    let selected = selected_arms(&input)[0];
    let (page, _) = page(&input);
    let value = |arm: usize| page.groups[0].table.arms[arm].cells[0].value;
    let best = (0..12).max_by(|a, b| value(*a).unwrap().total_cmp(&value(*b).unwrap())).unwrap();
    assert_ne!(best, selected, "the case that matters");
    let html = own_text(&html(&input).unwrap());
    let name = &input.plan.arms[best].name;
    let tag = "selected on validation</span>";
    for row in html.split("<tr").filter(|row| row.contains(&format!("<span class=\"name\">{name}</span>"))) {
        assert!(!row.contains(tag), "{row}");
    }
    // The table of the selection, the verdicts, both tables of scores.
    assert_eq!(html.matches(tag).count(), 4);
}

/// Validation 3, 2, 1 and test 1, 2, 3 for the arms in this order; the others take no part.
#[test]
fn how_far_a_selection_is_to_be_trusted_by_hand() {
    let mut input = with_scores(&[3.0, 2.0, 1.0]);
    for run in &mut input.runs {
        let manifest = run.manifest.as_mut().unwrap();
        if run.arm < 3 {
            manifest.metrics.test.as_mut().unwrap()["sharpe"] = json!([1.0, 1.5, 2.5][run.arm]);
        } else if run.arm < 12 {
            run.state = RunState::Skipped { reason: "no".to_owned() };
        }
    }
    let window = &selections(&input).windows[0];
    let near = |key: &str, wanted: f64| {
        assert!((window[key].as_f64().unwrap() - wanted).abs() < 1e-12, "{key}: {}", window[key]);
    };
    // The base loses 2; the others change by -0.5 and +1.5, so by 0.5 on average.
    near("change", -2.0);
    near("change_of_others", 0.5);
    near("optimism", 2.5);
    near("rank_correlation", -1.0);
    assert_eq!(window["arm"], "base");
    assert_eq!(
        selections(&input).sentences,
        [
            "Selected: base. Its Sharpe ratio on the validation part, 2018-01-02 to 2018-12-31, is 3.00 [2.90, 3.10] over 3 seeds, the highest of 3 arms.",
            "Result: on the test part, which has no say in the selection, its Sharpe ratio is 1.00.",
            "Over seeds the 95% interval of the difference covers zero for 0 of 2 other arms.",
            "That is the base: no other arm is better on the validation part.",
            "From validation to test its Sharpe ratio changes by \u{2212}2.00, that of the other 2 arms by +0.50 on average. The difference, 2.50, estimates by how much its validation score overstates it: the highest of several scores owes a part of itself to luck.",
            "Rank correlation (Spearman) of validation and test scores over 3 arms: \u{2212}1.00, where no relation gives 0 with a standard deviation of 0.71. It is not shown that an arm that does better on validation does better on the test part.",
            "The verdicts are corrected for all 12 trials that were ever started, not for the selected arm alone.",
            "9 arms take no part for want of a validation score of every seed.",
        ]
    );
}

/// The learning rate decides the validation score, rank and reward do not vary with it.
#[test]
fn settings_are_told_by_their_validation_scores() {
    let mut input = search();
    for run in &mut input.runs {
        let rate = input.plan.arms[run.arm].axes.get("agent.learning_rate").and_then(Value::as_f64);
        set(run, "sharpe", json!(rate.map(f64::ln)));
    }
    let (page, _) = page(&input);
    let selection = page.groups[0].selection.as_ref().unwrap();
    let words = |key: &str| selection.settings.iter().find(|s| s.key == key).unwrap().words.as_str();
    assert_eq!(words("agent.learning_rate"), "rank correlation 1.00");
    assert!(words("agent.lora.rank").starts_with("rank correlation "), "{}", words("agent.lora.rank"));
    assert!(
        words("reward").contains("log-return \u{2212}") && words("reward").contains(" arms)"),
        "{}",
        words("reward")
    );
    assert!(page.groups[0].effects.is_empty(), "no arm differs in one axis alone");
}

#[test]
fn gates_may_name_the_selected_arm() {
    let mut input = with_scores(&[1.0, 2.5]);
    let judge = |input: &ReportInput, text: &str| {
        let gate: Gate = text.parse().unwrap();
        (gate.unknown(input), gate.judge(input))
    };
    let (unknown, verdict) = judge(&input, "sharpe(selected) >= sharpe(sample-1)");
    assert_eq!(unknown, Vec::<String>::new());
    assert!(verdict.holds && verdict.left == verdict.right, "{verdict}");
    assert_eq!(verdict.notes, ["selected is sample-1"]);
    assert_eq!(judge(&input, "sharpe(selectd) > 0").0.len(), 1);
    assert!(judge(&input, "sharpe(selectd) > 0").0[0].contains("did you mean \"selected\"?"));
    // An arm of that name is meant itself.
    input.plan.arms[0].name = "selected".to_owned();
    assert_eq!(judge(&input, "sharpe(selected) > 0").1.notes, Vec::<String>::new());
    input.plan.arms[0].name = "base".to_owned();
    input.plan.select = None;
    assert_eq!(judge(&input, "sharpe(selected) > 0").0.len(), 1);
}

#[test]
fn each_window_selects_its_own_arm() {
    let demo = Demo { mode: "grid", symbols: vec!["A", "B"], troubled: false, ..ablation(3) };
    let mut input = demo.input(&demo.plan());
    input.plan.select = Some(SelectionMetric::Sharpe);
    // A: arms 0 and 1; B: its arms follow A's baselines or stand behind them, in plan order.
    let arms: Vec<usize> =
        groups(&input).iter().flat_map(|g| g.of_role(trading_env::Role::Arm).collect::<Vec<_>>()).collect();
    let [a0, a1, b0, b1] = arms[..] else { panic!("{arms:?}") };
    for run in &mut input.runs {
        let score = if [a1, b0].contains(&run.arm) { 2.0 } else { 1.0 };
        run.manifest.as_mut().unwrap().metrics.valid = Some(json!({ "sharpe": score }));
    }
    assert_eq!(selected_arms(&input), [a1, b0]);
    let (page, _) = page(&input);
    assert!(
        page.headline.starts_with("On none of 2 test windows is the arm selected on validation data"),
        "{}",
        page.headline
    );
    let gate: Gate = "sharpe(selected) > 0".parse().unwrap();
    assert!(gate.judge(&input).to_string().contains("each of 2 test windows has its own"));
    assert!([a0, b1].iter().all(|arm| !selected_arms(&input).contains(arm)));
    let told = selections(&input).sentences;
    assert!(
        told[0].starts_with("A: Selected: ") && told.iter().any(|s| s.starts_with("B: Selected: ")),
        "{told:?}"
    );
}

#[test]
fn without_a_selection_nothing_speaks_of_one() {
    let demo = Demo { mode: "grid", troubled: false, ..ablation(3) };
    let input = demo.input(&demo.plan());
    assert_eq!(selections(&input), crate::Selections::default());
    assert!(!own_text(&html(&input).unwrap()).contains("selected on validation</span>"));
    assert!(
        summary(&input).get("selection").is_none() && summary(&input)["arms"][0].get("is_selected").is_none()
    );
}
