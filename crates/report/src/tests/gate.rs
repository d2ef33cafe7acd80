//! Gates on the scores of a made-up sweep.

use serde_json::{Value, json};
use store::Rescored;

use super::page::input;
use crate::{Gate, ReportInput, Verdict};

/// The sweep with the Sharpe ratios of its first arm set, one per seed.
fn with_sharpe(values: &[Value]) -> ReportInput {
    let mut input = input(if values.len() > 3 { 5 } else { 3 });
    let runs = input.runs.iter_mut().filter(|run| run.arm == 0);
    for (run, value) in runs.zip(values) {
        let scores = run.manifest.as_mut().unwrap().metrics.test.as_mut().unwrap();
        scores["sharpe"] = value.clone();
    }
    input
}

fn judge(input: &ReportInput, gate: &str) -> Verdict {
    let gate: Gate = gate.parse().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(gate.unknown(input), Vec::<String>::new());
    gate.judge(input)
}

#[test]
fn statistics_over_seeds_by_hand() {
    let input = with_sharpe(&[json!(4.0), json!(1.0), json!(2.0), json!(3.0), json!(10.0)]);
    let value = |statistic: &str| judge(&input, &format!("sharpe{statistic}(base) > 0")).left.unwrap();
    // The interquartile mean of five is that of the middle three: 2, 3, 4.
    for (statistic, wanted) in
        [("", 4.0), (".mean", 4.0), (".median", 3.0), (".iqm", 3.0), (".min", 1.0), (".max", 10.0)]
    {
        assert!((value(statistic) - wanted).abs() < 1e-12, "{statistic}: {}", value(statistic));
    }
    let (low, high) = (value(".low"), value(".high"));
    assert!(low > 1.0 && low < 4.0 && high > 4.0 && high < 10.0, "{low} {high}");
}

#[test]
fn comparisons_hold_or_not() {
    let input = with_sharpe(&[json!(2.0), json!(2.0), json!(2.0)]);
    let holds = |gate: &str| judge(&input, gate).holds;
    assert!(holds("sharpe(base) >= 2") && holds("sharpe(base) <= 2") && holds("2 <= sharpe.low(base)"));
    assert!(!holds("sharpe(base) > 2") && !holds("sharpe(base) < 2"));
    let verdict = judge(&input, "sharpe.iqm(base) > sharpe(base)");
    assert_eq!(verdict.to_string(), "FAIL sharpe.iqm(base) > sharpe(base): 2 > 2");
    let verdict = judge(&input, "sharpe(base) < 2.00000012");
    assert!(verdict.to_string().ends_with(": 2 < 2.00000012"), "{verdict}");
    let verdict = judge(&input, "sharpe(base) < 2.12345678");
    assert!(verdict.to_string().ends_with(": 2 < 2.12346"), "{verdict}");
    let verdict = judge(&input, "sharpe(base) < 2.5");
    assert_eq!(verdict.to_string(), "PASS sharpe(base) < 2.5: 2 < 2.5");
    assert_eq!(
        serde_json::to_value(&verdict).unwrap(),
        json!({"gate": "sharpe(base) < 2.5", "holds": true, "left": 2.0, "right": 2.5, "notes": []})
    );
}

#[test]
fn an_undefined_value_does_not_hold_whatever_is_asked() {
    let input = with_sharpe(&[json!(2.0), Value::Null, json!(2.0)]);
    for sign in [">", "<=", "<", ">="] {
        let verdict = judge(&input, &format!("sharpe(base) {sign} 0"));
        assert!(!verdict.holds && verdict.left.is_none());
        assert!(
            verdict.to_string().contains("sharpe.mean(base) is undefined: for 1 of 3 seeds"),
            "{verdict}"
        );
    }
    // One seed has no interval; no completed run has nothing.
    let verdict = judge(&input, "cumulative_return.low(buy-and-hold) > -1");
    assert!(verdict.to_string().contains("an interval needs 3 seeds, found 1"), "{verdict}");
    assert!(judge(&input, "cumulative_return(buy-and-hold) > -1").holds);
    let mut input = input;
    input.runs.iter_mut().for_each(|run| run.state = store::RunState::Planned);
    let verdict = judge(&input, "sharpe(base) < 100");
    assert!(verdict.to_string().contains("is undefined: no completed run"), "{verdict}");
    assert!(verdict.to_string().contains("base: 0 of 3 runs completed"), "{verdict}");
}

#[test]
fn values_of_unfinished_arms_say_on_what_they_rest() {
    let mut input = with_sharpe(&[json!(2.0), json!(4.0), json!(9.0)]);
    input.runs.iter_mut().filter(|run| run.arm == 0 && run.seed == 2).for_each(|run| {
        run.state = store::RunState::Failed { reason: "boom".to_owned(), step: None };
    });
    let verdict = judge(&input, "sharpe(base) < sharpe.max(base)");
    assert_eq!(
        verdict.to_string(),
        "PASS sharpe(base) < sharpe.max(base): 3 < 4; base: 2 of 3 runs completed"
    );
}

#[test]
fn unknown_names_are_told_with_near_misses_and_what_there_is() {
    let unknown = |gate: &str| gate.parse::<Gate>().unwrap().unknown(&input(3)).join("\n");
    let arm = unknown("sharpe(bse) > sharpe(buy-and-hodl)");
    assert!(arm.contains("unknown arm \"bse\" (did you mean \"base\"?); known: base, "), "{arm}");
    assert!(arm.contains("unknown arm \"buy-and-hodl\" (did you mean \"buy-and-hold\"?)"), "{arm}");
    let metric = unknown("sharp(base) > 0");
    assert!(metric.contains("unknown metric \"sharp\" (did you mean \"sharpe\"?); known: n, "), "{metric}");
    assert!(metric.contains("rescored.<rules>.<cost>bps."), "{metric}");
    let statistic = unknown("sharpe.iqn(base) > 0");
    assert!(
        statistic.contains("unknown statistic \"iqn\" (did you mean \"iqm\"?); known: mean, "),
        "{statistic}"
    );
    assert!(unknown("paper.xx(base) > 0").contains("unknown metric \"paper.xx\""));
}

#[test]
fn scores_under_other_rules_have_their_names() {
    let mut input = with_sharpe(&[json!(1.0), json!(1.0), json!(1.0)]);
    // Runs of earlier versions have none: undefined, and not unknown.
    input.runs.iter_mut().filter_map(|run| run.manifest.as_mut()).for_each(|m| m.rescored.clear());
    let gate = "rescored.realistic.7.5bps.sharpe(base) > 0";
    assert!(judge(&input, gate).to_string().contains("undefined"));
    for run in input.runs.iter_mut().filter(|run| run.arm == 0) {
        let other = |rules: &str, cost_bps, sharpe: f64| Rescored {
            rules: rules.to_owned(),
            cost_bps,
            scores: json!({"sharpe": sharpe, "paper": {"cr": 5.0}}),
        };
        run.manifest.as_mut().unwrap().rescored =
            vec![other("paper", 0.0, 1.0), other("realistic", 7.5, 0.25 + run.seed as f64)];
    }
    assert_eq!(judge(&input, gate).left, Some(1.25));
    assert_eq!(judge(&input, "rescored.paper.0bps.paper.cr(base) > 0").left, Some(5.0));
    let unknown = "rescored.realistic.8bps.sharpe(base) > 0".parse::<Gate>().unwrap().unknown(&input);
    assert!(unknown[0].contains("did you mean \"rescored.realistic.7.5bps.sharpe\"?"), "{unknown:?}");
}
