//! Shapes.

use super::Panel;
use crate::StatsError;

#[test]
fn arms_stand_beside_each_other() {
    let panel = Panel::new(&[vec![0.1, 0.2, 0.3], vec![1.0, 2.0, 3.0]]).unwrap();
    assert_eq!((panel.n_periods(), panel.n_arms()), (3, 2));
    assert_eq!(panel.period(1), [0.2, 2.0]);
    assert_eq!(panel.arm(1), [1.0, 2.0, 3.0]);
    let excess = panel.excess_over(&[0.5, 1.0, 1.5]).unwrap();
    assert_eq!(excess.arm(1), [0.5, 1.0, 1.5]);
    assert_eq!((excess.n_periods(), excess.n_arms()), (3, 2));
}

#[test]
fn wrong_shapes_are_errors() {
    let none: [Vec<f64>; 0] = [];
    assert_eq!(Panel::new(&none), Err(StatsError::Empty));
    assert_eq!(Panel::new(&[vec![]]), Err(StatsError::Empty));
    let lengths = Err(StatsError::Lengths { found: 1, expected: 2 });
    assert_eq!(Panel::new(&[vec![0.1, 0.2], vec![0.1]]), lengths);
    assert_eq!(Panel::new(&[vec![0.1, 0.2]]).unwrap().excess_over(&[0.1]), lengths);
    assert!(Panel::new(&[vec![0.1, f64::NAN]]).is_err());
    assert!(Panel::new(&[vec![0.1]]).unwrap().excess_over(&[f64::NAN]).is_err());
}
