//! [`Pbo`]: how often the arm that looks best is below the middle elsewhere.

use rayon::prelude::*;

use crate::{Moments, Panel, StatsError};

/// Returns this close to each other are equal, and a mean this close to 0 is 0.
const ROUNDING: f64 = 1e-12;

/// Probability of backtest overfitting by combinatorially symmetric cross-validation (Bailey, Borwein, Lopez de Prado
/// and Zhu 2015), of a choice by Sharpe ratio.
#[derive(Debug, Clone, PartialEq)]
pub struct Pbo {
    /// Share of the splits in which the arm that is best in one half is at or below the median of the arms in the other.
    pub probability: f64,
    /// Share of the splits in which the mean return of that arm in the other half is below 0.
    pub probability_of_loss: f64,
    /// Of each split `ln(w / (1 - w))` with `w = rank / (arms + 1)`, the rank of that arm in the other half, 1 the worst,
    /// ties at their mean rank. At most 0 counts as overfitted.
    pub logits: Vec<f64>,
}

impl Pbo {
    /// Cuts the periods into `n_blocks` neighbouring blocks of equal length (the first periods are left out where they
    /// do not divide) and chooses in each half of the blocks, judging in the other: `n_blocks` over `n_blocks / 2` splits,
    /// 12,870 for 16.
    ///
    /// # Errors
    /// For fewer than two arms, for a number of blocks that is odd or not from 2 to 24, and for blocks of fewer than two
    /// periods.
    pub fn new(panel: &Panel, n_blocks: usize) -> Result<Self, StatsError> {
        if n_blocks % 2 != 0 || !(2..=24).contains(&n_blocks) {
            let expected = "an even number from 2 to 24";
            return Err(StatsError::Setting {
                what: "the number of blocks",
                value: n_blocks as f64,
                expected,
            });
        }
        if panel.n_arms() < 2 {
            return Err(StatsError::TooFew { what: "arms", found: panel.n_arms(), least: 2 });
        }
        if panel.n_periods() < 2 * n_blocks {
            let found = panel.n_periods();
            return Err(StatsError::TooFew { what: "periods", found, least: 2 * n_blocks });
        }
        let blocks = Blocks::new(panel, n_blocks);
        let chosen: Vec<u32> =
            (0..1_u32 << n_blocks).filter(|set| set.count_ones() as usize == n_blocks / 2).collect();
        let judged: Vec<(f64, bool)> = chosen
            .par_iter()
            .map_init(|| Halves::new(panel.n_arms()), |halves, set| halves.judge(&blocks, *set))
            .collect();
        let n = judged.len() as f64;
        let share =
            |is: &dyn Fn(&(f64, bool)) -> bool| judged.iter().filter(|split| is(split)).count() as f64 / n;
        Ok(Self {
            probability: share(&|split| split.0 <= 0.0),
            probability_of_loss: share(&|split| split.1),
            logits: judged.iter().map(|split| split.0).collect(),
        })
    }
}

/// Sums per block and arm.
struct Blocks {
    n_blocks: usize,
    /// Periods of half of the blocks.
    n_half: f64,
    /// By block, then arm: sums of the returns less `means`, and of their squares.
    sums: Vec<[f64; 2]>,
    /// By arm, over all periods.
    means: Vec<f64>,
}

impl Blocks {
    fn new(panel: &Panel, n_blocks: usize) -> Self {
        let (n_arms, length) = (panel.n_arms(), panel.n_periods() / n_blocks);
        let first = panel.n_periods() - length * n_blocks;
        let means: Vec<f64> = panel.moments().iter().map(|m: &Moments| m.mean).collect();
        let mut sums = vec![[0.0; 2]; n_blocks * n_arms];
        for (block, sums) in sums.chunks_mut(n_arms).enumerate() {
            for t in 0..length {
                let row = panel.period(first + block * length + t);
                for ((sum, r), mean) in sums.iter_mut().zip(row).zip(&means) {
                    let d = r - mean;
                    *sum = [sum[0] + d, sum[1] + d * d];
                }
            }
        }
        Self { n_blocks, n_half: (n_blocks / 2 * length) as f64, sums, means }
    }
}

/// Scratch of one split.
struct Halves {
    sums: [Vec<[f64; 2]>; 2],
    sharpe: [Vec<f64>; 2],
}

impl Halves {
    fn new(n_arms: usize) -> Self {
        let sums = || vec![[0.0; 2]; n_arms];
        Self { sums: [sums(), sums()], sharpe: [vec![0.0; n_arms], vec![0.0; n_arms]] }
    }

    /// The logit of the arm that is best in the blocks of `set`, and whether it loses in the others.
    fn judge(&mut self, blocks: &Blocks, set: u32) -> (f64, bool) {
        let n_arms = blocks.means.len();
        self.sums.iter_mut().for_each(|half| half.fill([0.0; 2]));
        for block in 0..blocks.n_blocks {
            let half = &mut self.sums[usize::from(set >> block & 1 == 0)];
            for (sum, own) in half.iter_mut().zip(&blocks.sums[block * n_arms..]) {
                *sum = [sum[0] + own[0], sum[1] + own[1]];
            }
        }
        for (half, sharpe) in self.sums.iter().zip(&mut self.sharpe) {
            for ((sharpe, sums), mean) in sharpe.iter_mut().zip(half).zip(&blocks.means) {
                *sharpe = ratio(*sums, blocks.n_half, *mean);
            }
        }
        let [inside, outside] = &self.sharpe;
        // The first of equals.
        let best = (1..n_arms).fold(0, |best, arm| if inside[arm] > inside[best] { arm } else { best });
        let below = outside.iter().filter(|s| **s < outside[best]).count();
        let equal = outside.iter().filter(|s| **s == outside[best]).count();
        let rank = below as f64 + (equal as f64 + 1.0) / 2.0;
        ((rank / (n_arms as f64 + 1.0 - rank)).ln(), outside[best] < 0.0)
    }
}

/// Sharpe ratio from sums of `n` returns less `shift`, and of their squares; without spread 0 or, with a mean, infinite.
fn ratio([sum, squares]: [f64; 2], n: f64, shift: f64) -> f64 {
    let mean = shift + sum / n;
    let variance = (squares - sum * sum / n) / (n - 1.0);
    match variance.max(0.0).sqrt() {
        sd if sd > ROUNDING => mean / sd,
        _ if mean.abs() <= ROUNDING => 0.0,
        _ => f64::INFINITY.copysign(mean),
    }
}

#[cfg(test)]
mod tests;
