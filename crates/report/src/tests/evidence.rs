//! What is said of controls.

use stats::{Seed, SeedScores};

use crate::evidence::of_control;

fn seeds(values: &[f64]) -> SeedScores {
    SeedScores::new(values.iter().enumerate().map(|(i, v)| (Seed(i as u64), Some(*v))))
}

#[test]
fn a_control_that_does_worse_speaks_of_timing_only_where_the_arm_has_any() {
    let told = |arm: &[f64], control: &[f64]| of_control("shuffled-news", &seeds(arm), &seeds(control));
    let timing = [0.10, 0.11, 0.12, 0.13];
    let none = [-0.02, -0.01, 0.01, 0.02];
    let negative = [-0.13, -0.12, -0.11, -0.10];
    let needs = "the timing needs what the control takes away.";
    assert!(told(&timing, &none).ends_with(needs), "{}", told(&timing, &none));
    let part = "a part of the timing needs what the control takes away, a part does not.";
    assert!(told(&timing, &[0.05, 0.06, 0.05, 0.06]).ends_with(part));
    // The arm's own interval holds 0: there is no timing that could need anything.
    let nothing = "the control does worse, but the arm itself shows no timing.";
    assert!(told(&none, &negative).ends_with(nothing), "{}", told(&none, &negative));
    assert!(told(&none, &none).ends_with("it is not shown that what the control takes away matters."));
    assert!(told(&[0.1, 0.2], &[0.0, 0.0]).ends_with("fewer than 3 seeds allow no conclusion."));
}
