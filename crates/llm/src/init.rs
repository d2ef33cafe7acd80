//! Random weights on the host, from ChaCha streams that are named by tensor.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use sha2::{Digest, Sha256};

/// The stream of `seed` for one purpose: ChaCha8 keyed with `sha256("<seed>:<purpose>")`. Streams of different
/// purposes are independent, so adding a tensor changes no other tensor's values.
pub fn stream(seed: u64, purpose: &str) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(Sha256::digest(format!("{seed}:{purpose}")).into())
}

/// `n` normal values with mean 0 and the given standard deviation.
pub fn normal(seed: u64, purpose: &str, n: usize, std: f64) -> Vec<f32> {
    let mut rng = stream(seed, purpose);
    (0..n).map(|_| (std * rng.sample::<f64, _>(StandardNormal)) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_give_equal_values_and_prefixes_agree() {
        let long = normal(7, "w", 100, 0.5);
        assert_eq!(normal(7, "w", 10, 0.5), long[..10]);
        assert_ne!(normal(7, "v", 100, 0.5), long);
        assert_ne!(normal(8, "w", 100, 0.5), long);
    }

    #[test]
    fn moments() {
        let values = normal(1, "w", 40_000, 0.25);
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / 40_000.0;
        let variance = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / 40_000.0;
        // Standard errors: 0.25 / 200 = 0.00125 for the mean, 0.0625 * sqrt(2 / 40000) = 0.00044 for the variance.
        assert!(mean.abs() < 0.005, "{mean}");
        assert!((variance - 0.0625).abs() < 0.002, "{variance}");
    }
}
