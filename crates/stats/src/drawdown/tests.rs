//! Falls by hand.

use proptest::prelude::*;

use super::{Drawdown, drawdowns, max_drawdown, wealth};

#[test]
fn falls_are_measured_from_the_peak_so_far() {
    // 1 -> 2 -> 1 (half of 2) -> 4 -> 3 (a quarter of 4).
    let path = wealth(&[1.0, -0.5, 3.0, -0.25]);
    assert_eq!(path, [1.0, 2.0, 1.0, 4.0, 3.0]);
    assert_eq!(drawdowns(&path), [0.0, 0.0, 0.5, 0.0, 0.25]);
    assert_eq!(max_drawdown(&path), 0.5);
}

#[test]
fn the_start_is_a_peak() {
    assert_eq!(max_drawdown(&wealth(&[-0.25, 0.1])), 0.25);
    assert_eq!(max_drawdown(&wealth(&[0.1, 0.2])), 0.0);
    assert_eq!(max_drawdown(&wealth(&[-1.0, 0.5])), 1.0);
    assert_eq!(max_drawdown(&wealth(&[])), 0.0);
}

#[test]
fn a_fall_lasts_from_its_peak_to_its_recovery() {
    // 1, 2, 1, 1.5, 2, 3, 2.7, 2.9
    let path = [1.0, 2.0, 1.0, 1.5, 2.0, 3.0, 2.7, 2.9];
    let falls = Drawdown::all(&path);
    assert_eq!(falls.len(), 2);
    assert_eq!(falls[0], Drawdown { peak: 1, trough: 2, recovery: Some(4), depth: 0.5, periods: 3 });
    let last = falls[1];
    assert_eq!((last.peak, last.trough, last.recovery, last.periods), (5, 6, None, 2));
    assert_eq!(Drawdown::deepest(&path), Some(falls[0]));
    assert_eq!(Drawdown::longest(&path), Some(falls[0]));
    assert_eq!(Drawdown::all(&[1.0, 1.0, 2.0]), []);
    assert_eq!(Drawdown::deepest(&[1.0]), None);
}

#[test]
fn the_last_entry_at_a_peak_and_the_first_at_a_trough_count() {
    let fall = Drawdown::deepest(&[1.0, 2.0, 2.0, 1.0, 1.0, 1.9]).unwrap();
    assert_eq!((fall.peak, fall.trough, fall.recovery, fall.periods), (2, 3, None, 3));
}

proptest! {
    #[test]
    fn falls_cover_exactly_the_time_under_water(returns in prop::collection::vec(-0.2..0.2, 0..60)) {
        let path = wealth(&returns);
        let falls = Drawdown::all(&path);
        let depth = Drawdown::deepest(&path).map_or(0.0, |fall| fall.depth);
        prop_assert_eq!(depth, max_drawdown(&path));
        let under = drawdowns(&path).iter().filter(|fall| **fall > 0.0).count();
        let covered = falls.iter().map(|fall| fall.periods - usize::from(fall.recovery.is_some())).sum::<usize>();
        prop_assert_eq!(covered, under);
        for fall in falls {
            prop_assert!(fall.peak < fall.trough && fall.recovery.is_none_or(|end| fall.trough < end));
            prop_assert!((1.0 - path[fall.trough] / path[fall.peak] - fall.depth).abs() < 1e-15);
        }
    }
}
