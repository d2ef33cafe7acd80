//! Wealth and its falls from the peak.

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

#[cfg(test)]
mod tests;
