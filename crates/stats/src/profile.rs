//! [`Profile`]: which share of runs does better than each threshold.

use crate::{Bootstrap, Interval, Runs};

/// Performance profile (Agarwal et al. 2021, run-score distribution): share of runs whose score is above each threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The thresholds, as given.
    pub thresholds: Vec<f64>,
    /// Share above each, from 0 to 1: mean over tasks of `count(score > threshold) / seeds`.
    pub shares: Vec<f64>,
    /// Band of each share, for every threshold by itself; absent when a task has fewer than 3 seeds.
    pub bands: Option<Vec<Interval>>,
}

impl Runs {
    /// The profile at `thresholds`, with percentile bands of the stratified bootstrap; absent without tasks or with a
    /// task without scores.
    ///
    /// # Panics
    /// When `level` is not between 0 and 1.
    pub fn profile(&self, thresholds: &[f64], level: f64, bootstrap: &Bootstrap) -> Option<Profile> {
        let above = |counts: &[u32]| -> Vec<f64> {
            let share = |t: &f64| self.mean_of(counts, |score| f64::from(u8::from(score > *t)));
            thresholds.iter().map(share).collect()
        };
        if self.least_seeds() == 0 {
            return None;
        }
        Some(Profile {
            thresholds: thresholds.to_vec(),
            shares: above(&self.each_once()),
            bands: self.bootstrap(thresholds.len(), level, bootstrap, above),
        })
    }
}

#[cfg(test)]
mod tests;
