//! How far a published Sharpe ratio is from 0 and from Buy & Hold's, in standard errors.

use stats::{Moments, SharpeRatio};

use crate::bounds::{Bounds, Positions};
use crate::sequence::HALF;

/// A track record of which only the sums are known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record {
    /// Returns.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation.
    pub sd: f64,
    /// By how much of itself `sd` may be off, because it was printed with three decimals.
    pub rounding: f64,
}

impl Record {
    /// From a row's CR and AV in percent, and the days per year of its volatility.
    pub fn of_row(n: usize, cr: f64, av: f64, volatility_days: u32) -> Self {
        let sd = av / 100.0 / f64::from(volatility_days).sqrt();
        Self { n, mean: cr / 100.0 / n as f64, sd, rounding: HALF / av }
    }

    /// Of returns.
    pub fn of(returns: &[f64]) -> Option<Self> {
        let Moments { n, mean, sd, .. } = Moments::of(returns)?;
        Some(Self { n, mean, sd: sd.filter(|sd| *sd > 0.0)?, rounding: 0.0 })
    }

    fn ratio(&self) -> f64 {
        self.mean / self.sd
    }

    /// `SR sqrt(252)`, and its standard error for independent normal returns, `sqrt((1 + SR^2 / 2) / (n - 1)) sqrt(252)` with
    /// SR per day (Lo 2002). Skew and kurtosis of a published row are unknown.
    pub fn sharpe(&self) -> Option<(f64, f64)> {
        let moments =
            Moments { n: self.n, mean: self.mean, sd: Some(self.sd), skew: Some(0.0), kurtosis: Some(0.0) };
        let ratio = SharpeRatio::of(&moments)?;
        let year = 252f64.sqrt();
        Some((ratio.annual(252.0), ratio.standard_error() * year))
    }

    /// Sum of squared returns, at most.
    fn squares(&self) -> f64 {
        let n = self.n as f64;
        (n - 1.0) * (self.sd * (1.0 + self.rounding)).powi(2) + n * self.mean * self.mean
    }

    /// The test of Jobson and Korkie 1981, in the form of Memmel 2003, for equal Sharpe ratios of two records whose
    /// returns have the correlation `rho`: the difference over
    /// `sqrt((2 (1 - rho) + (SR1^2 + SR2^2) / 2 - SR1 SR2 rho^2) / n)`.
    pub fn z(&self, other: &Record, rho: f64) -> f64 {
        let (a, b) = (self.ratio(), other.ratio());
        let variance = 2.0 * (1.0 - rho) + (a * a + b * b) / 2.0 - a * b * rho * rho;
        let error = (variance.max(0.0) / self.n as f64).sqrt();
        if a == b { 0.0 } else { (a - b) / error }
    }

    /// The highest correlation that decisions with this record can have with Buy & Hold's `hold`.
    ///
    /// `sum(x r) = sum(a r^2)` is at most `sum(a^2 r^2)`, the row's own sum of squares, and at most `sum(r^2)` less what
    /// the days that are not long must take away for the returns to differ as they do (where the prices are known).
    pub fn highest_correlation(&self, hold: &Record, log_returns: Option<&[f64]>) -> f64 {
        let n = self.n as f64;
        let own = self.squares();
        let of_hold = log_returns.map_or(f64::INFINITY, |r| {
            let gap = n * (hold.mean - self.mean);
            let least = Bounds::new(r, Positions::LongFlatShort).least_difference(gap, HALF / 100.0);
            hold.squares() - least
        });
        let covariance = (own.min(of_hold) - n * self.mean * hold.mean) / (n - 1.0);
        (covariance / (self.sd * (1.0 - self.rounding) * hold.sd)).clamp(-1.0, 1.0)
    }
}

/// How a row's returns go with those of Buy & Hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Correlation {
    /// Of decisions that give the row.
    Given(f64),
    /// The highest that any decisions with the row's numbers have.
    AtMost(f64),
}

impl Correlation {
    /// The number.
    pub fn value(self) -> f64 {
        match self {
            Correlation::Given(rho) | Correlation::AtMost(rho) => rho,
        }
    }
}

/// Whether a Sharpe ratio differs from Buy & Hold's at the level 5%.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Differs {
    /// It does.
    Yes,
    /// It does not, whatever the decisions were.
    No,
    /// Some decisions with the row's numbers would show it; most would not.
    Open,
}

/// A row beside Buy & Hold on the same window and scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AboveHold {
    /// Difference of the Sharpe ratios, 252 days a year.
    pub difference: f64,
    /// With Buy & Hold's returns.
    pub correlation: Correlation,
    /// The difference in standard errors at that correlation; at a lower one it is nearer to 0. `None` where the
    /// correlation is not bounded below 1: then the error is not bounded either.
    pub z: Option<f64>,
    /// The correlation from which the difference counts as one; `None`: none does.
    pub needed: Option<f64>,
}

impl AboveHold {
    fn of(row: &Record, hold: &Record, correlation: Correlation) -> Option<Self> {
        let difference = row.sharpe()?.0 - hold.sharpe()?.0;
        let z = match correlation {
            Correlation::AtMost(rho) if rho >= 1.0 => None,
            _ => Some(row.z(hold, correlation.value())),
        };
        // The error falls as the correlation rises.
        let counts = |rho: f64| row.z(hold, rho).abs() >= CRITICAL;
        let needed = counts(1.0).then(|| {
            let (mut low, mut high) = (-1.0, 1.0);
            for _ in 0..60 {
                let middle = (low + high) / 2.0;
                if counts(middle) { high = middle } else { low = middle }
            }
            high
        });
        z.is_none_or(f64::is_finite).then_some(Self { difference, correlation, z, needed })
    }

    /// The answer.
    pub fn differs(&self) -> Differs {
        match (self.z.map(|z| z.abs() >= CRITICAL), self.correlation) {
            (Some(false), _) => Differs::No,
            (Some(true), Correlation::Given(_)) => Differs::Yes,
            _ => Differs::Open,
        }
    }
}

/// What the length of a window lets a row's Sharpe ratio say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Luck {
    /// Sharpe ratio on the common scale: 252 days, returns counted.
    pub sharpe: f64,
    /// Its standard error.
    pub error: f64,
    /// Beside Buy & Hold; `None` for Buy & Hold itself.
    pub above_hold: Option<AboveHold>,
}

/// Two-sided, at the level 5%.
pub const CRITICAL: f64 = 1.959_963_984_540_054;

impl Luck {
    /// Of a row, and beside Buy & Hold with the correlation to it.
    pub fn of(row: &Record, hold: Option<(&Record, Correlation)>) -> Option<Self> {
        let (sharpe, error) = row.sharpe()?;
        let above_hold = hold.and_then(|(hold, correlation)| AboveHold::of(row, hold, correlation));
        Some(Self { sharpe, error, above_hold })
    }

    /// Whether the ratio differs from 0 at the level 5%.
    pub fn differs_from_zero(&self) -> bool {
        (self.sharpe / self.error).abs() >= CRITICAL
    }
}

/// Pearson's correlation; `None` without spread.
pub(crate) fn correlation(x: &[f64], y: &[f64]) -> Option<f64> {
    let (a, b) = (Record::of(x)?, Record::of(y)?);
    let products: f64 = x.iter().zip(y).map(|(x, y)| (x - a.mean) * (y - b.mean)).sum();
    Some((products / ((a.n - 1) as f64 * a.sd * b.sd)).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(n: usize, mean: f64) -> Record {
        Record { n, mean, sd: 0.02, rounding: 0.0 }
    }

    #[test]
    fn the_error_of_a_short_window() {
        // FLAG-Trader on MSFT: CR 20.106, AV 24.932 over 148 returns.
        let record = Record::of_row(148, 20.106, 24.932, 252);
        let (sharpe, error) = record.sharpe().unwrap();
        assert!((sharpe - 20.106 * 252.0 / (148.0 * 24.932)).abs() < 1e-12);
        let daily: f64 = sharpe / 252f64.sqrt();
        assert!((error - ((1.0 + daily * daily / 2.0) / 147.0 * 252.0).sqrt()).abs() < 1e-12);
        assert!((error - 1.3118).abs() < 1e-3, "{error}");
    }

    #[test]
    fn memmel_by_hand() {
        let a = record(100, 0.002);
        let b = record(100, 0.001);
        // SR 0.1 and 0.05: 2 (1 - 0.5) + 0.00625 - 0.00125 = 1.005 over 100.
        assert!((a.z(&b, 0.5) - 0.05 / (1.005f64 / 100.0).sqrt()).abs() < 1e-12);
        assert_eq!(a.z(&a, 1.0), 0.0);
    }

    #[test]
    fn what_a_difference_needs() {
        let a = record(148, 0.002);
        let b = record(148, 0.001);
        let above = |correlation| AboveHold::of(&a, &b, correlation).unwrap();
        let needed = above(Correlation::AtMost(0.5)).needed.unwrap();
        assert!((a.z(&b, needed) - CRITICAL).abs() < 1e-6, "{needed}");
        assert_eq!(above(Correlation::AtMost(0.5)).differs(), Differs::No);
        assert_eq!(above(Correlation::AtMost(needed + 0.01)).differs(), Differs::Open);
        assert_eq!(above(Correlation::Given(needed + 0.01)).differs(), Differs::Yes);
        let equal = AboveHold::of(&a, &a, Correlation::Given(1.0)).unwrap();
        assert_eq!((equal.z, equal.needed, equal.differs()), (Some(0.0), None, Differs::No));
        let unbounded = above(Correlation::AtMost(1.0));
        assert_eq!((unbounded.z, unbounded.differs()), (None, Differs::Open));
        assert!(Luck::of(&a, None).unwrap().above_hold.is_none());
    }

    #[test]
    fn correlations_by_hand() {
        assert!((correlation(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]).unwrap() - 1.0).abs() < 1e-15);
        assert!((correlation(&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0]).unwrap() - 0.5).abs() < 1e-15);
        assert_eq!(correlation(&[1.0, 1.0], &[1.0, 2.0]), None);
    }

    proptest! {
        #[test]
        fn no_decisions_correlate_more(
            days in prop::collection::vec((-0.05..0.05f64, -1i8..=1), 5..40)
        ) {
            let r: Vec<f64> = days.iter().map(|(r, _)| *r).collect();
            let x: Vec<f64> = days.iter().map(|(r, a)| r * f64::from(*a)).collect();
            let (Some(row), Some(hold)) = (Record::of(&x), Record::of(&r)) else { return Ok(()) };
            let rho = correlation(&x, &r).unwrap();
            for known in [None, Some(&r[..])] {
                prop_assert!(rho <= row.highest_correlation(&hold, known) + 1e-9);
            }
        }
    }
}
