//! The example of the paper, a simulation, and units.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF, Normal};

use super::expected_maximum_sharpe;
use crate::samples::record;

/// The numerical example of Bailey and Lopez de Prado 2014: the best of `n_trials` has an annual ratio of 2.5 over 1,250
/// days, skew -3 and kurtosis 10; the annual ratios of the trials have a variance of 1/2, with 250 days a year.
fn example(n_trials: usize) -> super::DeflatedSharpe {
    let best = record(1_250, 2.5 / 250.0_f64.sqrt(), -3.0, 10.0);
    let half = (0.5_f64 / 2.0).sqrt() / 250.0_f64.sqrt();
    // Two ratios, so far apart that their sample variance is that of the example.
    let trials = [record(1_250, half, 0.0, 3.0), record(1_250, -half, 0.0, 3.0)];
    best.deflated(&trials, n_trials).unwrap()
}

#[test]
fn the_paper_deflates_its_example_the_same() {
    let found = example(100);
    assert!((found.expected_maximum - 0.1132).abs() < 5e-5, "{found:?}");
    assert!((found.probability - 0.9004).abs() < 5e-5, "{found:?}");
    // Their other number of trials.
    assert!((example(46).probability - 0.9505).abs() < 5e-5);
}

#[test]
fn annual_ratios_would_say_something_else() {
    // The trap: an annual ratio with the formula of a period. The type takes ratios per period, whatever the year has.
    let annual = record(1_250, 2.5, -3.0, 10.0);
    let trials = [record(1_250, 0.5, 0.0, 3.0), record(1_250, -0.5, 0.0, 3.0)];
    let wrong = annual.deflated(&trials, 100).unwrap();
    assert!((wrong.expected_maximum - 2.5306 * 0.5_f64.sqrt()).abs() < 1e-3);
    assert!((wrong.probability - example(100).probability).abs() > 0.05);
}

#[test]
fn the_maximum_of_many_normals_is_as_large_as_expected() {
    let mut stream = ChaCha8Rng::seed_from_u64(12);
    let mut normal = || Normal::standard().inverse_cdf(stream.random_range(1e-12..1.0));
    for n in [10, 36, 100] {
        let mut most = || (0..n).map(|_| normal()).fold(f64::NEG_INFINITY, f64::max);
        let mean = (0..4_000).map(|_| most()).sum::<f64>() / 4_000.0;
        let expected = expected_maximum_sharpe(1.0, n).unwrap();
        // The formula is an approximation for large n: 2.3% above for 10.
        assert!((mean / expected - 1.0).abs() < 0.035, "{n}: {mean} {expected}");
    }
}

#[test]
fn more_trials_deflate_more_and_one_not_at_all() {
    let probabilities: Vec<f64> = [2, 3, 10, 36, 1_000].map(example).iter().map(|d| d.probability).collect();
    assert!(probabilities.iter().rev().is_sorted(), "{probabilities:?}");
    let alone = record(250, 0.1, 0.0, 3.0);
    let one = alone.deflated(&[alone], 1).unwrap();
    assert_eq!((one.expected_maximum, Some(one.probability)), (0.0, alone.probabilistic(0.0)));
    assert_eq!((expected_maximum_sharpe(1.0, 0), expected_maximum_sharpe(1.0, 1)), (None, Some(0.0)));
}

#[test]
fn trials_are_never_fewer_than_those_that_are_known() {
    let trials = [0.01, 0.02, 0.05].map(|ratio| record(250, ratio, 0.0, 3.0));
    assert_eq!(trials[2].deflated(&trials, 1).unwrap().n_trials, 3);
    assert_eq!(trials[2].deflated(&trials, 0), trials[2].deflated(&trials, 3));
    // Other trials were started, but their spread is not known.
    assert_eq!(trials[2].deflated(&trials[2..], 5), None);
}
