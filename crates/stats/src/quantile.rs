//! Quantiles by linear interpolation.

/// The `p`-quantile of a sorted sample, at position `p * (n - 1)` with linear interpolation (R type 7, as numpy).
///
/// # Panics
/// When the sample is empty or `p` not from 0 to 1.
pub fn quantile(sorted: &[f64], p: f64) -> f64 {
    assert!((0.0..=1.0).contains(&p), "a quantile's share is from 0 to 1, found {p}");
    let position = p * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let share = position - below as f64;
    let (low, high) = (sorted[below], sorted[(below + 1).min(sorted.len() - 1)]);
    // From the nearer end, so that a position a rounding away from a sample gives that sample.
    if share < 0.5 { low + (high - low) * share } else { high - (high - low) * (1.0 - share) }
}
