//! [`Panel`]: returns of all arms of a search over the same periods.

use crate::error::all_finite;
use crate::{Moments, StatsError};

/// One return per arm and period, all arms over the same periods. An arm with several seeds is the mean of their returns
/// period by period, a portfolio of equal parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    n_periods: usize,
    n_arms: usize,
    /// Period by period, all arms of each.
    rows: Vec<f64>,
}

impl Panel {
    /// From one series per arm.
    ///
    /// # Errors
    /// Without arms or returns, for series of different lengths, and for a return that is not finite.
    pub fn new<S: AsRef<[f64]>>(arms: &[S]) -> Result<Self, StatsError> {
        let n_periods = arms.first().map_or(0, |arm| arm.as_ref().len());
        if n_periods == 0 {
            return Err(StatsError::Empty);
        }
        for arm in arms.iter().map(AsRef::as_ref) {
            if arm.len() != n_periods {
                return Err(StatsError::Lengths { found: arm.len(), expected: n_periods });
            }
            all_finite(arm)?;
        }
        let period = |t: usize| arms.iter().map(move |arm| arm.as_ref()[t]);
        let rows = (0..n_periods).flat_map(period).collect();
        Ok(Self { n_periods, n_arms: arms.len(), rows })
    }

    /// Less the returns of a benchmark, period by period.
    ///
    /// # Errors
    /// For another number of periods, and for a return that is not finite.
    pub fn excess_over(&self, benchmark: &[f64]) -> Result<Self, StatsError> {
        if benchmark.len() != self.n_periods {
            return Err(StatsError::Lengths { found: benchmark.len(), expected: self.n_periods });
        }
        all_finite(benchmark)?;
        let rows = self.rows.chunks(self.n_arms).zip(benchmark);
        let rows: Vec<f64> = rows.flat_map(|(row, b)| row.iter().map(move |r| r - b)).collect();
        all_finite(&rows)?;
        Ok(Self { rows, ..*self })
    }

    /// Number of periods.
    pub fn n_periods(&self) -> usize {
        self.n_periods
    }

    /// Number of arms.
    pub fn n_arms(&self) -> usize {
        self.n_arms
    }

    /// Returns of one arm.
    ///
    /// # Panics
    /// When there is no such arm.
    pub fn arm(&self, arm: usize) -> Vec<f64> {
        assert!(arm < self.n_arms, "arm {arm} of {}", self.n_arms);
        self.rows.iter().skip(arm).step_by(self.n_arms).copied().collect()
    }

    /// All arms at one period.
    pub(crate) fn period(&self, t: usize) -> &[f64] {
        &self.rows[t * self.n_arms..(t + 1) * self.n_arms]
    }

    /// Moments of each arm.
    pub(crate) fn moments(&self) -> Vec<Moments> {
        let moments = (0..self.n_arms).map(|arm| Moments::of(&self.arm(arm)));
        moments.collect::<Option<_>>().expect("invariant: a panel has periods")
    }
}

#[cfg(test)]
mod tests;
