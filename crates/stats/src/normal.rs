//! The standard normal distribution.

use statrs::distribution::{ContinuousCDF, Normal};

/// Probability of a value of at most `z`.
pub fn normal_cdf(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

/// The value that is not exceeded with probability `p`, between 0 and 1.
///
/// # Panics
/// When `p` is no probability.
pub fn normal_quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}

#[cfg(test)]
mod tests {
    use super::{normal_cdf, normal_quantile};

    #[test]
    fn known_values() {
        assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-9);
        assert!((normal_cdf(1.0) - 0.841_344_746_068_543).abs() < 1e-9);
        assert_eq!(normal_cdf(0.0), 0.5);
    }
}
