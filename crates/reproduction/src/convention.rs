//! How four numbers come from a list of daily log returns, and the conventions that published rows can follow.

use std::fmt;

use serde::Serialize;
use stats::{Moments, max_drawdown, wealth};

use crate::asset::Window;
use crate::published::Cells;

/// What the return is divided by to make it annual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Count {
    /// The number of prices, as InvestorBench's evaluator does.
    Prices,
    /// The number of returns, one less.
    Returns,
}

impl Count {
    /// Both.
    pub const ALL: [Count; 2] = [Count::Prices, Count::Returns];

    /// The count of a window with that many prices.
    pub fn of(self, n_prices: usize) -> usize {
        match self {
            Count::Prices => n_prices,
            Count::Returns => n_prices - 1,
        }
    }
}

/// Days per year that a calendar of trading days (252) or of all days (365) has.
pub const DAYS: [u32; 2] = [252, 365];

/// A way to compute a row from daily log returns `x` (position times log return of the price):
/// `CR = sum(x)`, `AV = sd(x) sqrt(volatility_days)` with the sample deviation, `SR = CR (return_days / count) / AV`,
/// and MDD the largest fall of `prod(1 + x)`: log returns are used as if simple, as InvestorBench's evaluator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Convention {
    /// Which prices.
    pub window: Window,
    /// Days per year of the return.
    pub return_days: u32,
    /// Days per year of the volatility.
    pub volatility_days: u32,
    /// What the return is divided by.
    pub count: Count,
}

impl Convention {
    /// All that are searched: 2 windows, 252 or 365 days for return and volatility, prices or returns counted.
    pub fn all() -> impl Iterator<Item = Convention> {
        let windows = Window::ALL.into_iter();
        windows.flat_map(|window| {
            let days = DAYS.into_iter().flat_map(|r| DAYS.into_iter().map(move |v| (r, v)));
            days.flat_map(move |(return_days, volatility_days)| {
                Count::ALL.into_iter().map(move |count| Convention {
                    window,
                    return_days,
                    volatility_days,
                    count,
                })
            })
        })
    }

    /// The row of daily log returns `x`. `None` for fewer than two and without spread.
    pub fn cells(&self, x: &[f64]) -> Option<Cells> {
        let sd = Moments::of(x)?.spread()?;
        let cr: f64 = x.iter().sum();
        let av = sd * f64::from(self.volatility_days).sqrt();
        let years = self.count.of(x.len() + 1) as f64 / f64::from(self.return_days);
        Some(Cells {
            cr: 100.0 * cr,
            sr: cr / years / av,
            av: 100.0 * av,
            mdd: 100.0 * max_drawdown(&wealth(x)),
        })
    }
}

impl fmt::Display for Convention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = match self.window {
            Window::Stated => "to the stated last day",
            Window::DayEarlier => "to the day before the stated last one",
        };
        let count = match self.count {
            Count::Prices => "prices",
            Count::Returns => "returns",
        };
        match (self.return_days, self.volatility_days) {
            (r, v) if r == v => write!(f, "{end}, {r} days a year, {count} counted"),
            (r, v) => {
                write!(f, "{end}, {r} days a year for the return and {v} for the volatility, {count} counted")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_worked_by_hand() {
        // Three prices, log returns 0.1 and -0.2: sum -0.1, mean -0.05, sd sqrt(0.0225 + 0.0225) = 0.212132.
        let at = |return_days, volatility_days, count| {
            Convention { window: Window::Stated, return_days, volatility_days, count }
                .cells(&[0.1, -0.2])
                .unwrap()
        };
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        let row = at(252, 252, Count::Prices);
        close(row.cr, -10.0);
        close(row.av, 100.0 * (0.045f64 * 252.0).sqrt());
        close(row.sr, -0.1 * (252.0 / 3.0) / (0.045f64 * 252.0).sqrt());
        // 1 -> 1.1 -> 0.88: a fall of a fifth.
        close(row.mdd, 20.0);
        close(at(252, 252, Count::Returns).sr, row.sr * 3.0 / 2.0);
        close(at(252, 365, Count::Prices).av, row.av * (365.0f64 / 252.0).sqrt());
        close(at(365, 252, Count::Prices).sr, row.sr * 365.0 / 252.0);
    }

    #[test]
    fn no_row_without_spread() {
        let convention = Convention::all().next().unwrap();
        assert_eq!(convention.cells(&[0.0, 0.0]), None);
        assert_eq!(convention.cells(&[0.1]), None);
        assert_eq!(Convention::all().count(), 16);
    }

    #[test]
    fn the_numbers_of_evaluate() {
        let x = [0.01, -0.02, 0.005, 0.0, 0.03, -0.011];
        let (mut equity, mut steps) = (100_000.0, Vec::new());
        for log_return in x {
            equity *= f64::exp(log_return);
            steps.push(score::ScoredStep { equity, log_return, traded: 0.0 });
        }
        for volatility_days in DAYS {
            let paper =
                score::Scorecard::from_steps(100_000.0, &steps, f64::from(volatility_days)).unwrap().paper;
            let convention = Convention {
                window: Window::Stated,
                return_days: 252,
                volatility_days,
                count: Count::Prices,
            };
            let cells = convention.cells(&x).unwrap();
            let theirs = [paper.cr, paper.sr, paper.av, paper.mdd].map(Option::unwrap);
            assert_eq!([cells.cr, cells.sr, cells.av, cells.mdd], theirs);
        }
    }
}
