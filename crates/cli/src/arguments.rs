//! Values of options.

use std::num::NonZeroUsize;

use chrono::NaiveDate;

/// A finite number above 0.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    finite(text).filter(|x| *x > 0.0).ok_or_else(|| "expected a finite number above 0".to_owned())
}

/// A finite number, 0 or above.
pub(crate) fn not_negative(text: &str) -> Result<f64, String> {
    finite(text).filter(|x| *x >= 0.0).ok_or_else(|| "expected a finite number, 0 or above".to_owned())
}

/// A whole number above 0.
pub(crate) fn count(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "expected a whole number above 0".to_owned())
}

/// An ISO date.
pub(crate) fn date(text: &str) -> Result<NaiveDate, String> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10);
    date.ok_or_else(|| "expected a date such as 2020-10-01".to_owned())
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|x: &f64| x.is_finite())
}
