//! Tests of the splits.

use chrono::{Days, NaiveDate};
use proptest::prelude::*;
use serde_json::json;

use super::SplitSpec;
use crate::{BarSeries, Columns, Segment};

fn day(n: usize) -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + Days::new(n as u64)
}

/// One bar per day from 2024-01-01; the close of day n is n + 1.
fn daily(n: usize) -> BarSeries {
    let closes = (0..n).map(|i| i as f64 + 1.0).collect();
    BarSeries::from_columns("X", None, Columns::of_closes((0..n).map(day).collect(), closes)).unwrap()
}

fn spec(value: serde_json::Value) -> SplitSpec {
    serde_json::from_value(value).unwrap()
}

fn own_closes(s: &Segment) -> &[f64] {
    &s.series.closes()[s.first..]
}

#[test]
fn parts_hold_their_dates_and_look_back() {
    let s = spec(json!({
        "train": ["2024-01-01", "2024-01-10"], "valid": ["2024-01-11", "2024-01-14"],
        "test": ["2024-01-15", "2024-01-20"], "warmup": 3,
    }));
    let parts = s.apply(&daily(30)).unwrap();
    // The data begin with the training range: three of its bars serve as look-back.
    assert_eq!(own_closes(&parts.train), [4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
    assert_eq!(parts.train.series.len(), 10);
    let valid = parts.valid.unwrap();
    assert_eq!(own_closes(&valid), [11.0, 12.0, 13.0, 14.0]);
    assert_eq!(valid.series.closes()[..3], [8.0, 9.0, 10.0]);
    assert_eq!(own_closes(&parts.test), [15.0, 16.0, 17.0, 18.0, 19.0, 20.0]);
    assert_eq!((parts.test.n_bars(), parts.test.first), (6, 3));
    assert_eq!((parts.test.first_date(), parts.test.last_date()), (day(14), day(19)));
    assert_eq!(parts.test.dates().len(), 6);
}

#[test]
fn purge_is_taken_from_the_earlier_part() {
    // Ten training days, a gap of two days, then the test: one bar of the three is missing in the gap.
    let s = spec(json!({
        "train": ["2024-01-01", "2024-01-10"], "test": ["2024-01-13", "2024-01-20"], "purge": 3,
    }));
    let parts = s.apply(&daily(30)).unwrap();
    assert_eq!(own_closes(&parts.train).last(), Some(&9.0));
    assert_eq!(own_closes(&parts.test)[0], 13.0);
}

#[test]
fn wrong_ranges_are_named() {
    let value = json!({
        "train": ["2024-02-30", "2024-01-10"], "valid": ["2024-01-20", "2024-01-11"], "test": ["2024-01-11", "2024-01-12"],
    });
    let errors: Vec<String> = SplitSpec::check(&value).iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "train: expected dates such as \"2018-12-31\", found \"2024-02-30\"",
            "valid: expected the earlier date first, found [\"2024-01-20\", \"2024-01-11\"]",
            "test: expected dates after 2024-01-11, the end of `valid`, found [\"2024-01-11\", \"2024-01-12\"]",
        ]
    );
    let overlap = json!({"train": ["2024-01-01", "2024-01-10"], "test": ["2024-01-10", "2024-01-12"]});
    let error = spec(overlap).apply(&daily(30)).unwrap_err().to_string();
    assert!(error.starts_with("split.test: expected dates after 2024-01-10, the end of `train`"), "{error}");
    let reversed = json!({"train": ["2024-01-11", "2024-01-20"], "test": ["2024-01-01", "2024-01-10"]});
    assert!(spec(reversed).apply(&daily(30)).is_err());
}

#[test]
fn empty_parts_are_named() {
    let s = spec(json!({"train": ["2024-01-01", "2024-01-10"], "test": ["2025-01-01", "2025-12-31"]}));
    assert_eq!(
        s.apply(&daily(30)).unwrap_err().to_string(),
        "split.test: expected at least 2 bars from 2025-01-01 to 2025-12-31, found 0 \
         (warmup = 0, purge = 0; the data of X have 30 bars, 2024-01-01 to 2024-01-30)"
    );
    let s = spec(
        json!({"train": ["2024-01-01", "2024-01-10"], "test": ["2024-01-11", "2024-01-20"], "warmup": 9}),
    );
    assert!(s.apply(&daily(30)).unwrap_err().to_string().starts_with("split.train: "));
}

#[test]
fn the_schema_accepts_what_can_be_read() {
    let schema = plugin::schema_of::<SplitSpec>();
    let short = json!({"train": ["2024-01-01", "2024-01-10"], "test": ["2024-01-11", "2024-01-20"]});
    let full = serde_json::to_value(spec(short.clone())).unwrap();
    for value in [&short, &full] {
        assert_eq!(plugin::check_value(&schema, value), []);
        assert_eq!(SplitSpec::check(value), []);
    }
    let one_date = json!({"train": ["2024-01-01"], "test": ["2024-01-11", "2024-01-20"], "warmup": -1});
    assert_eq!(plugin::check_value(&schema, &one_date).len(), 2);
}

#[test]
fn unknown_keys_are_errors() {
    let value =
        json!({"train": ["2024-01-01", "2024-01-10"], "test": ["2024-01-11", "2024-01-20"], "warm_up": 1});
    assert!(serde_json::from_value::<SplitSpec>(value).is_err());
}

proptest! {
    #[test]
    fn no_part_holds_a_bar_after_its_end(
        n in 40usize..120,
        gaps in prop::collection::vec(1usize..12, 5),
        warmup in 0usize..6,
        purge in 0usize..6,
    ) {
        // Six ends a <= b < c <= d < e <= f, in days.
        let (a, b) = (gaps[0], gaps[0] + 12);
        let c = b + gaps[1];
        let d = c + 8 + gaps[2];
        let e = d + gaps[3];
        let f = e + gaps[4];
        let s = spec(json!({
            "train": [day(a), day(b)], "valid": [day(c), day(d)], "test": [day(e), day(f)],
            "warmup": warmup, "purge": purge,
        }));
        let Ok(parts) = s.apply(&daily(n)) else { return Ok(()) };
        let valid = parts.valid.unwrap();
        for (part, from, to) in [(&parts.train, a, b), (&valid, c, d), (&parts.test, e, f)] {
            prop_assert_eq!(part.first, warmup);
            prop_assert!(part.n_bars() >= 2);
            prop_assert!(part.dates().iter().all(|x| (day(from)..=day(to)).contains(x)));
            prop_assert!(part.series.dates().iter().all(|x| *x <= day(to)));
        }
        for (earlier, later) in [(&parts.train, &valid), (&valid, &parts.test)] {
            // One bar per day, so bars between the parts are days between them.
            let between = (later.first_date() - earlier.last_date()).num_days() - 1;
            prop_assert!(between >= purge as i64);
        }
    }
}
