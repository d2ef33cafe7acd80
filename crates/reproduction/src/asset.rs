//! The assets of the tables and the windows that their numbers can be of.

use chrono::NaiveDate;
use market_data::BarSeries;
use serde::Serialize;

use crate::convention::{Convention, Count};

/// An asset of the published tables.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asset {
    /// Its name, for example `MSFT`.
    pub symbol: &'static str,
    /// First day of the test window.
    pub from: &'static str,
    /// Last day of the test window as the paper states it.
    pub to: &'static str,
    /// Prices from the first to the stated last day: for what can be said without them.
    pub n_prices: usize,
    /// Whether the data of INVESTOR-BENCH have it.
    pub has_data: bool,
    /// The convention that its Buy & Hold row was computed by.
    pub reference: Convention,
}

const STOCK: Asset = Asset {
    symbol: "",
    from: "2020-10-01",
    to: "2021-05-06",
    n_prices: 150,
    has_data: true,
    reference: Convention {
        window: Window::DayEarlier,
        return_days: 252,
        volatility_days: 252,
        count: Count::Prices,
    },
};
const MIXED: Convention =
    Convention { window: Window::Stated, return_days: 252, volatility_days: 365, count: Count::Prices };

/// In the order of the tables.
pub const ASSETS: [Asset; 6] = [
    Asset { symbol: "MSFT", ..STOCK },
    Asset { symbol: "JNJ", ..STOCK },
    Asset { symbol: "UVV", ..STOCK },
    Asset { symbol: "HON", ..STOCK },
    Asset { symbol: "TSLA", has_data: false, reference: MIXED, ..STOCK },
    Asset {
        symbol: "BTC",
        from: "2023-04-05",
        to: "2023-11-05",
        n_prices: 215,
        has_data: true,
        reference: MIXED,
    },
];

/// Where a test window ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// At the last day that the paper states.
    Stated,
    /// At the price before it: the last decision has nothing to earn, so evaluations often end one day early.
    DayEarlier,
}

impl Window {
    /// Both.
    pub const ALL: [Window; 2] = [Window::Stated, Window::DayEarlier];
}

/// Prices of a window and what a day's decision could earn.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices {
    /// Dates of the prices, `n + 1`.
    pub dates: Vec<NaiveDate>,
    /// `ln(P[t+1] / P[t])`, `n`.
    pub log_returns: Vec<f64>,
}

impl Asset {
    /// The prices of `window`; `None` where the series has fewer than three in it.
    pub fn prices(&self, series: &BarSeries, window: Window) -> Option<Prices> {
        let day = |text: &str| text.parse().expect("invariant: the assets' days are dates");
        let mut range = series.between(day(self.from), day(self.to));
        if window == Window::DayEarlier {
            range.end = range.end.max(range.start + 1) - 1;
        }
        if range.len() < 3 {
            return None;
        }
        let log_returns = series.closes()[range.clone()].windows(2).map(|p| (p[1] / p[0]).ln()).collect();
        Some(Prices { dates: series.dates()[range].to_vec(), log_returns })
    }

    /// Prices in `window`, where the prices themselves are not there.
    pub(crate) fn n_prices_without_data(&self, window: Window) -> usize {
        match window {
            Window::Stated => self.n_prices,
            Window::DayEarlier => self.n_prices - 1,
        }
    }
}
