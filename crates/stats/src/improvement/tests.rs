//! Probabilities by hand, and their symmetry.

use proptest::prelude::*;

use crate::{Bootstrap, Runs, Seed, SeedScores};

const FEW: Bootstrap = Bootstrap { resamples: 300, key: 3 };

fn runs(tasks: &[&[f64]]) -> Runs {
    let task = |scores: &&[f64]| SeedScores::new((0..).map(Seed).zip(scores.iter().map(|s| Some(*s))));
    Runs::new(tasks.iter().map(task))
}

#[test]
fn ties_count_half() {
    let (own, other) = (runs(&[&[1.0, 2.0, 3.0]]), runs(&[&[2.0, 2.0, 0.0]]));
    // 1 beats one of three; 2 beats one and ties two; 3 beats all: (1 + 2 + 3) / 9.
    assert_eq!(own.probability_of_improvement(&other), Some(6.0 / 9.0));
    // Over two tasks the mean: the second is lost.
    let (own, other) = (runs(&[&[1.0, 2.0, 3.0], &[0.0]]), runs(&[&[2.0, 2.0, 0.0], &[1.0]]));
    assert_eq!(own.probability_of_improvement(&other), Some(3.0 / 9.0));
}

#[test]
fn a_baseline_of_one_score_has_an_interval_over_the_seeds_of_the_arm() {
    let own = runs(&[&[0.0, 1.0, 2.0, 3.0]]);
    let found = own.improvement_over_fixed(&[0.5], 0.9, &FEW).unwrap();
    assert_eq!(found.point, 0.75);
    assert!(found.low < 0.75 && found.high == 1.0, "{found:?}");
    assert_eq!(own.improvement_interval(&runs(&[&[0.5]]), 0.9, &FEW), None, "one seed is no sample");
    let sure = own.improvement_over_fixed(&[-1.0], 0.9, &FEW).unwrap();
    assert_eq!((sure.low, sure.point, sure.high), (1.0, 1.0, 1.0));
}

#[test]
fn fewer_than_three_seeds_or_other_tasks_have_none() {
    let (two, three) = (runs(&[&[1.0, 2.0]]), runs(&[&[1.0, 2.0, 3.0]]));
    assert_eq!(two.improvement_interval(&three, 0.9, &FEW), None);
    assert_eq!(three.improvement_interval(&two, 0.9, &FEW), None);
    assert_eq!(two.improvement_over_fixed(&[0.0], 0.9, &FEW), None);
    assert!(three.improvement_interval(&three, 0.9, &FEW).is_some());
    assert_eq!(three.probability_of_improvement(&runs(&[&[1.0], &[1.0]])), None);
    assert_eq!(three.improvement_over_fixed(&[], 0.9, &FEW), None);
    assert_eq!(runs(&[]).probability_of_improvement(&runs(&[])), None);
}

proptest! {
    #[test]
    fn what_one_gains_the_other_loses(
        a in prop::collection::vec(0..6_i32, 1..9), b in prop::collection::vec(0..6_i32, 1..9),
    ) {
        let scores = |x: &[i32]| x.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
        let (a, b) = (scores(&a), scores(&b));
        let (one, two) = (runs(&[&a]), runs(&[&b]));
        let (p, q) = (one.probability_of_improvement(&two).unwrap(), two.probability_of_improvement(&one).unwrap());
        prop_assert!((p + q - 1.0).abs() < 1e-12);
        let pairs = a.iter().flat_map(|x| b.iter().map(move |y| f64::from(u8::from(x > y)) + 0.5 * f64::from(u8::from(x == y))));
        prop_assert!((p - pairs.sum::<f64>() / (a.len() * b.len()) as f64).abs() < 1e-12);
    }
}
