//! Periods per year, by which numbers are annualised.

#[cfg(test)]
mod tests;

use std::fmt;

use chrono::{Datelike, NaiveDate, Weekday};

/// Periods per year of bars, and what they were derived from.
#[derive(Debug, Clone, PartialEq)]
pub struct Periods {
    /// Periods per year, > 0.
    pub per_year: f64,
    /// Why, as a clause: `daily bars, 28.8% of them on weekends`.
    pub reason: String,
}

/// Share of bars on Saturdays and Sundays from which on a market is one that never closes, where it is 2 of 7.
/// Exchanges that trade from Sunday to Thursday have 1 of 5, currencies with a short bar on Sundays 1 of 6.
const ALWAYS_OPEN: f64 = 0.25;

/// Days between bars, from the lower to the upper bound, with the name of such bars and their number per year.
const LONGER: [(f64, f64, &str, f64); 4] = [
    (4.5, 10.0, "weekly", 52.0),
    (25.0, 35.0, "monthly", 12.0),
    (80.0, 100.0, "quarterly", 4.0),
    (350.0, 380.0, "yearly", 1.0),
];

impl Periods {
    /// What follows from the dates of bars, at least one: daily bars have 365 periods per year where at least a quarter of
    /// them fall on weekends and both of its days occur, else 252; weekly ones 52, monthly ones 12. The median of the days
    /// between neighbours decides which of these they are, so that holidays and gaps do not count.
    pub fn of(dates: &[NaiveDate]) -> Self {
        let mut gaps: Vec<i64> = dates.windows(2).map(|pair| (pair[1] - pair[0]).num_days()).collect();
        gaps.sort_unstable();
        let middle = |i: usize| gaps.get(i).copied().unwrap_or(1) as f64;
        // Without neighbours: as if they were daily.
        let median = match gaps.len() {
            n if n % 2 == 0 && n > 0 => (middle(n / 2 - 1) + middle(n / 2)) / 2.0,
            n => middle(n / 2),
        };
        if median < LONGER[0].0 {
            return Self::daily(dates);
        }
        let longer = LONGER.iter().find(|(from, to, ..)| (*from..=*to).contains(&median));
        let (name, per_year) = match longer {
            Some((_, _, name, per_year)) => (*name, *per_year),
            None => ("other", 365.25 / median),
        };
        Self { per_year, reason: format!("{name} bars, {median} days apart (median)") }
    }

    /// Given ones, with what the dates say of them.
    pub fn given(per_year: f64, dates: &[NaiveDate]) -> Self {
        let own = Self::of(dates);
        if own.per_year == per_year {
            return own;
        }
        Self { per_year, reason: format!("as given; the dates alone would give {own}") }
    }

    fn daily(dates: &[NaiveDate]) -> Self {
        let on = |day: Weekday| dates.iter().filter(|d| d.weekday() == day).count();
        let [saturdays, sundays] = [Weekday::Sat, Weekday::Sun].map(on);
        let share = (saturdays + sundays) as f64 / dates.len().max(1) as f64;
        let never_closes = share >= ALWAYS_OPEN && saturdays > 0 && sundays > 0;
        let which = match (saturdays, sundays) {
            (0, 0) => "none of them on a weekend".to_owned(),
            (0, _) => format!("{:.1}% of them on Sundays", 100.0 * share),
            (_, 0) => format!("{:.1}% of them on Saturdays", 100.0 * share),
            _ => format!("{:.1}% of them on weekends", 100.0 * share),
        };
        Self { per_year: if never_closes { 365.0 } else { 252.0 }, reason: format!("daily bars, {which}") }
    }
}

impl fmt::Display for Periods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.per_year, self.reason)
    }
}
