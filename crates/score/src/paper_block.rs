//! [`PaperBlock`]: the four numbers of the published tables, by InvestorBench's formulas.

use serde::{Deserialize, Serialize};
use stats::{Moments, max_drawdown, wealth};

/// Trading days that InvestorBench divides the return by, for crypto too.
const DAYS_PER_YEAR_OF_THE_RETURN: f64 = 252.0;

/// `cr`, `av`, `mdd` in percent and the ratio `sr`, of the log returns `x` of `N - 1` steps between `N` prices.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PaperBlock {
    /// `100 * sum(x)`.
    pub cr: Option<f64>,
    /// `(cr / 100) / (N / 252) / (av / 100)`: always 252, and prices, not returns. Absent when `av` is 0 or absent.
    pub sr: Option<f64>,
    /// `100 * sd(x) * sqrt(P)` with the sample deviation; absent for a single return.
    pub av: Option<f64>,
    /// Largest fall of `prod(1 + x)` from 1, times 100: the log returns are used as if simple, as theirs are.
    pub mdd: Option<f64>,
}

impl PaperBlock {
    /// The block of log returns `x` with `periods_per_year` for the volatility. All absent after ruin (`x` = -inf).
    pub(crate) fn new(x: &[f64], periods_per_year: f64) -> Self {
        let moments = Moments::of(x).filter(|_| x.iter().all(|x| x.is_finite()));
        let Some(moments) = moments else {
            return Self { cr: None, sr: None, av: None, mdd: None };
        };
        let n_prices = (x.len() + 1) as f64;
        let sum: f64 = x.iter().sum();
        let volatility = moments.sd.map(|sd| sd * periods_per_year.sqrt());
        let annual = sum / (n_prices / DAYS_PER_YEAR_OF_THE_RETURN);
        let finite = |x: f64| Some(x).filter(|x| x.is_finite());
        Self {
            cr: finite(100.0 * sum),
            sr: volatility.filter(|v| *v > 0.0).and_then(|v| finite(annual / v)),
            av: volatility.and_then(|v| finite(100.0 * v)),
            mdd: finite(100.0 * max_drawdown(&wealth(x))),
        }
    }
}
