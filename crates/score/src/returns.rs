//! Return series from `date,return` files.

use std::path::Path;

use chrono::NaiveDate;

use crate::ScoreError;
use crate::table::{read, shown, wrong};

/// Simple returns per period with their dates.
#[derive(Debug, Clone, PartialEq)]
pub struct Returns {
    /// Dates, strictly increasing.
    pub dates: Vec<NaiveDate>,
    /// Simple returns, finite, one per date.
    pub returns: Vec<f64>,
}

/// Reads a CSV file with the columns `date` (ISO, strictly increasing) and `return` (finite numbers, fractions).
///
/// # Errors
/// The first line that is not so, with what was found and what is accepted.
pub fn read_returns_csv(path: &Path) -> Result<Returns, ScoreError> {
    let mut returns = Returns { dates: Vec::new(), returns: Vec::new() };
    for row in read(path, "return")? {
        let number = row.value.parse::<f64>().ok().filter(|r| r.is_finite());
        let expected = "a finite number such as 0.012 or 1.2e-05 in column `return`";
        returns.returns.push(number.ok_or_else(|| wrong(path, row.line, shown(&row.value), expected))?);
        returns.dates.push(row.date);
    }
    Ok(returns)
}

#[cfg(test)]
mod tests;
