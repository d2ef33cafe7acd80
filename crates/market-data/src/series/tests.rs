//! Tests of validation, look-back and fingerprint.

use arrow::array::Array;
use chrono::NaiveDate;
use proptest::prelude::*;

use crate::{BarSeries, Columns, SeriesError};

fn day(n: u64) -> NaiveDate {
    // 2024-01-01 is a Monday.
    NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + chrono::Days::new(n)
}

fn four_bars() -> Columns {
    let mut c = Columns::of_closes((0..4).map(day).collect(), vec![10.0, 11.0, 9.0, 12.0]);
    c.open = vec![Some(9.5), None, Some(11.0), Some(9.0)];
    c.news = vec![vec!["a".into(), "b".into()], vec![], vec!["c".into()], vec!["later".into()]];
    c
}

fn series() -> BarSeries {
    BarSeries::from_columns("X", None, four_bars()).unwrap()
}

#[test]
fn a_bar_has_the_numbers_of_its_columns() {
    let s = series();
    assert_eq!(s.len(), 4);
    assert_eq!((s.bar(0).date, s.bar(0).open, s.bar(0).close), (day(0), Some(9.5), 10.0));
    assert_eq!((s.bar(1).date, s.bar(1).open, s.bar(1).close), (day(1), None, 11.0));
    assert_eq!(s.news(0).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(s.news(1).count(), 0);
    assert_eq!(s.columns(0..4), four_bars());
}

#[test]
fn history_ends_at_its_bar() {
    let s = series();
    let h = s.until(2);
    assert_eq!(h.closes(2), [11.0, 9.0]);
    assert_eq!(h.closes(99), [10.0, 11.0, 9.0]);
    assert_eq!(h.dates(1), [day(2)]);
    assert_eq!(h.bar().close, 9.0);
    assert_eq!(h.bar_before(2).unwrap().close, 10.0);
    assert_eq!(h.bar_before(3), None);
    assert_eq!(h.news().collect::<Vec<_>>(), ["c"]);
    assert_eq!(h.recent_news(3).collect::<Vec<_>>(), [(0, "c"), (2, "a"), (2, "b")]);
    assert_eq!(h.recent_news(99).count(), 3);
}

#[test]
fn a_slice_holds_no_other_bar() {
    let part = series().slice(0..3).unwrap();
    assert_eq!(part.closes(), [10.0, 11.0, 9.0]);
    assert_eq!(part.news_count(), 3);
    // A slice that shared Arrow buffers would still hold the text and the price of the bar after it.
    let list = part.batch().column_by_name("news").unwrap().to_data();
    assert_eq!(list.child_data()[0].len(), 3);
    let close = part.batch().column_by_name("close").unwrap().to_data();
    assert_eq!(close.buffers()[0].len(), 3 * 8);
}

#[test]
fn periods_per_year_follow_the_dates_unless_they_are_given() {
    let week = || Columns::of_closes((0..7).map(day).collect(), vec![1.0; 7]);
    assert_eq!(BarSeries::from_columns("X", None, week()).unwrap().periods_per_year(), 365.0);
    let given = BarSeries::from_columns("X", Some(360.0), week()).unwrap();
    assert_eq!(
        given.periods().to_string(),
        "360: as given; the dates alone would give 365: daily bars, 28.6% of them on weekends"
    );
    let part = given.slice(0..5).unwrap();
    assert_eq!(part.periods_per_year(), 360.0, "a part has those of the whole");
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = BarSeries::from_columns("X", Some(bad), week()).unwrap_err();
        assert!(matches!(error, SeriesError::PeriodsPerYear { .. }), "{error}");
    }
}

#[test]
fn bad_bars_are_named() {
    type Spoil = fn(&mut Columns);
    let cases: [(&str, Spoil); 12] = [
        ("date 2024-01-02 twice", |c| c.date[2] = day(1)),
        ("date 2024-01-01 after 2024-01-02, expected ascending dates", |c| c.date[2] = day(0)),
        ("2024-01-03: `close` is 0, expected a finite price > 0", |c| c.close[2] = 0.0),
        ("2024-01-03: `close` is -1,", |c| c.close[2] = -1.0),
        ("2024-01-03: `close` is NaN,", |c| c.close[2] = f64::NAN),
        ("2024-01-03: `open` is inf,", |c| c.open[2] = Some(f64::INFINITY)),
        ("2024-01-03: `volume` is -5, expected a finite number >= 0", |c| c.volume[2] = Some(-5.0)),
        ("2024-01-03: `high` is 8,", |c| {
            c.high[2] = Some(8.0);
            c.low[2] = Some(8.5);
        }),
        ("2024-01-03: `open` is 11, expected a price between `low` (0) and `high` (10)", |c| {
            c.high[2] = Some(10.0);
        }),
        ("2024-01-03: `close` is 9, expected a price between `low` (9.5)", |c| c.low[2] = Some(9.5)),
        ("column `news` has 3 values, expected 4", |c| {
            c.news.pop();
        }),
        ("found 1 bars, expected at least 2", |c| *c = Columns::of_closes(vec![day(0)], vec![1.0])),
    ];
    for (expected, spoil) in cases {
        let mut columns = four_bars();
        spoil(&mut columns);
        let error = BarSeries::from_columns("X", None, columns).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{expected:?}: {error}");
        if error.to_string().contains("2024-01-03:") {
            assert_eq!(error.bar(), Some(2));
        }
    }
}

#[test]
fn rounding_of_a_vendor_is_no_range_error() {
    let mut c = four_bars();
    c.high[0] = Some(9.9999999);
    c.low[0] = Some(9.4);
    BarSeries::from_columns("X", None, c).unwrap();
}

#[test]
fn the_fingerprint_sees_every_column() {
    let base = series().fingerprint();
    assert_eq!(base, series().fingerprint());
    assert_eq!(base.len(), 64);
    assert_ne!(base, BarSeries::from_columns("Y", None, four_bars()).unwrap().fingerprint());
    assert_ne!(base, BarSeries::from_columns("X", Some(250.0), four_bars()).unwrap().fingerprint());
    let changes: [fn(&mut Columns); 9] = [
        |c| c.date[3] = day(4),
        |c| c.open[0] = Some(9.6),
        |c| c.open[0] = None,
        |c| c.high[0] = Some(20.0),
        |c| c.low[0] = Some(1.0),
        |c| c.close[0] = 10.5,
        |c| c.volume[0] = Some(0.0),
        |c| c.news[1] = vec!["c".into()],
        // The same characters cut differently.
        |c| c.news[0] = vec!["ab".into(), "".into()],
    ];
    let mut seen = vec![base];
    for change in changes {
        let mut c = four_bars();
        change(&mut c);
        let print = BarSeries::from_columns("X", None, c).unwrap().fingerprint();
        assert!(!seen.contains(&print));
        seen.push(print);
    }
}

proptest! {
    #[test]
    fn nothing_known_at_t_depends_on_a_later_bar(
        closes in prop::collection::vec(0.01f64..1e6, 3..40),
        t in 0usize..39,
        factor in 0.5f64..2.0,
    ) {
        let t = t % (closes.len() - 1);
        let dates: Vec<_> = (0..closes.len() as u64).map(day).collect();
        let news = |from: usize| -> Vec<Vec<String>> {
            (0..closes.len()).map(|i| vec![if i > from { format!("x{i}") } else { format!("{i}") }]).collect()
        };
        let mut a = Columns::of_closes(dates, closes.clone());
        a.news = news(usize::MAX);
        let mut b = a.clone();
        b.close[t + 1..].iter_mut().for_each(|c| *c *= factor);
        b.news = news(t);
        let (a, b) = (BarSeries::from_columns("X", None, a).unwrap(), BarSeries::from_columns("X", None, b).unwrap());
        let (a, b) = (a.until(t), b.until(t));
        prop_assert_eq!(a.bar(), b.bar());
        prop_assert_eq!(a.closes(usize::MAX), b.closes(usize::MAX));
        prop_assert_eq!(a.recent_news(usize::MAX).collect::<Vec<_>>(), b.recent_news(usize::MAX).collect::<Vec<_>>());
    }
}
