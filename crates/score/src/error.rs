//! What can be wrong with the input of a score.

use std::path::PathBuf;

use chrono::NaiveDate;

/// Wrong input. Lines are physical lines of the file, the header is line 1.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScoreError {
    /// The file cannot be read.
    #[error("{}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A line is not as it should be.
    #[error("{}:{line}: expected {expected}, found {found}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Physical line, from 1.
        line: usize,
        /// What was found.
        found: String,
        /// What is accepted.
        expected: String,
    },
    /// There is a header at most.
    #[error("{}: found no rows, expected a header and at least one row", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
    },
    /// The window holds too few prices.
    #[error("{from} .. {to} holds {found} prices, expected at least 2; the data are from {first} to {last}")]
    Window {
        /// Start of the window.
        from: NaiveDate,
        /// End of the window.
        to: NaiveDate,
        /// Prices in it.
        found: usize,
        /// First date of the data.
        first: NaiveDate,
        /// Last date of the data.
        last: NaiveDate,
    },
    /// Decisions on dates without a price.
    #[error(
        "{origin}: found a decision on {first}, expected only dates with a price in the data; {count} such in the window"
    )]
    NoPrice {
        /// File and line of the first, or `decisions`.
        origin: String,
        /// Date of the first.
        first: NaiveDate,
        /// How many there are in the window.
        count: usize,
    },
    /// Dates of the window without a decision.
    #[error(
        "{origin}: expected a decision on every date of the window but the last, found none on {first} and {count} missing in all"
    )]
    Missing {
        /// The file, or `decisions`.
        origin: String,
        /// Date of the first.
        first: NaiveDate,
        /// How many there are in the window.
        count: usize,
    },
    /// An option is out of range.
    #[error("{option}: expected a finite number above 0, found {found}")]
    Option {
        /// The option.
        option: &'static str,
        /// What was found.
        found: f64,
    },
    /// There is nothing to score.
    #[error(transparent)]
    Stats(#[from] stats::StatsError),
}
