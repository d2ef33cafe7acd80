//! Tests of InvestorBench files.

use std::path::Path;

use super::parse;
use crate::BarSeries;

fn read(text: &str) -> Result<BarSeries, String> {
    parse(Path::new("x.json"), text, "X", None).map_err(|e| e.to_string())
}

#[test]
fn reads_prices_and_news() {
    let s = read(
        r#"{"2024-01-01": {"prices": 1.5, "news": ["a \"b\"", "c"], "10k": ["left out"]}, "2024-01-06": {"prices": 2}}"#,
    )
    .unwrap();
    assert_eq!(s.closes(), [1.5, 2.0]);
    assert_eq!(s.open(0), None);
    assert_eq!(s.news(0).collect::<Vec<_>>(), ["a \"b\"", "c"]);
    assert_eq!(s.news(1).count(), 0);
    // Five days apart.
    assert_eq!(s.periods_per_year(), 52.0);
}

#[test]
fn every_bad_input_is_named() {
    let second = |day: &str| format!("{{\"2024-01-01\": {{\"prices\": 1}},\n \"2024-01-02\": {day}}}");
    let price = "`prices`: found";
    for (text, expected) in [
        (second(r#"{"prices": 0}"#), format!("2024-01-02: {price} 0, expected a finite number > 0")),
        (second(r#"{"prices": -3.5}"#), format!("2024-01-02: {price} -3.5, expected")),
        (second(r#"{"prices": "3"}"#), format!("2024-01-02: {price} \"3\", expected")),
        (second(r#"{"prices": null}"#), format!("2024-01-02: {price} null, expected")),
        (second(r#"{}"#), format!("2024-01-02: {price} nothing, expected")),
        (second(r#"3"#), format!("2024-01-02: {price} nothing, expected")),
        (
            second(r#"{"prices": 1, "news": "text"}"#),
            "2024-01-02: `news`: found \"text\", expected a list".into(),
        ),
        (second(r#"{"prices": 1, "news": [1]}"#), "2024-01-02: `news`: found [1], expected a list".into()),
        (second(r#"{"prices": NaN}"#), "line 2: not the expected JSON: expected value (column".into()),
        (second(r#"{"prices": 1e999}"#), "line 2: not the expected JSON: number out of range (column".into()),
        (second(r#"{"prices": 1"#), "line 2: not the expected JSON: EOF while parsing".into()),
        (
            r#"{"2024-01-02": {"prices": 1}, "2024-01-02": {"prices": 1}}"#.into(),
            "2024-01-02: found the date again, expected each date once".into(),
        ),
        (
            r#"{"2024-01-02": {"prices": 1}, "2024-01-01": {"prices": 1}}"#.into(),
            "2024-01-01: found the date after 2024-01-02, expected ascending dates".into(),
        ),
        (
            r#"{"2024-01-02": {"prices": 1}, "Jan 3": {"prices": 1}}"#.into(),
            "found the key \"Jan 3\", expected a date such as \"2018-12-31\"".into(),
        ),
        ("{}".into(), "found 0 dates, expected at least 2".into()),
        ("[1, 2]".into(), "line 1: not the expected JSON: invalid type: sequence, expected an object".into()),
        ("".into(), "line 1: not the expected JSON: EOF".into()),
    ] {
        let error = read(&text).unwrap_err();
        assert!(error.starts_with(&format!("x.json: {expected}")), "{text}: {error}");
    }
}
