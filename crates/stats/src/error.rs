//! Why numbers have no statistic: wrong input, as opposed to one that is undefined.

/// What is wrong with the input.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StatsError {
    /// There is no return.
    #[error("found no returns, expected at least 1")]
    Empty,
    /// A return is NaN or infinite.
    #[error("return {index} is {value}, expected a finite number")]
    NotFinite {
        /// Its position, from 0.
        index: usize,
        /// What was found.
        value: f64,
    },
    /// Periods per year out of range.
    #[error("periods per year is {value}, expected a finite number > 0")]
    PeriodsPerYear {
        /// What was found.
        value: f64,
    },
    /// Two series that shall cover the same periods do not.
    #[error("found {found} entries beside {expected}, expected as many")]
    Lengths {
        /// Entries of this series.
        found: usize,
        /// Entries of the one beside it.
        expected: usize,
    },
    /// There are not enough of something.
    #[error("found {found} {what}, expected at least {least}")]
    TooFew {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many are needed.
        least: usize,
    },
    /// A setting out of range.
    #[error("{what} is {value}, expected {expected}")]
    Setting {
        /// Its name.
        what: &'static str,
        /// What was found.
        value: f64,
        /// What is accepted.
        expected: &'static str,
    },
    /// A date before the one ahead of it.
    #[error("month {month} of {year} follows a later one, expected ascending months from 1 to 12")]
    Month {
        /// The year.
        year: i32,
        /// The month as given.
        month: u32,
    },
}

/// Checks that all are finite.
pub(crate) fn all_finite(returns: &[f64]) -> Result<(), StatsError> {
    match returns.iter().copied().enumerate().find(|(_, r)| !r.is_finite()) {
        Some((index, value)) => Err(StatsError::NotFinite { index, value }),
        None => Ok(()),
    }
}

/// Checks that periods per year are finite and above 0.
pub(crate) fn periods(periods_per_year: f64) -> Result<(), StatsError> {
    if periods_per_year.is_finite() && periods_per_year > 0.0 {
        return Ok(());
    }
    Err(StatsError::PeriodsPerYear { value: periods_per_year })
}

/// `x` where it is a number that JSON can hold.
pub(crate) fn finite(x: f64) -> Option<f64> {
    // A loss of exactly nothing is 0, not -0: JSON would show the sign.
    x.is_finite().then_some(x + 0.0)
}
