//! Profiles by hand.

use crate::{Bootstrap, Runs, Seed, SeedScores};

const FEW: Bootstrap = Bootstrap { resamples: 300, key: 3 };

fn runs(tasks: &[&[f64]]) -> Runs {
    let task = |scores: &&[f64]| SeedScores::new((0..).map(Seed).zip(scores.iter().map(|s| Some(*s))));
    Runs::new(tasks.iter().map(task))
}

#[test]
fn shares_are_of_scores_above_the_threshold() {
    let found =
        runs(&[&[0.0, 1.0, 2.0, 3.0], &[1.0, 1.0, 1.0]]).profile(&[-1.0, 0.0, 1.0, 2.5, 3.0], 0.9, &FEW);
    let found = found.unwrap();
    assert_eq!(found.shares, [1.0, (0.75 + 1.0) / 2.0, 0.25, 0.125, 0.0]);
    let bands = found.bands.unwrap();
    assert_eq!((bands[0].low, bands[0].high), (1.0, 1.0), "every run is above");
    assert!(bands[2].low < 0.25 && bands[2].high > 0.25);
    assert!(bands.iter().all(|b| 0.0 <= b.low && b.high <= 1.0));
}

#[test]
fn few_seeds_have_a_profile_and_no_band() {
    let found = runs(&[&[0.0, 1.0]]).profile(&[0.5], 0.9, &FEW).unwrap();
    assert_eq!((found.shares, found.bands), (vec![0.5], None));
    assert_eq!(runs(&[&[]]).profile(&[0.5], 0.9, &FEW), None);
    assert_eq!(runs(&[]).profile(&[0.5], 0.9, &FEW), None);
}
