//! Falls by hand.

use super::{drawdowns, max_drawdown, wealth};

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
