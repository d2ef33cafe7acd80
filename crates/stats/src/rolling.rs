//! The Sharpe ratio of a moving window.

use crate::Moments;
use crate::error::finite;

/// Annual Sharpe ratio `mean / sd * sqrt(P)` of the last `window` returns at each period; one entry per return, absent
/// before the window is full and where it has no spread.
pub fn rolling_sharpe(returns: &[f64], window: usize, periods_per_year: f64) -> Vec<Option<f64>> {
    let of_window = |end: usize| {
        let moments = Moments::of(&returns[(end + 1).checked_sub(window)?..=end])?;
        finite(moments.mean / moments.spread()? * periods_per_year.sqrt())
    };
    (0..returns.len()).map(of_window).collect()
}

#[cfg(test)]
mod tests;
