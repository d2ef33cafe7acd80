//! The stationary bootstrap of Politis and Romano 1994: blocks of geometric length, wrapped around the end.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::StatsError;

/// Draws the periods of one resample into `periods`: the first anywhere, each next one the following period, or with
/// probability `1 / block` one anywhere.
pub(crate) fn draw(periods: &mut [u32], block: f64, stream: &mut ChaCha8Rng) {
    let n = periods.len() as u32;
    let begins = 1.0 / block;
    let mut last = 0;
    for (i, period) in periods.iter_mut().enumerate() {
        last = if i == 0 || stream.random::<f64>() < begins {
            stream.random_range(0..n)
        } else {
            (last + 1) % n
        };
        *period = last;
    }
}

/// Checks an average block length.
pub(crate) fn check_block(block: f64) -> Result<(), StatsError> {
    if block.is_finite() && block >= 1.0 {
        return Ok(());
    }
    Err(StatsError::Setting {
        what: "the average block length",
        value: block,
        expected: "a finite number of at least 1",
    })
}

#[cfg(test)]
mod tests;
