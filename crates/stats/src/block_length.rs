//! [`BlockLength`]: how long blocks have to be to keep what neighbouring returns have in common.

use crate::Moments;

/// Average block lengths of the dependent bootstraps, in periods.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockLength {
    /// For the stationary bootstrap of Politis and Romano 1994.
    pub stationary: f64,
    /// For the circular one with blocks of one length.
    pub circular: f64,
}

impl BlockLength {
    /// The automatic choice of Politis and White 2004 with the correction of Patton, Politis and White 2009:
    /// `b = (2 g^2 / d * n)^(1/3)`, `g = sum h(k/m) |k| gamma_k`, `d = 2 (sum h(k/m) gamma_k)^2` for the stationary
    /// bootstrap and `4/3` instead of 2 for the circular one, over `|k| <= m`, with autocovariances `gamma_k` and
    /// `h(x) = min(1, 2 (1 - |x|))`. `m` is twice the first lag from which `max(5, log10 n)` autocorrelations are below
    /// `2 sqrt(log10(n) / n)`; at most `b = ceil(min(3 sqrt(n), n/3))`.
    ///
    /// As the package `arch` has it, which takes each autocorrelation over its own overlap. Never below 1, a block of
    /// one return. `None` without spread and for fewer than 10 returns.
    pub fn of(returns: &[f64]) -> Option<Self> {
        let n = returns.len();
        let moments = Moments::of(returns).filter(|m| n >= 10 && m.spread().is_some())?;
        let eps: Vec<f64> = returns.iter().map(|r| r - moments.mean).collect();
        let size = n as f64;
        let longest = (3.0 * size.sqrt()).min(size / 3.0).ceil();
        let window = 5.max(size.log10() as usize);
        let last_lag = (size.sqrt().ceil() as usize + window).min(n - 2);
        let bound = 2.0 * (size.log10() / size).sqrt();
        let products: Vec<f64> = (0..=last_lag).map(|lag| dot(&eps[lag..], &eps[..n - lag])).collect();
        let small = |lag: usize| {
            let norm = dot(&eps[lag + 1..], &eps[lag + 1..]) * dot(&eps[..n - lag - 1], &eps[..n - lag - 1]);
            products[lag].abs() / norm.sqrt() < bound
        };
        let smalls: Vec<bool> = (0..=last_lag).map(small).collect();
        let first =
            (0..=last_lag - window.min(last_lag)).find(|&lag| smalls[lag..lag + window].iter().all(|s| *s));
        let m = first.map_or(last_lag, |lag| (2 * lag.max(1)).min(last_lag));
        let (mut g, mut spectrum) = (0.0, products[0] / size);
        for (k, product) in products.iter().enumerate().take(m + 1).skip(1) {
            let share = k as f64 / m as f64;
            let weight = if share <= 0.5 { 1.0 } else { 2.0 * (1.0 - share) };
            g += 2.0 * weight * k as f64 * product / size;
            spectrum += 2.0 * weight * product / size;
        }
        let length = |constant: f64| {
            let b = (2.0 * g * g / (constant * spectrum * spectrum) * size).cbrt();
            b.min(longest).max(1.0)
        };
        Some(Self { stationary: length(2.0), circular: length(4.0 / 3.0) })
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests;
