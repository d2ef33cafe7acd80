//! What tests of several modules are about.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{Moments, Runs, Seed, SeedScores, SharpeRatio};

/// Scores by task; seeds are counted from 0.
pub fn runs(tasks: &[&[f64]]) -> Runs {
    let task = |scores: &&[f64]| SeedScores::new((0..).map(Seed).zip(scores.iter().map(|s| Some(*s))));
    Runs::new(tasks.iter().map(task))
}

/// Returns of arms without skill, between -1% and 1%.
pub fn noise(n_periods: usize, n_arms: usize, key: u64) -> Vec<Vec<f64>> {
    let mut stream = ChaCha8Rng::seed_from_u64(key);
    let mut arm = || -> Vec<f64> { (0..n_periods).map(|_| stream.random_range(-0.01..0.01)).collect() };
    (0..n_arms).map(|_| arm()).collect()
}

/// A track record with these numbers per period.
pub fn record(n: usize, ratio: f64, skew: f64, kurtosis: f64) -> SharpeRatio {
    let moments = Moments { n, mean: ratio, sd: Some(1.0), skew: Some(skew), kurtosis: Some(kurtosis - 3.0) };
    SharpeRatio::of(&moments).expect("a finite ratio")
}
