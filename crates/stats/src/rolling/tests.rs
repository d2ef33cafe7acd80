//! Windows by hand.

use super::rolling_sharpe;
use crate::TearSheet;

#[test]
fn each_window_is_a_tear_sheet_of_its_own() {
    let returns = [0.01, -0.02, 0.03, 0.005, 0.005, 0.005];
    let found = rolling_sharpe(&returns, 3, 252.0);
    assert_eq!(found.len(), 6);
    assert_eq!(found[..2], [None, None]);
    for end in 2..5 {
        let sheet = TearSheet::new(&returns[end - 2..=end], 252.0).unwrap();
        assert_eq!(found[end], sheet.sharpe);
    }
    // Three equal returns have no spread.
    assert_eq!(found[5], None);
}

#[test]
fn a_window_that_never_fills_is_never_there() {
    assert_eq!(rolling_sharpe(&[0.1, 0.2], 3, 252.0), [None, None]);
    assert_eq!(rolling_sharpe(&[0.1, 0.2], 0, 252.0), [None, None]);
    assert_eq!(rolling_sharpe(&[], 3, 252.0), []);
}
