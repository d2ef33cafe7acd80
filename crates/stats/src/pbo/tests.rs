//! Searches whose answer is known.

use super::Pbo;
use crate::samples::noise;
use crate::{Moments, Panel, StatsError};

#[test]
fn an_arm_that_is_always_best_is_not_overfitted() {
    let mut arms = noise(64, 5, 1);
    arms[3].iter_mut().for_each(|r| *r += 0.02);
    let found = Pbo::new(&Panel::new(&arms).unwrap(), 8).unwrap();
    assert_eq!((found.probability, found.probability_of_loss), (0.0, 0.0));
    assert_eq!(found.logits.len(), 70, "8 over 4");
    // Rank 5 of 5: w = 5/6.
    assert!(found.logits.iter().all(|l| (l - 5.0_f64.ln()).abs() < 1e-12));
}

#[test]
fn what_is_good_in_one_half_only_is_overfitted() {
    let early: Vec<f64> = (0..20)
        .map(|t| if t < 10 { 0.01 + f64::from(t % 3) / 1e3 } else { -0.01 - f64::from(t % 2) / 1e3 })
        .collect();
    let late: Vec<f64> = early.iter().rev().copied().collect();
    let found = Pbo::new(&Panel::new(&[early, late]).unwrap(), 2).unwrap();
    assert_eq!((found.probability, found.probability_of_loss), (1.0, 1.0));
    // The worse of two: w = 1/3.
    assert!(found.logits.iter().all(|l| (l - 0.5_f64.ln()).abs() < 1e-12));
}

#[test]
fn the_choice_among_noise_is_a_coin() {
    let of = |key| Pbo::new(&Panel::new(&noise(120, 20, key)).unwrap(), 8).unwrap().probability;
    let found: Vec<f64> = (0..60).map(of).collect();
    // Halves are independent: the best of one has any rank in the other. Single searches scatter widely.
    let moments = Moments::of(&found).unwrap();
    let error = moments.sd.unwrap() / 60.0_f64.sqrt();
    assert!((moments.mean - 0.5).abs() < 4.0 * error && error < 0.04, "{} +- {error}", moments.mean);
}

#[test]
fn equal_arms_stand_in_the_middle() {
    let arm = noise(40, 1, 4).remove(0);
    let found = Pbo::new(&Panel::new(&[arm.clone(), arm.clone(), arm]).unwrap(), 4).unwrap();
    assert!(found.logits.iter().all(|l| *l == 0.0), "the mean rank of three is 2");
    assert_eq!(found.probability, 1.0);
    // Arms that never trade have the ratio 0 and are neither chosen before a gain nor an error.
    let mut arms = vec![vec![0.0; 40]; 3];
    arms.push((0..40).map(|t| 0.001 + f64::from(t % 2) / 1e3).collect());
    assert_eq!(Pbo::new(&Panel::new(&arms).unwrap(), 4).unwrap().probability, 0.0);
}

#[test]
fn returns_far_from_zero_lose_no_digits() {
    let arms = noise(48, 4, 6);
    let ranked = |arms: &[Vec<f64>]| Pbo::new(&Panel::new(arms).unwrap(), 6).unwrap();
    let doubled: Vec<Vec<f64>> = arms.iter().map(|arm| arm.iter().map(|r| r * 1_024.0).collect()).collect();
    assert_eq!(ranked(&arms), ranked(&doubled));
}

#[test]
fn wrong_settings_are_errors() {
    let panel = Panel::new(&noise(30, 3, 0)).unwrap();
    for blocks in [0, 1, 3, 26] {
        let error = Pbo::new(&panel, blocks).unwrap_err().to_string();
        assert!(error.contains("an even number from 2 to 24"), "{error}");
    }
    let few = StatsError::TooFew { what: "periods", found: 30, least: 32 };
    assert_eq!(few.to_string(), "found 30 periods, expected at least 32");
    assert_eq!(Pbo::new(&panel, 16), Err(few));
    let one = Panel::new(&noise(30, 1, 0)).unwrap();
    assert_eq!(Pbo::new(&one, 4), Err(StatsError::TooFew { what: "arms", found: 1, least: 2 }));
}
