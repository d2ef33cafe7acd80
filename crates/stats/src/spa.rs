//! [`Spa`]: whether the best of many arms beats a benchmark by more than the search explains.

use rayon::prelude::*;

use crate::stationary::{check_block, draw};
use crate::{Bootstrap, Panel, StatsError};

/// Hansen's test of superior predictive ability and White's Reality Check of the arms of a search, against "no arm has
/// a higher mean return than the benchmark". p-values are shares of resamples: 0 of 10,000 is below 0.0001.
#[derive(Debug, Clone, PartialEq)]
pub struct Spa {
    /// `max_k sqrt(n) mean_k / omega_k` over the arms with spread (Hansen 2005), not cut at 0.
    pub statistic: f64,
    /// The arm with that maximum.
    pub best: usize,
    /// p-value that takes arms behind the benchmark for arms without merit: a lower bound.
    pub lower: f64,
    /// p-value that leaves out arms that are clearly behind: Hansen's.
    pub consistent: f64,
    /// p-value that takes all arms as good as the benchmark: an upper bound.
    pub upper: f64,
    /// p-value of White's Reality Check: as `upper`, of means that are not divided by their errors.
    pub reality_check: f64,
}

impl Spa {
    /// Of the returns in excess of the benchmark ([`Panel::excess_over`]), with the stationary bootstrap in blocks of
    /// `block` periods on average. `None` when no arm differs from the benchmark.
    ///
    /// # Errors
    /// For fewer than 3 periods and for a block below 1.
    pub fn new(excess: &Panel, block: f64, bootstrap: &Bootstrap) -> Result<Option<Self>, StatsError> {
        let tested = Tested::new(excess, block)?;
        let means = tested.resampled_means(excess, block, bootstrap);
        Ok(tested.spa(&means))
    }
}

/// Arms with spread, their means and errors.
pub(crate) struct Tested {
    pub(crate) n_periods: usize,
    /// Arm of each entry below.
    pub(crate) arms: Vec<usize>,
    pub(crate) means: Vec<f64>,
    /// Long-run standard deviation, `omega`.
    pub(crate) omegas: Vec<f64>,
}

/// Means of the tested arms, resample by resample.
pub(crate) struct ResampledMeans {
    pub(crate) n_arms: usize,
    pub(crate) rows: Vec<f64>,
}

impl Tested {
    pub(crate) fn new(excess: &Panel, block: f64) -> Result<Self, StatsError> {
        check_block(block)?;
        if excess.n_periods() < 3 {
            return Err(StatsError::TooFew { what: "periods", found: excess.n_periods(), least: 3 });
        }
        let moments = excess.moments();
        let omega = |arm: usize| {
            let series = excess.arm(arm);
            moments[arm].spread().map(|_| (arm, moments[arm].mean, omega(&series, moments[arm].mean, block)))
        };
        let rows: Vec<_> = (0..excess.n_arms()).into_par_iter().filter_map(omega).collect();
        // A rounding can leave no error: such an arm cannot be tested.
        let rows = || rows.iter().filter(|row| row.2 > 0.0);
        Ok(Self {
            n_periods: excess.n_periods(),
            arms: rows().map(|row| row.0).collect(),
            means: rows().map(|row| row.1).collect(),
            omegas: rows().map(|row| row.2).collect(),
        })
    }

    /// Draws the periods of each resample, the same for all arms.
    pub(crate) fn resampled_means(
        &self,
        excess: &Panel,
        block: f64,
        bootstrap: &Bootstrap,
    ) -> ResampledMeans {
        let n = self.n_periods;
        let rows = bootstrap.run(
            || (vec![0_u32; n], vec![0_u32; n]),
            |(periods, counts), stream| {
                draw(periods, block, stream);
                counts.fill(0);
                periods.iter().for_each(|t| counts[*t as usize] += 1);
                self.means_of(excess, counts)
            },
        );
        ResampledMeans { n_arms: self.arms.len(), rows: rows.into_iter().flatten().collect() }
    }

    /// Means when periods count several times.
    pub(crate) fn means_of(&self, excess: &Panel, counts: &[u32]) -> Vec<f64> {
        let mut sums = vec![0.0; excess.n_arms()];
        for (t, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let count = f64::from(*count);
            sums.iter_mut().zip(excess.period(t)).for_each(|(sum, r)| *sum += count * r);
        }
        self.arms.iter().map(|arm| sums[*arm] / self.n_periods as f64).collect()
    }

    pub(crate) fn spa(&self, resampled: &ResampledMeans) -> Option<Spa> {
        let root = (self.n_periods as f64).sqrt();
        let studentised = |i: usize| root * self.means[i] / self.omegas[i];
        let best = (0..self.arms.len())
            .reduce(|best, i| if studentised(i) > studentised(best) { i } else { best })?;
        // Hansen 2005: behind by more than the law of the iterated logarithm allows.
        let bound = -(2.0 * (self.n_periods as f64).ln().ln()).sqrt();
        let behind = |i: usize| studentised(i) < bound;
        let centred = |centre: &(dyn Fn(usize) -> f64 + Sync)| -> Vec<f64> {
            (0..self.arms.len()).map(centre).collect()
        };
        let unit = vec![1.0; self.arms.len()];
        let p = |centres: &[f64], scales: &[f64]| {
            let most = |means: &[f64]| {
                let centred =
                    means.iter().zip(centres).zip(scales).map(|((mean, centre), s)| (mean - centre) / s);
                centred.fold(f64::NEG_INFINITY, f64::max)
            };
            let observed = self.means.iter().zip(scales).map(|(mean, s)| mean / s);
            let observed = observed.fold(f64::NEG_INFINITY, f64::max);
            let rows = resampled.rows.par_chunks(resampled.n_arms);
            let n = rows.len() as f64;
            rows.filter(|means| most(means) > observed).count() as f64 / n
        };
        Some(Spa {
            statistic: studentised(best),
            best: self.arms[best],
            lower: p(&centred(&|i| self.means[i].max(0.0)), &self.omegas),
            consistent: p(&centred(&|i| if behind(i) { 0.0 } else { self.means[i] }), &self.omegas),
            upper: p(&self.means, &self.omegas),
            reality_check: p(&self.means, &unit),
        })
    }
}

/// Standard deviation of `sqrt(n)` times the mean under the stationary bootstrap (Politis and Romano 1994):
/// `gamma_0 + 2 sum_i k(i) gamma_i` with `k(i) = (1 - i/n) (1 - p)^i + i/n (1 - p)^(n - i)`, `p = 1 / block`.
fn omega(series: &[f64], mean: f64, block: f64) -> f64 {
    let n = series.len();
    let (size, stays) = (n as f64, 1.0 - 1.0 / block);
    let eps: Vec<f64> = series.iter().map(|r| r - mean).collect();
    let product = |lag: usize| eps[lag..].iter().zip(&eps).map(|(a, b)| a * b).sum::<f64>() / size;
    let kernel = |lag: usize| {
        let share = lag as f64 / size;
        (1.0 - share) * stays.powi(lag as i32) + share * stays.powi((n - lag) as i32)
    };
    let variance = product(0) + (1..n).map(|lag| 2.0 * kernel(lag) * product(lag)).sum::<f64>();
    variance.max(0.0).sqrt()
}

#[cfg(test)]
mod tests;
