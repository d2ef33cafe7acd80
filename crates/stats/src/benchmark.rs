//! [`AgainstBenchmark`]: a track record beside another one over the same periods.

use serde::{Deserialize, Serialize};

use crate::error::{all_finite, finite, periods};
use crate::{Moments, StatsError};

/// Returns `r` beside those of a benchmark `b`, with `P` periods per year and a risk-free rate of 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AgainstBenchmark {
    /// Jensen's alpha (Jensen 1968), `(mean(r) - beta mean(b)) * P`; absent where beta is.
    pub alpha: Option<f64>,
    /// `cov(r, b) / var(b)`; absent when the benchmark has no spread.
    pub beta: Option<f64>,
    /// `mean(r - b) / sd(r - b) * sqrt(P)` (Grinold and Kahn 2000); absent when `r - b` has no spread.
    pub information_ratio: Option<f64>,
}

impl AgainstBenchmark {
    /// Both series with one return per period, of the same periods.
    ///
    /// # Errors
    /// Without returns, for different lengths, for a return that is not finite, and for periods per year that are not
    /// finite and > 0.
    pub fn new(returns: &[f64], benchmark: &[f64], periods_per_year: f64) -> Result<Self, StatsError> {
        periods(periods_per_year)?;
        if returns.len() != benchmark.len() {
            return Err(StatsError::Lengths { found: benchmark.len(), expected: returns.len() });
        }
        all_finite(returns)?;
        all_finite(benchmark)?;
        let own = Moments::of(returns).ok_or(StatsError::Empty)?;
        let other = Moments::of(benchmark).ok_or(StatsError::Empty)?;
        let pairs = || returns.iter().zip(benchmark);
        let beta = other.spread().and_then(|sd| {
            let products = pairs().map(|(r, b)| (r - own.mean) * (b - other.mean)).sum::<f64>();
            finite(products / (sd * sd * (other.n - 1) as f64))
        });
        let active: Vec<f64> = pairs().map(|(r, b)| r - b).collect();
        let active = Moments::of(&active).ok_or(StatsError::Empty)?;
        Ok(Self {
            alpha: beta.and_then(|beta| finite((own.mean - beta * other.mean) * periods_per_year)),
            beta,
            information_ratio: active
                .spread()
                .and_then(|sd| finite(active.mean / sd * periods_per_year.sqrt())),
        })
    }
}

#[cfg(test)]
mod tests;
