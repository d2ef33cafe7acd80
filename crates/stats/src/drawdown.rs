//! Wealth and its falls from the peak.

use serde::{Deserialize, Serialize};

/// Wealth `W_0 = 1`, `W_t = prod_{s<=t} (1 + r_s)` of simple returns; one entry more than `returns`.
pub fn wealth(returns: &[f64]) -> Vec<f64> {
    let mut wealth = Vec::with_capacity(returns.len() + 1);
    wealth.push(1.0);
    let mut last = 1.0;
    for r in returns {
        last *= 1.0 + r;
        wealth.push(last);
    }
    wealth
}

/// Fall of each entry from the highest one up to it, `1 - W_t / max_{s<=t} W_s`: a positive fraction, 0 at a peak.
///
/// The first entry, the wealth before any return, must be above 0.
pub fn drawdowns(wealth: &[f64]) -> Vec<f64> {
    let mut peak = f64::NEG_INFINITY;
    let fall = |w: &f64| {
        peak = peak.max(*w);
        1.0 - w / peak
    };
    wealth.iter().map(fall).collect()
}

/// The largest of [`drawdowns`]; 0 for a wealth that never falls.
pub fn max_drawdown(wealth: &[f64]) -> f64 {
    drawdowns(wealth).into_iter().fold(0.0, f64::max)
}

/// One fall of wealth, from its peak until it is reached again. Positions count the entries of the wealth: 0 is the
/// start, `t` the end of period `t` from 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Drawdown {
    /// Last entry at the peak.
    pub peak: usize,
    /// First entry at the lowest wealth of the fall.
    pub trough: usize,
    /// First entry at or above the peak again; absent when that never comes.
    pub recovery: Option<usize>,
    /// `1 - W_trough / W_peak`, positive.
    pub depth: f64,
    /// Periods from the peak to the recovery, or to the end of the record: the time under water.
    pub periods: usize,
}

impl Drawdown {
    /// All falls of a wealth, in the order of time; none for one that never falls, or that does not fit a float.
    ///
    /// The first entry, the wealth before any return, must be above 0.
    pub fn all(wealth: &[f64]) -> Vec<Self> {
        let mut falls: Vec<Self> = Vec::new();
        if wealth.iter().any(|w| !w.is_finite()) {
            return falls;
        }
        let mut peak = 0;
        for (t, w) in wealth.iter().enumerate() {
            let open = falls.last_mut().filter(|fall| fall.recovery.is_none());
            if *w >= wealth[peak] {
                if let Some(fall) = open {
                    (fall.recovery, fall.periods) = (Some(t), t - fall.peak);
                }
                peak = t;
                continue;
            }
            let depth = 1.0 - w / wealth[peak];
            match open {
                Some(fall) => {
                    fall.periods = t - peak;
                    if depth > fall.depth {
                        (fall.trough, fall.depth) = (t, depth);
                    }
                }
                None => falls.push(Self { peak, trough: t, recovery: None, depth, periods: t - peak }),
            }
        }
        falls
    }

    /// The deepest fall, the first of equals; its depth is [`max_drawdown`].
    pub fn deepest(wealth: &[f64]) -> Option<Self> {
        Self::all(wealth).into_iter().reduce(|best, next| if next.depth > best.depth { next } else { best })
    }

    /// The longest time under water of any fall, the first of equals.
    pub fn longest(wealth: &[f64]) -> Option<Self> {
        Self::all(wealth)
            .into_iter()
            .reduce(|best, next| if next.periods > best.periods { next } else { best })
    }
}

#[cfg(test)]
mod tests;
