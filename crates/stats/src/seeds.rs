//! Scores of one arm, one per seed, and the interval of their mean.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::{Moments, quantile};

/// Resamples of a bootstrap.
const RESAMPLES: usize = 2_000;

/// Key of the bootstrap's random stream. Fixed: an interval is a function of its scores.
const STREAM: u64 = 0x666c_6167_6c61_6221;

/// One score per seed of one arm: the sample that says how an arm does. A type of its own, so that the days of one run
/// are never taken for seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedScores {
    scores: Vec<f64>,
    missing: usize,
}

/// A range around a point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Estimate.
    pub point: f64,
    /// Upper end.
    pub high: f64,
}

impl SeedScores {
    /// Seeds that an interval needs.
    pub const LEAST_FOR_INTERVAL: usize = 3;

    /// One entry per finished seed, in any order; `None` (or a number that is not finite) where the score is undefined
    /// for that seed.
    pub fn new(per_seed: impl IntoIterator<Item = Option<f64>>) -> Self {
        let mut scores = Vec::new();
        let mut missing = 0;
        for score in per_seed {
            match score.filter(|s| s.is_finite()) {
                Some(score) => scores.push(score),
                None => missing += 1,
            }
        }
        // The mean of a float sum depends on the order, and the order of seeds means nothing.
        scores.sort_by(f64::total_cmp);
        Self { scores, missing }
    }

    /// Seeds with a score.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether no seed has a score.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// Seeds whose score is undefined.
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// The scores in ascending order.
    pub fn sorted(&self) -> &[f64] {
        &self.scores
    }

    /// Mean over seeds.
    pub fn mean(&self) -> Option<f64> {
        Moments::of(&self.scores).map(|m| m.mean)
    }

    /// Sample standard deviation over seeds; absent for fewer than two.
    pub fn sd(&self) -> Option<f64> {
        Moments::of(&self.scores).and_then(|m| m.sd)
    }

    /// Mean over seeds with the percentile-bootstrap interval of `level` (0.95: the 2.5% and 97.5% quantiles of the
    /// means of 2,000 resamples of the seeds). Absent for fewer than 3 seeds.
    ///
    /// Between 3 and about 10 seeds such an interval is narrower than its level says; it never shows less than what
    /// the seeds show.
    ///
    /// # Panics
    /// When `level` is not between 0 and 1.
    pub fn interval(&self, level: f64) -> Option<Interval> {
        assert!(level > 0.0 && level < 1.0, "a level is between 0 and 1, found {level}");
        let n = self.scores.len();
        if n < Self::LEAST_FOR_INTERVAL {
            return None;
        }
        let mut stream = ChaCha8Rng::seed_from_u64(STREAM);
        let mut resampled_mean =
            || (0..n).map(|_| self.scores[stream.random_range(0..n)]).sum::<f64>() / n as f64;
        let mut means: Vec<f64> = (0..RESAMPLES).map(|_| resampled_mean()).collect();
        means.sort_by(f64::total_cmp);
        let tail = (1.0 - level) / 2.0;
        let point = self.mean()?;
        // Equal scores: the means differ from the point by rounding only.
        let (low, high) = (quantile(&means, tail).min(point), quantile(&means, 1.0 - tail).max(point));
        Some(Interval { low, point, high })
    }
}

#[cfg(test)]
mod tests;
