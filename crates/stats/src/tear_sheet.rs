//! [`TearSheet`]: the numbers of one track record.

use serde::{Deserialize, Serialize};

use crate::error::{all_finite, finite, periods};
use crate::{Moments, SharpeRatio, StatsError, max_drawdown, quantile, wealth};

/// A return smaller than this is the rounding of an all-in purchase and neither win nor loss.
const ROUNDING: f64 = 1e-12;

/// Statistics of `n` simple returns with `P` periods per year and a risk-free rate of 0; fractions, not percent.
///
/// `mean = sum(r) / n`, `sd` is the sample standard deviation, `W_t = prod_{s<=t} (1 + r_s)` with `W_0 = 1`. What is
/// undefined is `None` and `null` in JSON, and so is what does not fit a float; never NaN or infinity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TearSheet {
    /// Number of returns.
    pub n: usize,
    /// `W_n - 1`.
    pub cumulative_return: Option<f64>,
    /// `W_n^(P/n) - 1`; -1 after a total loss, absent when `W_n < 0`.
    pub annual_return: Option<f64>,
    /// `sd * sqrt(P)`; absent for `n = 1`.
    pub annual_volatility: Option<f64>,
    /// `mean / sd * sqrt(P)`; absent without spread.
    pub sharpe: Option<f64>,
    /// `mean / sqrt(sum(min(r, 0)^2) / n) * sqrt(P)`; absent when no return is negative.
    pub sortino: Option<f64>,
    /// `annual_return / max_drawdown`; absent when `max_drawdown` is 0.
    pub calmar: Option<f64>,
    /// `max_t (1 - W_t / max_{s<=t} W_s)`, positive.
    pub max_drawdown: Option<f64>,
    /// `m_3 / m_2^1.5` of the population; absent without spread.
    pub skew: Option<f64>,
    /// `m_4 / m_2^2 - 3` of the population; absent without spread.
    pub kurtosis: Option<f64>,
    /// `-q` with the 5% quantile `q` of the returns, linear interpolation; positive for a loss.
    pub var_95: Option<f64>,
    /// `-mean(r where r <= q)`; positive for a loss.
    pub cvar_95: Option<f64>,
    /// `count(r > 0) / count(r != 0)`, where `abs(r) <= 1e-12` is 0; absent when no return differs from 0.
    pub win_rate: Option<f64>,
    /// Probabilistic Sharpe ratio against 0 (Bailey and Lopez de Prado 2012):
    /// `Phi(SR sqrt(n-1) / sqrt(1 - g3 SR + (g4-1)/4 SR^2))` with `SR = mean / sd`, `g3 = skew`, `g4 = kurtosis + 3`;
    /// absent without spread.
    pub psr: Option<f64>,
}

impl TearSheet {
    /// Statistics of simple returns.
    ///
    /// # Errors
    /// Without returns, with a return that is not finite, or with periods per year that are not finite and > 0.
    pub fn new(returns: &[f64], periods_per_year: f64) -> Result<Self, StatsError> {
        periods(periods_per_year)?;
        all_finite(returns)?;
        let moments = Moments::of(returns).ok_or(StatsError::Empty)?;
        let n = returns.len();
        let root = periods_per_year.sqrt();

        let wealth = wealth(returns);
        let growth = wealth[n];
        let annual_return = finite(growth)
            .filter(|g| *g >= 0.0)
            .and_then(|g| finite(g.powf(periods_per_year / n as f64) - 1.0));
        let max_drawdown =
            wealth.iter().all(|w| w.is_finite()).then(|| max_drawdown(&wealth)).and_then(finite);
        let downside = (returns.iter().map(|r| r.min(0.0).powi(2)).sum::<f64>() / n as f64).sqrt();

        let mut sorted = returns.to_vec();
        sorted.sort_by(f64::total_cmp);
        let q = quantile(&sorted, 0.05);
        let tail = &sorted[..sorted.partition_point(|r| *r <= q)];

        let wins = returns.iter().filter(|r| **r > ROUNDING).count();
        let losses = returns.iter().filter(|r| **r < -ROUNDING).count();

        Ok(Self {
            n,
            cumulative_return: finite(growth - 1.0),
            annual_return,
            annual_volatility: moments.sd.and_then(|sd| finite(sd * root)),
            sharpe: moments.spread().and_then(|sd| finite(moments.mean / sd * root)),
            sortino: (downside > 0.0).then(|| moments.mean / downside * root).and_then(finite),
            calmar: annual_return.zip(max_drawdown.filter(|d| *d > 0.0)).and_then(|(a, d)| finite(a / d)),
            max_drawdown,
            skew: moments.skew,
            kurtosis: moments.kurtosis,
            var_95: finite(-q),
            cvar_95: Moments::of(tail).and_then(|m| finite(-m.mean)),
            win_rate: (wins + losses > 0).then(|| wins as f64 / (wins + losses) as f64),
            psr: SharpeRatio::of(&moments).and_then(|ratio| ratio.probabilistic(0.0)),
        })
    }

    /// Every number but `n` with its name, in the order of the JSON.
    pub fn values(&self) -> [(&'static str, Option<f64>); 13] {
        [
            ("cumulative_return", self.cumulative_return),
            ("annual_return", self.annual_return),
            ("annual_volatility", self.annual_volatility),
            ("sharpe", self.sharpe),
            ("sortino", self.sortino),
            ("calmar", self.calmar),
            ("max_drawdown", self.max_drawdown),
            ("skew", self.skew),
            ("kurtosis", self.kurtosis),
            ("var_95", self.var_95),
            ("cvar_95", self.cvar_95),
            ("win_rate", self.win_rate),
            ("psr", self.psr),
        ]
    }
}

/// Profit factor: the sum of the gains divided by that of the losses, `sum(max(r, 0)) / sum(max(-r, 0))`; absent when no
/// return is below 0, where returns within 1e-12 of 0 are 0.
pub fn profit_factor(returns: &[f64]) -> Option<f64> {
    let sum = |sign: f64| returns.iter().map(|r| sign * r).filter(|r| *r > ROUNDING).sum::<f64>();
    Some(sum(-1.0)).filter(|losses| *losses > 0.0).and_then(|losses| finite(sum(1.0) / losses))
}

#[cfg(test)]
mod tests;
