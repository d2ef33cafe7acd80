//! The interval of a statistic of one track record.

use crate::error::all_finite;
use crate::interval::check_level;
use crate::stationary::{check_block, draw};
use crate::{Bootstrap, Interval, StatsError};

/// Share of resamples that may leave the statistic undefined.
const UNDEFINED: f64 = 0.01;

/// Percentile interval of `level` of any statistic of one track record, by the stationary bootstrap of Politis and
/// Romano 1994 with blocks of `block` periods on average ([`crate::BlockLength`] chooses). It speaks of other days like
/// these, not of other seeds.
///
/// `None` when the statistic is undefined for the record, or for more than one resample in a hundred.
///
/// # Errors
/// Without returns, for a return that is not finite, and for a block below 1.
///
/// # Panics
/// When `level` is not between 0 and 1.
pub fn track_interval(
    returns: &[f64],
    statistic: impl Fn(&[f64]) -> Option<f64> + Sync,
    block: f64,
    level: f64,
    bootstrap: &Bootstrap,
) -> Result<Option<Interval>, StatsError> {
    check_level(level);
    check_block(block)?;
    all_finite(returns)?;
    if returns.is_empty() {
        return Err(StatsError::Empty);
    }
    let Some(point) = statistic(returns) else { return Ok(None) };
    let scratch = || (vec![0_u32; returns.len()], vec![0.0; returns.len()]);
    let resampled = bootstrap.run(scratch, |(periods, drawn), stream| {
        draw(periods, block, stream);
        for (r, period) in drawn.iter_mut().zip(periods.iter()) {
            *r = returns[*period as usize];
        }
        statistic(drawn)
    });
    let n = resampled.len() as f64;
    let defined: Vec<f64> = resampled.into_iter().flatten().collect();
    let enough = !defined.is_empty() && defined.len() as f64 >= (1.0 - UNDEFINED) * n;
    Ok(if enough { Interval::percentile(point, defined, level) } else { None })
}

#[cfg(test)]
mod tests;
