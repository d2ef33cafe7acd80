//! Why columns are not a valid series.

use chrono::NaiveDate;

/// A bar, or a set of bars, that [`crate::BarSeries`] does not accept.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SeriesError {
    /// A series has at least two bars.
    #[error("found {found} bars, expected at least 2")]
    TooFewBars {
        /// Number of bars.
        found: usize,
    },
    /// The columns differ in length.
    #[error("column `{column}` has {found} values, expected {expected}, one per date")]
    Length {
        /// The column.
        column: &'static str,
        /// Its length.
        found: usize,
        /// Number of dates.
        expected: usize,
    },
    /// The same date twice.
    #[error("date {date} twice, expected each date once")]
    DuplicateDate {
        /// Index of the second of the two bars.
        bar: usize,
        /// Their date.
        date: NaiveDate,
    },
    /// A date before the one of the previous bar.
    #[error("date {date} after {previous}, expected ascending dates")]
    UnsortedDate {
        /// Index of the bar with the earlier date.
        bar: usize,
        /// Its date.
        date: NaiveDate,
        /// Date of the bar before it.
        previous: NaiveDate,
    },
    /// A price or volume out of range.
    #[error("{date}: `{column}` is {value}, expected {expected}")]
    Value {
        /// Index of the bar.
        bar: usize,
        /// Its date.
        date: NaiveDate,
        /// The column.
        column: &'static str,
        /// What was found.
        value: f64,
        /// What is accepted.
        expected: &'static str,
    },
    /// A price outside of the bar's low and high, or a high below the low.
    #[error("{date}: `{column}` is {value}, expected a price between `low` ({low}) and `high` ({high})")]
    Range {
        /// Index of the bar.
        bar: usize,
        /// Its date.
        date: NaiveDate,
        /// The column.
        column: &'static str,
        /// What was found.
        value: f64,
        /// The bar's low.
        low: f64,
        /// The bar's high.
        high: f64,
    },
    /// Periods per year out of range.
    #[error("periods per year is {value}, expected a finite number > 0")]
    PeriodsPerYear {
        /// What was found.
        value: f64,
    },
}

impl SeriesError {
    /// Index of the bar at which the problem shows, where it belongs to one.
    pub fn bar(&self) -> Option<usize> {
        match self {
            Self::DuplicateDate { bar, .. }
            | Self::UnsortedDate { bar, .. }
            | Self::Value { bar, .. }
            | Self::Range { bar, .. } => Some(*bar),
            Self::TooFewBars { .. } | Self::Length { .. } | Self::PeriodsPerYear { .. } => None,
        }
    }
}
