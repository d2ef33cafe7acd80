//! Scores of random decisions against a second implementation in Python, under every rule set.

#![allow(clippy::unwrap_used, reason = "all of it is test code")]

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use market_data::{BarSeries, Columns};
use score::{Decisions, EvaluateOptions, Scorecard, evaluate};
use serde::Deserialize;
use trading_env::{Action, RULES};

#[derive(Deserialize)]
struct Case {
    periods_per_year: f64,
    opens: Vec<Option<f64>>,
    closes: Vec<f64>,
    actions: Vec<i8>,
    /// Parameters of the `realistic` rules.
    realistic: serde_json::Value,
    /// By rules.
    expected: BTreeMap<String, Scorecard>,
}

/// `tests/fixtures/make.py` writes the file and says how to run it.
#[test]
fn agrees_with_plain_loops_in_python() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/scorecards.json")).unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let start = NaiveDate::from_ymd_opt(2020, 1, 6).unwrap();
        let dates: Vec<NaiveDate> = (0..case.closes.len()).map(|i| start + Days::new(i as u64)).collect();
        let mut columns = Columns::of_closes(dates.clone(), case.closes);
        columns.open = case.opens;
        let series = BarSeries::from_columns("TEST", Some(case.periods_per_year), columns).unwrap();
        let action = |sign: &i8| *Action::ALL.iter().find(|a| a.sign() == *sign).unwrap();
        let decisions: Decisions = dates.iter().copied().zip(case.actions.iter().map(action)).collect();
        assert_eq!(case.expected.len(), RULES.len());
        for plugin in RULES {
            let params =
                if plugin.name() == "realistic" { case.realistic.clone() } else { serde_json::json!({}) };
            let rules = plugin.build(&params, ()).unwrap();
            let (from, to) = (dates[0], dates[dates.len() - 1]);
            let found =
                evaluate(&series, from, to, &decisions, &*rules, &EvaluateOptions::default()).unwrap();
            check(plugin.name(), &found, &case.expected[plugin.name()]);
        }
    }
}

fn check(rules: &str, found: &Scorecard, wanted: &Scorecard) {
    for ((field, found), (_, wanted)) in found.values().into_iter().zip(wanted.values()) {
        match (found, wanted) {
            (Some(f), Some(w)) => {
                assert!((f - w).abs() <= 1e-9 * w.abs().max(1e-3), "{rules}: {field} {f}, not {w}");
            }
            (found, wanted) => assert_eq!(found, wanted, "{rules}: {field}"),
        }
    }
}
