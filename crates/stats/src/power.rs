//! How likely a window shows a Sharpe ratio that is there.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use statrs::function::beta::beta_reg;
use statrs::function::gamma::ln_gamma;

use crate::error::finite;

/// Probability that `n` independent normal returns with the annual Sharpe ratio `annual_sharpe` are found to have a mean
/// above 0 by the one-sided t test of `size` (0.05):
/// `P(T > t)` with `t` the `1 - size` quantile of Student's t with `n - 1` degrees of freedom and `T` of the noncentral
/// t with `n - 1` and noncentrality `annual_sharpe * sqrt(n / P)`.
///
/// The noncentral distribution as Lenth 1989, algorithm AS 243. Absent for fewer than two returns.
///
/// # Panics
/// When `size` is not between 0 and 0.5, or `periods_per_year` not above 0.
pub fn power_of_window(annual_sharpe: f64, n: usize, periods_per_year: f64, size: f64) -> Option<f64> {
    assert!(size > 0.0 && size < 0.5, "a size is between 0 and 0.5, found {size}");
    assert!(periods_per_year > 0.0, "periods per year are above 0, found {periods_per_year}");
    let freedom = n.checked_sub(1).filter(|f| *f > 0)? as f64;
    let critical = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(1.0 - size);
    let shift = annual_sharpe * (n as f64 / periods_per_year).sqrt();
    // The series counts from exp(-shift^2 / 2), which a float has to hold; that far out the test is certain.
    match shift {
        s if s > 37.0 => Some(1.0),
        s if s < -37.0 => Some(0.0),
        s => finite((1.0 - noncentral_t(critical, freedom, s)).clamp(0.0, 1.0)),
    }
}

/// `P(T <= t)` for `t >= 0`.
fn noncentral_t(t: f64, freedom: f64, shift: f64) -> f64 {
    let x = t * t / (t * t + freedom);
    let half = shift * shift / 2.0;
    // Poisson weights, and those of the half-integers between them.
    let (mut p, mut q) = ((-half).exp(), shift / 2.0_f64.sqrt() * (-half - ln_gamma(1.5)).exp());
    let (mut sum, mut left) = (0.0, 1.0 - p);
    let mut j = 0.0;
    loop {
        sum += p * beta_reg(j + 0.5, freedom / 2.0, x) + q * beta_reg(j + 1.0, freedom / 2.0, x);
        j += 1.0;
        // What is left of the weights bounds the rest of the sum, once past their peak.
        if (left < 1e-14 && j > half) || j > 5_000.0 {
            break;
        }
        p *= half / j;
        q *= half / (j + 0.5);
        left -= p;
    }
    Normal::standard().cdf(-shift) + sum / 2.0
}

#[cfg(test)]
mod tests;
