//! Tests of the windows.

use chrono::{Datelike, Days, NaiveDate, Weekday};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Span;
use crate::{BarSeries, Columns, SplitSpec};

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A bar on each of `n` calendar days from `first`, weekends left out when asked; closes rise by 1.
fn bars(first: &str, n: u64, weekends: bool) -> BarSeries {
    let all = (0..n).map(|i| date(first) + Days::new(i));
    let is_open = |day: &NaiveDate| weekends || !matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
    let dates: Vec<NaiveDate> = all.filter(is_open).collect();
    let closes = (0..dates.len()).map(|i| i as f64 + 100.0).collect();
    BarSeries::from_columns("X", None, Columns::of_closes(dates, closes)).unwrap()
}

fn windows(split: &Value, series: &BarSeries) -> Vec<SplitSpec> {
    let split: SplitSpec = serde_json::from_value(split.clone()).unwrap();
    split.windows(series).unwrap().unwrap()
}

fn error(split: &Value, series: &BarSeries) -> String {
    let split: SplitSpec = serde_json::from_value(split.clone()).unwrap();
    split.windows(series).unwrap_err().to_string()
}

fn range(from: &str, to: &str) -> Option<[NaiveDate; 2]> {
    Some([date(from), date(to)])
}

#[test]
fn spans_are_of_the_calendar() {
    let after = |span: &str, day: &str| Span::parse(span).unwrap().after(date(day), 1).unwrap().to_string();
    assert_eq!(after("1y", "2020-02-29"), "2021-02-28");
    assert_eq!(after("3m", "2020-11-30"), "2021-02-28");
    assert_eq!(after("2w", "2020-12-25"), "2021-01-08");
    assert_eq!(after("10d", "2020-12-25"), "2021-01-04");
    // Steps are counted from the origin, or the 31st would be lost in February.
    assert_eq!(Span::parse("1m").unwrap().after(date("2021-01-31"), 2), Some(date("2021-03-31")));
    for wrong in ["", "1", "y", "0d", "-1d", "1.5y", "1 y", "+1y", "1q", "99999y", "1й"] {
        assert_eq!(Span::parse(wrong), None, "{wrong:?}");
    }
}

#[test]
fn windows_step_through_the_data() {
    // 2020 and 2021, a bar a day. Tests of a quarter after a year of training.
    let series = bars("2020-01-01", 731, true);
    let split = json!({"walk_forward": {"train": "1y", "test": "3m", "step": "3m"}, "warmup": 0, "purge": 0});
    let found = windows(&split, &series);
    let parts: Vec<_> = found.iter().map(|w| (w.train, w.valid, w.test)).collect();
    // Each test part ends with the first bar of the next quarter, at which its last decision is marked.
    assert_eq!(
        parts,
        [
            (range("2020-01-01", "2020-12-31"), None, range("2021-01-01", "2021-04-01")),
            (range("2020-04-01", "2021-03-31"), None, range("2021-04-01", "2021-07-01")),
            (range("2020-07-01", "2021-06-30"), None, range("2021-07-01", "2021-10-01")),
            (range("2020-10-01", "2021-09-30"), None, range("2021-10-01", "2021-12-31")),
        ]
    );
    assert!(found.iter().all(|w| w.walk_forward.is_none()));
}

#[test]
fn validation_purge_and_embargo_keep_their_distance() {
    let series = bars("2020-01-01", 60, true);
    let split = json!({
        "walk_forward": {"train": "20d", "valid": "10d", "test": "10d", "embargo": 2},
        "warmup": 0, "purge": 3,
    });
    let found = windows(&split, &series);
    // Test spans begin on the days 30, 40 and 50 (January has 31 days, day 0 is the 1st).
    let first = &found[0];
    assert_eq!(first.train, range("2020-01-01", "2020-01-17"));
    assert_eq!(first.valid, range("2020-01-23", "2020-01-27"));
    assert_eq!(first.test, range("2020-02-02", "2020-02-10"));
    assert_eq!(found.len(), 3);
    // The cut itself takes no further bars: three between the parts, and two of the later part.
    let parts = first.apply(&series).unwrap();
    assert_eq!((parts.train.n_bars(), parts.valid.unwrap().n_bars(), parts.test.n_bars()), (17, 5, 9));
}

#[test]
fn a_last_window_needs_half_of_its_days() {
    let split = json!({"walk_forward": {"train": "20d", "test": "10d"}, "warmup": 0, "purge": 0});
    let ends = |n| windows(&split, &bars("2020-01-01", n, true)).last().unwrap().test.unwrap()[1].to_string();
    assert_eq!(ends(34), "2020-01-31", "4 of 10 days");
    assert_eq!(ends(35), "2020-02-04", "5 of 10 days");
}

/// Months have 28 to 31 days: where a window ends is where the next begins, and what would overlap is refused.
#[test]
fn spans_of_different_units_and_ends_of_months_score_no_day_twice_and_none_never() {
    let series = bars("2019-06-30", 900, true);
    let whole = |walk: Value| {
        let found = windows(&json!({"walk_forward": walk, "warmup": 0, "purge": 0}), &series);
        found.windows(2).all(|pair| pair[0].test.unwrap()[1] == pair[1].test.unwrap()[0])
    };
    assert!(whole(json!({"train": "6m", "test": "3m", "from": "2019-12-31"})));
    assert!(whole(json!({"train": "6m", "test": "1m", "from": "2019-12-31"})));
    for (test, step) in [("30d", "1m"), ("60d", "2m"), ("13w", "3m"), ("2m", "61d")] {
        let split =
            json!({"walk_forward": {"train": "1m", "test": test, "step": step, "from": "2020-02-01"}});
        let text = error(&split, &series);
        assert!(text.contains("days would be scored twice"), "{test} {step}: {text}");
    }
}

#[test]
fn an_embargo_that_leaves_nothing_of_a_last_window_drops_it() {
    let split = json!({"walk_forward": {"train": "6m", "test": "2w", "embargo": 6}, "warmup": 0, "purge": 0});
    let counts: Vec<usize> =
        (270..276).map(|n| windows(&split, &bars("2020-01-01", n, true)).len()).collect();
    assert!(counts.is_sorted() && counts[0] + 1 == counts[5], "{counts:?}");
}

#[test]
fn training_may_grow_and_tests_may_begin_later() {
    let series = bars("2020-01-01", 60, true);
    let growing = json!({
        "walk_forward": {"train": "20d", "test": "10d", "step": "20d", "expanding": true, "from": "2020-01-26"},
        "warmup": 0, "purge": 0,
    });
    let found = windows(&growing, &series);
    let trains: Vec<_> = found.iter().map(|w| w.train).collect();
    assert_eq!(trains, [range("2020-01-01", "2020-01-25"), range("2020-01-01", "2020-02-14")]);
    assert_eq!(found[1].test, range("2020-02-15", "2020-02-25"));
    let early = json!({"walk_forward": {"train": "20d", "test": "10d", "from": "2020-01-20"}});
    assert_eq!(
        error(&early, &series),
        "split.walk_forward.from: expected 2020-01-21 or later (the data of X begin 2020-01-01), found 2020-01-20"
    );
}

#[test]
fn what_does_not_fit_is_named() {
    let series = bars("2020-01-01", 60, true);
    let long = json!({"walk_forward": {"train": "1y", "test": "3m"}});
    assert_eq!(
        error(&long, &series),
        "split.walk_forward: expected spans that fit the data of X (2020-01-01 to 2020-02-29), but the first test part \
         would begin 2021-01-01"
    );
    let thin = json!({"walk_forward": {"train": "20d", "test": "1d", "embargo": 1}});
    let text = error(&thin, &series);
    assert!(
        text.starts_with("split.walk_forward.test: expected at least 2 bars in each window, found 1"),
        "{text}"
    );
    let endless = json!({"walk_forward": {"train": "1d", "test": "1d"}});
    let text = error(&endless, &bars("2000-01-01", 1_500, true));
    assert!(text.contains("more than 1000 windows") || text.contains("at least 2 bars"), "{text}");
    let both = json!({
        "train": ["2020-01-01", "2020-01-10"],
        "walk_forward": {"train": "20 days", "test": "10d", "step": "9d", "from": "soon"},
    });
    let errors: Vec<String> = SplitSpec::check(&both).iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "train: expected \"none\" beside split.walk_forward, which has its own parts, found [\"2020-01-01\", \"2020-01-10\"]",
            "walk_forward.train: expected a span such as \"1y\", \"3m\", \"2w\" or \"10d\", found \"20 days\"",
            "walk_forward.step: expected at least \"10d\", the span of `test`: with less, days would be scored twice, found \"9d\"",
            "walk_forward.from: expected a date such as \"2018-12-31\", found \"soon\"",
        ]
    );
    let neither: Vec<String> =
        SplitSpec::check(&json!({"purge": 1})).iter().map(ToString::to_string).collect();
    assert_eq!(
        neither,
        [
            "train: expected first and last date, or split.walk_forward, found nothing",
            "test: expected first and last date, or split.walk_forward, found nothing",
        ]
    );
}

proptest! {
    /// No training bar lies in or after its window's test part, test parts share no decision, and where steps are as long
    /// as tests every return from the first decision to the last mark is scored once.
    #[test]
    fn every_return_is_scored_once(
        n in 200_u64..900, train in 20_u32..90, test in 5_u32..60, purge in 0_usize..6, weekends: bool,
    ) {
        let series = bars("2019-03-04", n, weekends);
        let split = json!({
            "walk_forward": {"train": format!("{train}d"), "test": format!("{test}d")}, "warmup": 0, "purge": purge,
        });
        let split: SplitSpec = serde_json::from_value(split).unwrap();
        let Ok(Some(found)) = split.windows(&series) else { return Ok(()) };
        let mut marks = Vec::new();
        for window in &found {
            let parts = window.apply(&series).unwrap();
            prop_assert!(parts.train.last_date() < parts.test.first_date());
            let bar = |day: NaiveDate| series.dates().iter().position(|d| *d == day).unwrap();
            let (last, first) = (bar(parts.train.last_date()), bar(parts.test.first_date()));
            prop_assert_eq!(first - last, purge + 1);
            marks.extend(parts.test.dates()[1..].iter().copied());
        }
        let first = bar_after(&series, found[0].test.unwrap()[0]);
        prop_assert_eq!(&marks[..], &series.dates()[first..first + marks.len()]);
    }
}

/// Place of the bar after that of `day`.
fn bar_after(series: &BarSeries, day: NaiveDate) -> usize {
    series.dates().partition_point(|d| *d <= day)
}
