//! Scores of one arm, one per seed, and the interval of their mean.

use std::collections::{BTreeMap, BTreeSet};

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::error::finite;
use crate::interval::check_level;
use crate::{Aggregate, Bootstrap, Interval, Moments, Runs, quantile};

/// Settings of [`SeedScores::interval`], which a report asks for thousands of times.
const BOOTSTRAP: Bootstrap = Bootstrap { resamples: 2_000, key: 0x666c_6167_6c61_6221 };

/// Name of one training. What an arm is trained with again, and nothing else, is a replication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seed(pub u64);

/// One score per seed of one arm: the sample that says how an arm does. Days and episodes have no [`Seed`], so they are
/// never taken for one.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedScores {
    /// Ascending, with the seed of each.
    scores: Vec<f64>,
    seeds: Vec<Seed>,
    undefined: BTreeSet<Seed>,
}

impl SeedScores {
    /// Seeds that an interval needs.
    pub const LEAST_FOR_INTERVAL: usize = 3;

    /// One entry per finished seed, in any order; `None` (or a number that is not finite) where the score is undefined
    /// for that seed. A seed that comes again is the same seed: its last score counts.
    pub fn new(per_seed: impl IntoIterator<Item = (Seed, Option<f64>)>) -> Self {
        let per_seed: BTreeMap<Seed, Option<f64>> = per_seed.into_iter().collect();
        let (mut scored, mut undefined) = (Vec::new(), BTreeSet::new());
        for (seed, score) in per_seed {
            match score.filter(|s| s.is_finite()) {
                Some(score) => scored.push((score, seed)),
                None => drop(undefined.insert(seed)),
            }
        }
        // The mean of a float sum depends on the order, and the order of seeds means nothing.
        scored.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (scores, seeds) = scored.into_iter().unzip();
        Self { scores, seeds, undefined }
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
        self.undefined.len()
    }

    /// The scores in ascending order.
    pub fn sorted(&self) -> &[f64] {
        &self.scores
    }

    /// Each seed with its score, in ascending order of scores.
    pub fn iter(&self) -> impl Iterator<Item = (Seed, f64)> + '_ {
        self.seeds.iter().copied().zip(self.scores.iter().copied())
    }

    /// Mean over seeds.
    pub fn mean(&self) -> Option<f64> {
        Moments::of(&self.scores).map(|m| m.mean)
    }

    /// Median over seeds.
    pub fn median(&self) -> Option<f64> {
        (!self.is_empty()).then(|| quantile(&self.scores, 0.5))
    }

    /// Sample standard deviation over seeds; absent for fewer than two.
    pub fn sd(&self) -> Option<f64> {
        Moments::of(&self.scores).and_then(|m| m.sd)
    }

    /// This score less the other's, seed by seed, over the seeds that both have: the comparison of arms whose seeds share
    /// the data. Undefined where one of both is.
    pub fn differences(&self, other: &Self) -> Self {
        let others: BTreeMap<Seed, f64> = other.iter().collect();
        let both = self.iter().filter_map(|(seed, score)| Some((seed, Some(score - others.get(&seed)?))));
        let mut differences = Self::new(both);
        let has = |scores: &Self, seed: &Seed| scores.undefined.contains(seed) || scores.seeds.contains(seed);
        differences.undefined = self
            .undefined
            .iter()
            .filter(|seed| has(other, seed))
            .chain(other.undefined.iter().filter(|seed| has(self, seed)))
            .copied()
            .collect();
        differences
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
        check_level(level);
        let runs = Runs::new([self.clone()]);
        let Interval { low, high, .. } = runs.interval(Aggregate::Mean, level, &BOOTSTRAP)?;
        let point = self.mean()?;
        // Equal scores: the means differ from the point by rounding only.
        Some(Interval { low: low.min(point), point, high: high.max(point) })
    }

    /// p-value of the one-sided t test that the mean over seeds is above `value` (Student 1908): small speaks for
    /// above. Absent for fewer than 3 seeds and without spread.
    pub fn t_test_above(&self, value: f64) -> Option<f64> {
        let moments = Moments::of(&self.scores).filter(|m| m.n >= Self::LEAST_FOR_INTERVAL)?;
        let freedom = (moments.n - 1) as f64;
        let t = (moments.mean - value) / (moments.spread()? / (moments.n as f64).sqrt());
        finite(StudentsT::new(0.0, 1.0, freedom).ok()?.cdf(-t))
    }
}

#[cfg(test)]
mod tests;
