//! [`MonthlyTable`]: compounded returns by calendar month.

use serde::{Deserialize, Serialize};

use crate::StatsError;
use crate::error::{all_finite, finite};

/// Returns compounded by month, one row per year, ascending.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MonthlyTable {
    /// Years from the first to the last that has a return; a year without any has none.
    pub years: Vec<YearOfMonths>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct YearOfMonths {
    /// The calendar year.
    pub year: i32,
    /// `prod(1 + r) - 1` of each month, January first; absent where there is no return.
    pub months: [Option<f64>; 12],
    /// `prod(1 + r) - 1` of the year.
    pub total: Option<f64>,
}

impl MonthlyTable {
    /// Of one return per period; `dates` holds the year and the month (1 to 12) of each period's end, ascending.
    ///
    /// # Errors
    /// For different lengths, for a return that is not finite, and for months out of range or out of order.
    pub fn new(dates: &[(i32, u32)], returns: &[f64]) -> Result<Self, StatsError> {
        if dates.len() != returns.len() {
            return Err(StatsError::Lengths { found: dates.len(), expected: returns.len() });
        }
        all_finite(returns)?;
        // Growth until the end.
        let mut years: Vec<YearOfMonths> = Vec::new();
        let mut last = (i32::MIN, 0);
        for (&(year, month), r) in dates.iter().zip(returns) {
            if !(1..=12).contains(&month) || (year, month) < last {
                return Err(StatsError::Month { year, month });
            }
            if year != last.0 {
                years.push(YearOfMonths { year, months: [None; 12], total: None });
            }
            last = (year, month);
            if let Some(row) = years.last_mut() {
                for growth in [&mut row.months[month as usize - 1], &mut row.total] {
                    *growth = Some(growth.unwrap_or(1.0) * (1.0 + r));
                }
            }
        }
        for growth in years.iter_mut().flat_map(|row| row.months.iter_mut().chain([&mut row.total])) {
            *growth = growth.and_then(|g| finite(g - 1.0));
        }
        Ok(Self { years })
    }
}

#[cfg(test)]
mod tests;
