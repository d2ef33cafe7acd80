//! Months by hand.

use super::MonthlyTable;
use crate::StatsError;

#[test]
fn returns_compound_within_their_month_and_year() {
    let dates = [(2023, 12), (2024, 1), (2024, 1), (2024, 3)];
    let table = MonthlyTable::new(&dates, &[-0.5, 0.5, 1.0, -0.5]).unwrap();
    let [first, second] = &table.years[..] else { panic!("{table:?}") };
    assert_eq!((first.year, first.months[11], first.total), (2023, Some(-0.5), Some(-0.5)));
    assert_eq!(first.months.iter().flatten().count(), 1);
    // 1.5 * 2 - 1 in January, no return in February.
    assert_eq!(second.months[..3], [Some(2.0), None, Some(-0.5)]);
    assert_eq!(second.total, Some(0.5));
}

#[test]
fn a_year_without_returns_has_no_row() {
    let table = MonthlyTable::new(&[(2020, 5), (2022, 5)], &[0.1, 0.2]).unwrap();
    assert_eq!(table.years.iter().map(|y| y.year).collect::<Vec<_>>(), [2020, 2022]);
    assert_eq!(MonthlyTable::new(&[], &[]).unwrap().years, []);
}

#[test]
fn wrong_dates_are_errors() {
    let month = |year, month| Err(StatsError::Month { year, month });
    assert_eq!(MonthlyTable::new(&[(2020, 13)], &[0.1]), month(2020, 13));
    assert_eq!(MonthlyTable::new(&[(2020, 0)], &[0.1]), month(2020, 0));
    assert_eq!(MonthlyTable::new(&[(2020, 2), (2020, 1)], &[0.1, 0.1]), month(2020, 1));
    assert_eq!(MonthlyTable::new(&[(2020, 2)], &[]), Err(StatsError::Lengths { found: 1, expected: 0 }));
    assert!(MonthlyTable::new(&[(2020, 2)], &[f64::NAN]).is_err());
}
