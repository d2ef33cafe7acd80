//! Random streams named by purpose.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// The stream of `seed` for one purpose: ChaCha8 keyed with `sha256("<seed>:<purpose>")`.
///
/// Streams of different purposes are independent, so that a part that draws more often leaves the others as they
/// were.
pub fn rng(seed: u64, purpose: &str) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(Sha256::digest(format!("{seed}:{purpose}")).into())
}

#[cfg(test)]
mod tests;
