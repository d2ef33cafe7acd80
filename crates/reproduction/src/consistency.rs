//! Whether the numbers of a row agree with each other: SR follows from CR, AV and the length of the window.

use serde::Serialize;

use crate::asset::Window;
use crate::convention::{Count, DAYS};
use crate::published::Cells;
use crate::sequence::{HALF, UNIT};

/// A count of days by which SR follows from CR and AV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// Which prices.
    pub window: Window,
    /// Days per year of the return.
    pub return_days: u32,
    /// What was counted.
    pub count: Count,
    /// The count.
    pub n: usize,
}

/// What SR, CR and AV of a row say about its length.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Consistency {
    /// `252 CR / (SR AV)`, the count that the printed numbers imply, as printed; `None` for an SR of 0.
    pub implied: Option<f64>,
    /// Its ends when each of the three is off by half a unit of its last digit; `None` where an SR of 0 is among them.
    pub between: Option<(f64, f64)>,
    /// The windows' counts that fit numbers rounded to their last digit.
    pub fits: Vec<Fit>,
    /// The counts that fit numbers which are off by up to one unit of it, as one of the published Buy & Hold cells is.
    pub loose: Vec<Fit>,
}

impl Consistency {
    /// Of a row of `asset`, whose windows have `n_prices`.
    pub fn of(row: &Cells, n_prices: impl Fn(Window) -> usize) -> Self {
        let count = |cr: f64, sr: f64, av: f64| f64::from(DAYS[0]) * cr / (sr * av);
        let ends = |v: f64| [v - HALF, v + HALF];
        let between = (row.sr.abs() > HALF).then(|| {
            let corners = ends(row.cr).into_iter().flat_map(|cr| {
                ends(row.sr).into_iter().flat_map(move |sr| ends(row.av).map(|av| count(cr, sr, av)))
            });
            corners.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
        });
        Self {
            implied: (row.sr != 0.0).then(|| count(row.cr, row.sr, row.av)),
            between,
            fits: fits(row, &n_prices, HALF),
            loose: fits(row, &n_prices, UNIT),
        }
    }

    /// Whether a plausible count fits, however the numbers were rounded.
    pub fn holds(&self) -> bool {
        !self.loose.is_empty()
    }

    /// The counts that fit, or the implied one, in words.
    pub fn words(&self) -> String {
        let implied = match (self.implied, self.between) {
            (Some(implied), Some((low, high))) => {
                format!("{implied:.2} ({low:.2} to {high:.2} with rounding)")
            }
            (Some(implied), None) => format!("{implied:.2}, too near an SR of 0 to tell"),
            (None, _) => "nothing, SR is 0".to_owned(),
        };
        let whole = self.between.and_then(|(low, high)| {
            let whole = low.ceil();
            (whole <= high).then(|| format!("; {whole} days would fit"))
        });
        match (&self.fits[..], &self.loose[..]) {
            ([], []) => {
                format!("252 CR / (SR AV) = {implied}: no count of the windows{}", whole.unwrap_or_default())
            }
            ([], loose) => format!(
                "252 CR / (SR AV) = {implied}: {} if each number may be off by one unit of its last digit",
                words(loose)
            ),
            (fits, _) => format!("252 CR / (SR AV) = {implied}: {}", words(fits)),
        }
    }
}

/// The counts of the windows by which SR follows from CR and AV, where each of the three may be off by `off`.
fn fits(row: &Cells, n_prices: impl Fn(Window) -> usize, off: f64) -> Vec<Fit> {
    let ends = |v: f64| [v - off, v + off];
    let all = Window::ALL.into_iter().flat_map(|window| {
        let n_prices = n_prices(window);
        DAYS.into_iter().flat_map(move |return_days| {
            Count::ALL.into_iter().map(move |count| Fit { window, return_days, count, n: count.of(n_prices) })
        })
    });
    let fits = |fit: &Fit| {
        let ratio = |cr: f64, av: f64| cr * f64::from(fit.return_days) / (fit.n as f64 * av);
        let corners = ends(row.cr).into_iter().flat_map(|cr| ends(row.av).map(|av| ratio(cr, av)));
        let (low, high) = corners.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        low <= row.sr + off && row.sr - off <= high
    };
    all.filter(fits).collect()
}

/// `149 returns or 149 prices`.
fn words(fits: &[Fit]) -> String {
    let mut words: Vec<String> = Vec::new();
    for fit in fits {
        let what = match fit.count {
            Count::Prices => "prices",
            Count::Returns => "returns",
        };
        let year = match fit.return_days {
            days if days == DAYS[0] => String::new(),
            days => format!(" of {days} days a year"),
        };
        let text = format!("{} {what}{year}", fit.n);
        if !words.contains(&text) {
            words.push(text);
        }
    }
    words.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stock(window: Window) -> usize {
        crate::ASSETS[0].n_prices_without_data(window)
    }

    fn of(cr: f64, sr: f64, av: f64) -> Consistency {
        Consistency::of(&Cells { cr, sr, av, mdd: 0.0 }, stock)
    }

    #[test]
    fn buy_and_hold_counts_149_prices() {
        let found = of(15.340, 1.039, 24.980);
        assert!((found.implied.unwrap() - 148.9422).abs() < 1e-3);
        let counts: Vec<_> = found.fits.iter().map(|f| (f.window, f.count, f.n)).collect();
        assert_eq!(counts, [(Window::Stated, Count::Returns, 149), (Window::DayEarlier, Count::Prices, 149)]);
    }

    #[test]
    fn a_row_that_contradicts_itself() {
        // FLAG-Trader on UVV: its numbers are those of 119 days.
        let found = of(46.799, 1.463, 67.758);
        assert!(!found.holds());
        assert_eq!(
            found.words(),
            "252 CR / (SR AV) = 118.97 (118.93 to 119.01 with rounding): no count of the windows; 119 days would fit"
        );
    }

    #[test]
    fn numbers_off_by_a_unit() {
        // 149.84 days as rounded; 150 within one unit of the last digits.
        let found = of(-10.305, -0.724, 23.937);
        assert!(found.fits.is_empty() && found.holds());
        assert!(
            found.words().ends_with("150 prices if each number may be off by one unit of its last digit"),
            "{}",
            found.words()
        );
    }

    #[test]
    fn near_zero_anything_fits() {
        assert!(of(-0.557, -0.041, 22.893).holds());
        let zero = of(0.0001, 0.0, 20.0);
        assert!(zero.holds());
        assert_eq!((zero.implied, zero.between), (None, None));
        assert!(!of(5.0, 0.0, 20.0).holds());
    }
}
