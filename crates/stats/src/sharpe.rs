//! [`SharpeRatio`]: what one track record says about its Sharpe ratio.

use crate::Moments;
use crate::error::finite;
use crate::normal::{normal_cdf, normal_quantile};

/// Sharpe ratio of one track record **per period**, with what its error depends on.
///
/// A type of its own, so that an annual ratio is never taken for one per period: formulas of the error, of the
/// probabilistic and of the deflated ratio hold per period only.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SharpeRatio {
    n: usize,
    ratio: f64,
    skew: f64,
    kurtosis: f64,
}

impl SharpeRatio {
    /// Of one return per period, risk-free rate 0; `None` without spread, for fewer than two returns, and where a number
    /// does not fit a float.
    pub fn new(returns: &[f64]) -> Option<Self> {
        Self::of(&Moments::of(returns)?)
    }

    /// From moments of returns.
    pub fn of(moments: &Moments) -> Option<Self> {
        Some(Self {
            n: moments.n,
            ratio: finite(moments.mean / moments.spread()?)?,
            skew: moments.skew?,
            kurtosis: moments.kurtosis?,
        })
    }

    /// Returns it is of.
    pub fn n(&self) -> usize {
        self.n
    }

    /// `SR = mean / sd` per period.
    pub fn per_period(&self) -> f64 {
        self.ratio
    }

    /// `SR * sqrt(P)`, with `P` periods per year.
    pub fn annual(&self, periods_per_year: f64) -> f64 {
        self.ratio * periods_per_year.sqrt()
    }

    /// `1 - g3 SR + (g4 - 1) / 4 SR^2` with `g3` the skew and `g4` the kurtosis, 3 for the normal distribution:
    /// `n - 1` times the variance of the estimate.
    fn variance(&self) -> f64 {
        // At least 0 because kurtosis >= skew^2 - 2 for any sample; a rounding below it is the limit 0.
        (1.0 - self.skew * self.ratio + (self.kurtosis + 2.0) / 4.0 * self.ratio * self.ratio).max(0.0)
    }

    /// Standard error per period for returns that are independent but not normal,
    /// `sqrt((1 - g3 SR + (g4 - 1) / 4 SR^2) / (n - 1))`: Mertens 2002, in the form of Bailey and Lopez de Prado 2012. For normal returns it is that of Lo 2002, `sqrt((1 + SR^2 / 2) / n)`, with `n - 1` instead of `n`. Times `sqrt(P)` it is the
    /// error of the annual ratio.
    pub fn standard_error(&self) -> f64 {
        (self.variance() / (self.n - 1) as f64).sqrt()
    }

    /// Probabilistic Sharpe ratio, `Phi((SR - SR*) / standard_error)` (Bailey and Lopez de Prado 2012): how
    /// sure the true ratio is above `benchmark`, the ratio `SR*` per period. Absent when nothing is left to divide by.
    pub fn probabilistic(&self, benchmark: f64) -> Option<f64> {
        let z = (self.ratio - benchmark) * ((self.n - 1) as f64).sqrt() / self.variance().sqrt();
        finite(normal_cdf(z))
    }

    /// Minimum track-record length in periods for [`probabilistic`](Self::probabilistic) to reach `confidence`,
    /// `1 + (1 - g3 SR + (g4 - 1) / 4 SR^2) (z / (SR - SR*))^2` with the normal quantile `z` (Bailey and Lopez de Prado
    /// 2012). Absent when the ratio is not above `benchmark`: no length is enough then.
    ///
    /// # Panics
    /// When `confidence` is not between 0.5 and 1.
    pub fn minimum_track_record(&self, benchmark: f64, confidence: f64) -> Option<f64> {
        assert!((0.5..1.0).contains(&confidence), "a confidence is from 0.5 to 1, found {confidence}");
        let z = normal_quantile(confidence);
        let above = Some(self.ratio - benchmark).filter(|above| *above > 0.0)?;
        finite(1.0 + self.variance() * (z / above).powi(2))
    }
}

#[cfg(test)]
mod tests;
