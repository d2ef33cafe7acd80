//! Holdings by hand.

use super::{exposure, holding_time};

#[test]
fn a_turn_from_long_to_short_is_a_new_holding() {
    let positions = [0.0, 1.0, 2.0, -1.0, -1.0, -1.0, 0.0, 0.5];
    assert_eq!(exposure(&positions), Some(6.0 / 8.0));
    // Long for 2, short for 3, long for 1.
    assert_eq!(holding_time(&positions), Some(2.0));
}

#[test]
fn without_a_position_nothing_is_held() {
    assert_eq!((exposure(&[0.0, -0.0]), holding_time(&[0.0, -0.0])), (Some(0.0), None));
    assert_eq!((exposure(&[]), holding_time(&[])), (None, None));
    assert_eq!((exposure(&[-1.0; 5]), holding_time(&[-1.0; 5])), (Some(1.0), Some(5.0)));
}
