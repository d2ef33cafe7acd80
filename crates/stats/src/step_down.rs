//! p-values of many arms at once.

use crate::spa::{ResampledMeans, Tested};
use crate::{Bootstrap, Panel, StatsError};

/// Adjusted p-values of Holm 1979 in the order of `p`: rejecting those at most `alpha` is wrong about any true hypothesis
/// with probability at most `alpha`, however the tests depend on each other.
///
/// `max over the j-th smallest up to the own one of min(1, (m - j + 1) p_(j))`. An undefined p-value stays undefined and
/// counts among the `m`: the test was made.
pub fn holm(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<usize> = (0..p.len()).filter(|i| p[*i].is_some()).collect();
    order.sort_by(|a, b| p[*a].unwrap_or(1.0).total_cmp(&p[*b].unwrap_or(1.0)));
    let mut adjusted = vec![None; p.len()];
    let mut largest = 0.0_f64;
    for (rank, i) in order.into_iter().enumerate() {
        largest = largest.max((p.len() - rank) as f64 * p[i].unwrap_or(1.0)).min(1.0);
        adjusted[i] = Some(largest);
    }
    adjusted
}

/// Step-down test of Romano and Wolf 2005 of every arm against a benchmark, one-sided, with studentised means and the
/// stationary bootstrap. Unlike [`holm`] it knows how the arms depend on each other.
#[derive(Debug, Clone, PartialEq)]
pub struct RomanoWolf {
    /// p-value of each arm by itself; absent for one that never differs from the benchmark.
    pub single: Vec<Option<f64>>,
    /// p-value of each arm adjusted for all of them.
    pub adjusted: Vec<Option<f64>>,
}

impl RomanoWolf {
    /// Of the returns in excess of the benchmark ([`Panel::excess_over`]), with the stationary bootstrap in blocks of
    /// `block` periods on average.
    ///
    /// p-values are `(1 + count) / (1 + resamples)` of the resamples whose largest centred statistic over the arms that
    /// are not yet rejected reaches the arm's own (Romano and Wolf 2016).
    ///
    /// # Errors
    /// For fewer than 3 periods and for a block below 1.
    pub fn new(excess: &Panel, block: f64, bootstrap: &Bootstrap) -> Result<Self, StatsError> {
        let tested = Tested::new(excess, block)?;
        let means = tested.resampled_means(excess, block, bootstrap);
        Ok(Self::of(&tested, &means, excess.n_arms()))
    }

    pub(crate) fn of(tested: &Tested, resampled: &ResampledMeans, n_arms: usize) -> Self {
        let observed: Vec<f64> =
            tested.means.iter().zip(&tested.omegas).map(|(mean, omega)| mean / omega).collect();
        let mut order: Vec<usize> = (0..observed.len()).collect();
        order.sort_by(|a, b| observed[*b].total_cmp(&observed[*a]));
        let (mut single, mut joint) = (vec![0_usize; order.len()], vec![0_usize; order.len()]);
        let rows = resampled.rows.chunks(resampled.n_arms.max(1));
        let n = rows.len();
        for row in rows {
            // From the weakest arm up, the largest of it and all weaker ones.
            let mut largest = f64::NEG_INFINITY;
            for &i in order.iter().rev() {
                let statistic = (row[i] - tested.means[i]) / tested.omegas[i];
                largest = largest.max(statistic);
                single[i] += usize::from(statistic >= observed[i]);
                joint[i] += usize::from(largest >= observed[i]);
            }
        }
        let p = |count: usize| (1 + count) as f64 / (1 + n) as f64;
        let mut result = Self { single: vec![None; n_arms], adjusted: vec![None; n_arms] };
        let mut so_far = 0.0_f64;
        for i in order {
            so_far = so_far.max(p(joint[i]));
            result.single[tested.arms[i]] = Some(p(single[i]));
            result.adjusted[tested.arms[i]] = Some(so_far);
        }
        result
    }
}

#[cfg(test)]
mod tests;
