//! Decisions that can be named in one sentence: positions with at most one change.

use chrono::NaiveDate;

use crate::convention::{Convention, DAYS};
use crate::published::{Cells, Metric};

/// Half a unit of the third decimal, in which published numbers were rounded; a little more for the float.
pub(crate) const HALF: f64 = 0.000_5 + 1e-9;
/// One unit of the third decimal: as far as a number can be off that was rounded twice or rounded down.
pub(crate) const UNIT: f64 = 0.001 - 1e-9;

/// A position held from the first day, and perhaps another one from some day on: 1 long, 0 flat, -1 short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    first: i8,
    /// Day of the change and the position from then on.
    change: Option<(usize, i8)>,
}

impl Sequence {
    /// Buy & Hold.
    pub const ALWAYS_LONG: Sequence = Sequence { first: 1, change: None };

    /// All with at most one change over `n` days that are ever in the market: 2 without and 6 (n - 1) with one.
    pub fn all(n: usize) -> impl Iterator<Item = Sequence> {
        let positions = [1i8, -1, 0];
        let constant = [1i8, -1].into_iter().map(|first| Sequence { first, change: None });
        let changed = positions.into_iter().flat_map(move |first| {
            let then = positions.into_iter().filter(move |then| *then != first);
            then.flat_map(move |then| (1..n).map(move |day| Sequence { first, change: Some((day, then)) }))
        });
        constant.chain(changed)
    }

    /// Log return of each day: position times that of the price.
    pub fn apply(&self, log_returns: &[f64]) -> Vec<f64> {
        let day = |(i, r): (usize, &f64)| f64::from(self.at(i)) * r;
        log_returns.iter().enumerate().map(day).collect()
    }

    fn at(&self, day: usize) -> i8 {
        match self.change {
            Some((from, then)) if day >= from => then,
            _ => self.first,
        }
    }

    /// In words; `dates` are those of the decisions.
    pub fn words(&self, dates: &[NaiveDate]) -> String {
        let word = |position: i8| ["short", "flat", "long"][(position + 1) as usize];
        match self.change {
            None => format!("always {}", word(self.first)),
            Some((day, then)) => {
                format!("{} up to {}, then {}", word(self.first), dates[day - 1], word(then))
            }
        }
    }
}

/// A sequence and a convention that give a published row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// The decisions.
    pub sequence: Sequence,
    /// How the numbers come from them.
    pub convention: Convention,
    /// The numbers.
    pub cells: Cells,
}

/// Whether `found` is `published` in all printed decimals.
pub(crate) fn equal(published: f64, found: f64) -> bool {
    (published - found).abs() <= HALF
}

/// Sums from which the cheap half of a row follows, day by day.
struct Sums {
    of_returns: Vec<f64>,
    of_squares: Vec<f64>,
}

impl Sums {
    fn new(log_returns: &[f64]) -> Self {
        let running = |f: fn(f64) -> f64| {
            let mut sum = 0.0;
            std::iter::once(0.0)
                .chain(log_returns.iter().map(|r| {
                    sum += f(*r);
                    sum
                }))
                .collect()
        };
        Self { of_returns: running(|r| r), of_squares: running(|r| r * r) }
    }

    /// Sum and sum of squares of the days' log returns under `sequence`.
    fn of(&self, sequence: &Sequence) -> (f64, f64) {
        let n = self.of_returns.len() - 1;
        let (day, then) = sequence.change.unwrap_or((n, 0));
        let part = |position: i8, from: usize, to: usize| {
            let p = f64::from(position);
            (
                p * (self.of_returns[to] - self.of_returns[from]),
                p * p * (self.of_squares[to] - self.of_squares[from]),
            )
        };
        let (a, b) = (part(sequence.first, 0, day), part(then, day, n));
        (a.0 + b.0, a.1 + b.1)
    }
}

/// The best match of a published row among sequences over the windows' `log_returns`: CR and AV agree up to one unit of
/// the last digit, and for a sequence with a change MDD does, too. Best is: most cells in all printed decimals, then the
/// convention `reference`, then the simplest sequence.
///
/// A match says that these decisions give the row, not that they were taken. Rows that are nearly always long or short
/// all have nearly the same AV, so CR and AV alone would be met by chance.
pub(crate) fn best_match<'a>(
    published: &Cells,
    windows: impl Iterator<Item = (crate::asset::Window, &'a [f64])>,
    reference: &Convention,
) -> Option<Match> {
    let mut best: Option<((usize, bool), Match)> = None;
    for (window, log_returns) in windows {
        let n = log_returns.len();
        let sums = Sums::new(log_returns);
        for sequence in Sequence::all(n) {
            let (sum, squares) = sums.of(&sequence);
            if (100.0 * sum - published.cr).abs() > UNIT {
                continue;
            }
            let variance = (squares - sum * sum / n as f64) / (n - 1) as f64;
            let near =
                |days: u32| (100.0 * (variance * f64::from(days)).sqrt() - published.av).abs() <= 2.0 * UNIT;
            if !DAYS.into_iter().any(near) {
                continue;
            }
            let x = sequence.apply(log_returns);
            for convention in Convention::all().filter(|c| c.window == window) {
                let Some(cells) = convention.cells(&x) else { continue };
                let is_near = |metric: Metric| (cells.get(metric) - published.get(metric)).abs() <= UNIT;
                if !is_near(Metric::Av) || (sequence.change.is_some() && !is_near(Metric::Mdd)) {
                    continue;
                }
                let same =
                    Metric::ALL.into_iter().filter(|m| equal(published.get(*m), cells.get(*m))).count();
                let rank = (same, convention == *reference);
                if best.as_ref().is_none_or(|(other, _)| rank > *other) {
                    best = Some((rank, Match { sequence, convention, cells }));
                }
            }
        }
    }
    best.map(|(_, found)| found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asset::Window;
    use crate::convention::Count;

    const R: [f64; 6] = [0.01, -0.02, 0.015, 0.004, -0.007, 0.02];

    fn reference() -> Convention {
        Convention { window: Window::Stated, return_days: 252, volatility_days: 365, count: Count::Prices }
    }

    #[test]
    fn every_sequence_once() {
        let all: Vec<_> = Sequence::all(6).collect();
        assert_eq!(all.len(), 2 + 6 * 5);
        let mut applied: Vec<Vec<i8>> = all.iter().map(|s| (0..6).map(|day| s.at(day)).collect()).collect();
        applied.sort();
        applied.dedup();
        assert_eq!(applied.len(), all.len());
        assert!(!applied.contains(&vec![0; 6]));
    }

    #[test]
    fn sums_are_those_of_the_days() {
        let sums = Sums::new(&R);
        for sequence in Sequence::all(6) {
            let x = sequence.apply(&R);
            let (sum, squares) = sums.of(&sequence);
            assert!((sum - x.iter().sum::<f64>()).abs() < 1e-15);
            assert!((squares - x.iter().map(|x| x * x).sum::<f64>()).abs() < 1e-15);
        }
    }

    #[test]
    fn each_sequence_is_found_again_under_each_convention() {
        let thousandth = |v: f64| (v * 1000.0).round() / 1000.0;
        for sequence in Sequence::all(6) {
            for convention in Convention::all().filter(|c| c.window == Window::Stated) {
                let Some(c) = convention.cells(&sequence.apply(&R)) else { continue };
                let row = Cells {
                    cr: thousandth(c.cr),
                    sr: thousandth(c.sr),
                    av: thousandth(c.av),
                    mdd: thousandth(c.mdd),
                };
                let found = best_match(&row, [(Window::Stated, &R[..])].into_iter(), &reference()).unwrap();
                assert_eq!(
                    Metric::ALL.map(|m| thousandth(found.cells.get(m))),
                    Metric::ALL.map(|m| row.get(m))
                );
            }
        }
    }

    #[test]
    fn a_row_of_other_decisions_is_not_found() {
        let x: Vec<f64> = R.iter().zip([1.0, 0.0, 1.0, 0.0, 1.0, -1.0]).map(|(r, a)| r * a).collect();
        let row = reference().cells(&x).unwrap();
        assert_eq!(best_match(&row, [(Window::Stated, &R[..])].into_iter(), &reference()), None);
    }

    #[test]
    fn in_words() {
        let dates: Vec<NaiveDate> = (1..7).map(|d| NaiveDate::from_ymd_opt(2023, 4, d).unwrap()).collect();
        let words = |first, change| Sequence { first, change }.words(&dates);
        assert_eq!(words(1, None), "always long");
        assert_eq!(words(1, Some((4, 0))), "long up to 2023-04-04, then flat");
        assert_eq!(words(-1, Some((1, 1))), "short up to 2023-04-01, then long");
    }
}
