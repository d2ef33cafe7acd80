//! A small market and observations of it.

use chrono::{Days, NaiveDate};
use market_data::{BarSeries, Columns};
use trading_env::{Account, Action, ActionMask, Observation};

/// Twelve bars whose closes rise from 100 by 1 and fall back every third day; two news items a day from day 2 on.
pub(crate) fn columns() -> Columns {
    let start = NaiveDate::from_ymd_opt(2020, 1, 6).unwrap();
    let dates = (0..12).map(|i| start + Days::new(i)).collect();
    let closes = (0..12).map(|i| 100.0 + f64::from(i) - if i % 3 == 2 { 2.5 } else { 0.0 }).collect();
    let mut columns = Columns::of_closes(dates, closes);
    for (i, news) in columns.news.iter_mut().enumerate().skip(2) {
        *news = vec![format!("Acme raises target {i}"), format!("Acme opens office {i}")];
    }
    columns
}

pub(crate) fn series(columns: Columns) -> BarSeries {
    BarSeries::from_columns("ACME", None, columns).unwrap()
}

/// What stands besides the market in an observation.
pub(crate) struct Own {
    pub account: Account,
    pub rewards: Vec<f64>,
    pub equities: Vec<f64>,
    pub actions: Vec<Action>,
}

impl Own {
    pub fn fresh() -> Self {
        Self { account: Account::new(1000.0, 100.0), rewards: vec![], equities: vec![], actions: vec![] }
    }

    /// Bought at 100.5 and holding for two steps.
    pub fn holding() -> Self {
        let mut account = Account::new(1000.0, 102.5);
        account.cash = 0.25;
        account.shares = 9.948_51;
        Self {
            account,
            rewards: vec![0.0, 0.0123456, -0.002],
            equities: vec![1000.0, 1012.3456789, 1019.97],
            actions: vec![Action::Buy, Action::Hold, Action::Hold],
        }
    }

    pub fn observe<'a>(&'a self, series: &'a BarSeries, t: usize) -> Observation<'a> {
        Observation {
            history: series.until(t),
            account: &self.account,
            mask: ActionMask::ALL,
            rewards: &self.rewards,
            equities: &self.equities,
            actions: &self.actions,
        }
    }
}
