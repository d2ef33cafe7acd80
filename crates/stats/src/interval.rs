//! [`Interval`], and the percentile interval of a bootstrap.

use serde::{Deserialize, Serialize};

use crate::error::finite;
use crate::quantile;

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

impl Interval {
    /// The quantiles `(1 - level) / 2` and `(1 + level) / 2` of the resampled statistic, with its value on the sample
    /// itself as the point, which can lie outside for a skewed statistic. `None` when one does not fit a float.
    ///
    /// Percentile method, Efron and Tibshirani 1993, chapter 13; quantiles of type 7.
    pub(crate) fn percentile(point: f64, mut resampled: Vec<f64>, level: f64) -> Option<Self> {
        resampled.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - level) / 2.0;
        let ends = [tail, 1.0 - tail].map(|p| quantile(&resampled, p));
        Some(Self { low: finite(ends[0])?, point: finite(point)?, high: finite(ends[1])? })
    }

    /// Whether the range holds `value`, ends included.
    pub fn covers(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// Checks a level, a mistake of the caller where it is wrong.
pub(crate) fn check_level(level: f64) {
    assert!(level > 0.0 && level < 1.0, "a level is between 0 and 1, found {level}");
}
