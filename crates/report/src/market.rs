//! Prices and news of a test window, as the agents saw them.

use chrono::NaiveDate;
use market_data::Periods;

/// What the page of a run shows beside its actions.
#[derive(Debug, Clone, PartialEq)]
pub struct Market {
    /// Content digest of the data, as in the manifests of the runs.
    pub fingerprint: String,
    /// Periods per year of the data.
    pub periods: Periods,
    /// The days of the test window, ascending.
    pub days: Vec<MarketDay>,
}

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct MarketDay {
    /// Its date.
    pub date: NaiveDate,
    /// Its close.
    pub close: f64,
    /// What was known at its close.
    pub news: Vec<String>,
}

impl Market {
    /// The day of a date, if there is one.
    pub(crate) fn day(&self, date: NaiveDate) -> Option<&MarketDay> {
        let place = self.days.binary_search_by_key(&date, |day| day.date).ok()?;
        self.days.get(place)
    }
}
