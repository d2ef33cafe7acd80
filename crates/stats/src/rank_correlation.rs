//! Spearman's rank correlation.

use crate::Moments;

/// Spearman's rank correlation (1904) of `a` and `b`, pair by pair: the correlation of their ranks, ties at their mean
/// rank. `None` where one of them never varies, holds what is not a number, or they are not equally long.
///
/// Of `n` pairs without any relation its standard deviation is `1 / sqrt(n - 1)`.
pub fn rank_correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() != b.len() || a.iter().chain(b).any(|x| x.is_nan()) {
        return None;
    }
    let (a, b) = (ranks(a), ranks(b));
    let (of_a, of_b) = (Moments::of(&a)?, Moments::of(&b)?);
    let products = a.iter().zip(&b).map(|(x, y)| (x - of_a.mean) * (y - of_b.mean)).sum::<f64>();
    let covariance = products / (a.len() as f64 - 1.0);
    // The last bit may lie beyond a perfect correlation.
    Some((covariance / (of_a.spread()? * of_b.spread()?)).clamp(-1.0, 1.0))
}

/// The rank of each number, 1 the lowest.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |x: &f64| {
        let below = values.iter().filter(|y| *y < x).count();
        let equal = values.iter().filter(|y| *y == x).count();
        below as f64 + (equal as f64 + 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::{rank_correlation, ranks};

    #[test]
    fn ties_have_their_mean_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 7.0, 3.0]), [3.0, 1.0, 3.0, 5.0, 3.0]);
    }

    /// `scipy.stats.spearmanr` of the same numbers.
    #[test]
    fn as_scipy_has_it() {
        let (a, b) = ([0.3, -1.2, 0.3, 2.5, 0.9, 0.0, 7.1], [1.0, 0.2, -0.4, 1.0, 3.3, 0.2, 0.9]);
        let found = rank_correlation(&a, &b).unwrap();
        assert!((found - 0.522_957_788_435_021_4).abs() < 1e-12, "{found}");
    }

    #[test]
    fn any_rising_curve_is_one_and_any_falling_one_minus_one() {
        let a: Vec<f64> = (0..9).map(f64::from).collect();
        let (rising, falling): (Vec<f64>, Vec<f64>) = a.iter().map(|x| (x.exp(), -x.powi(3))).unzip();
        assert_eq!((rank_correlation(&a, &rising), rank_correlation(&a, &falling)), (Some(1.0), Some(-1.0)));
    }

    #[test]
    fn absent_where_there_are_no_ranks_to_compare() {
        assert_eq!(rank_correlation(&[1.0, 2.0, 3.0], &[4.0, 4.0, 4.0]), None);
        assert_eq!(rank_correlation(&[1.0], &[2.0]), None);
        assert_eq!(rank_correlation(&[], &[]), None);
        assert_eq!(rank_correlation(&[1.0, 2.0], &[1.0, f64::NAN]), None);
        assert_eq!(rank_correlation(&[1.0, 2.0], &[1.0, 2.0, 3.0]), None);
    }
}
