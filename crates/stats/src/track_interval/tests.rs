//! Whose interval covers what how often, and when there is none.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::track_interval;
use crate::{Bootstrap, Moments, SharpeRatio, StatsError};

fn mean(returns: &[f64]) -> Option<f64> {
    Moments::of(returns).map(|m| m.mean)
}

const FEW: Bootstrap = Bootstrap { resamples: 400, key: 1 };

#[test]
fn blocks_cover_the_mean_of_dependent_returns() {
    // Records with memory 0.7 around a mean of 0: blocks of 20 see most of it, single days nothing.
    let mut stream = ChaCha8Rng::seed_from_u64(6);
    let mut record = || -> Vec<f64> {
        let mut last = 0.0;
        let mut next = || {
            last = 0.7 * last + stream.random_range(-1.0..1.0);
            last
        };
        (0..400).map(|_| next()).collect()
    };
    let (mut with_blocks, mut by_days) = (0, 0);
    for _ in 0..200 {
        let returns = record();
        let covers = |block| track_interval(&returns, mean, block, 0.9, &FEW).unwrap().unwrap().covers(0.0);
        with_blocks += usize::from(covers(20.0));
        by_days += usize::from(covers(1.0));
    }
    assert!((160..=196).contains(&with_blocks), "{with_blocks} of 200");
    assert!(by_days < 140, "{by_days} of 200");
}

#[test]
fn equal_input_gives_equal_intervals_in_any_number_of_threads() {
    let returns: Vec<f64> = (0..100).map(|t| f64::from(t * t % 37) / 1_000.0).collect();
    let interval = || track_interval(&returns, mean, 5.0, 0.95, &Bootstrap::default()).unwrap().unwrap();
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    let one = pool(1).install(interval);
    assert_eq!(one, pool(3).install(interval));
    assert!(one.low < one.point && one.point < one.high);
    let other = Bootstrap { key: 2, ..Bootstrap::default() };
    assert_ne!(track_interval(&returns, mean, 5.0, 0.95, &other).unwrap(), Some(one));
}

#[test]
fn a_statistic_that_many_resamples_lack_has_none() {
    let ratio = |returns: &[f64]| SharpeRatio::new(returns).map(|r| r.per_period());
    // One trade in 40 days: every third resample misses it and has no spread.
    let mut one_trade = vec![0.0; 40];
    one_trade[7] = 0.02;
    assert!(ratio(&one_trade).is_some());
    assert_eq!(track_interval(&one_trade, ratio, 1.0, 0.95, &FEW), Ok(None));
    assert_eq!(track_interval(&[0.1; 20], ratio, 2.0, 0.95, &FEW), Ok(None));
    let flat = track_interval(&[0.1; 20], mean, 2.0, 0.95, &FEW).unwrap().unwrap();
    assert_eq!((flat.low, flat.high), (0.1, 0.1));
}

#[test]
fn wrong_input_is_an_error() {
    assert_eq!(track_interval(&[], mean, 2.0, 0.95, &FEW), Err(StatsError::Empty));
    assert!(track_interval(&[f64::NAN], mean, 2.0, 0.95, &FEW).is_err());
    assert!(track_interval(&[0.1], mean, 0.0, 0.95, &FEW).is_err());
}
