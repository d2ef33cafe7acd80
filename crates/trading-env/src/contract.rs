//! The promises that rewards, rules, agents and backends keep, as checks that their crates' tests call.
//!
//! A suite takes a plugin and the settings that have no default, and panics with the promise that is broken. Built-in
//! plugins pass through the same suites.

mod agent;
mod backend;
mod reward;
mod rules;

pub use agent::{agent, check_agent, check_no_future, check_training};
pub use backend::backend;
pub use reward::reward;
pub use rules::rules;

use chrono::{Days, NaiveDate};
use market_data::{BarSeries, Columns};
use rand::RngExt;

use crate::rng;

/// Moves of 1 %, each of which reverses the one before with probability 0.9; a headline names the last direction.
fn market(seed: u64, n_bars: usize) -> BarSeries {
    let mut rng = rng(seed, "market");
    let (mut price, mut up) = (100.0, true);
    let first = NaiveDate::from_ymd_opt(2001, 1, 1).expect("invariant: a day of the calendar");
    let mut columns = Columns::default();
    for i in 0..n_bars {
        up ^= rng.random_bool(0.9);
        let open = price;
        price *= if up { 1.01 } else { 1.0 / 1.01 };
        columns.date.push(first + Days::new(i as u64));
        columns.open.push(Some(open));
        columns.high.push(Some(open.max(price)));
        columns.low.push(Some(open.min(price)));
        columns.close.push(price);
        columns.volume.push(Some(1000.0));
        let word = if up { "Shares gain on strong demand" } else { "Shares slip on weak demand" };
        columns.news.push(vec![word.to_owned()]);
    }
    BarSeries::from_columns("TEST", Some(252.0), columns).expect("invariant: prices rise and fall by 1 %")
}

/// A copy in which everything after bar `t` is something else.
fn another_future(series: &BarSeries, t: usize) -> BarSeries {
    let mut columns = series.columns(0..series.len());
    for bar in t + 1..series.len() {
        let factor = 1.5 + (bar % 3) as f64;
        columns.close[bar] *= factor;
        for price in [&mut columns.open[bar], &mut columns.high[bar], &mut columns.low[bar]] {
            *price = price.map(|p| p * factor);
        }
        columns.volume[bar] = Some(1.0);
        columns.news[bar] = vec!["Something else happened".to_owned()];
    }
    BarSeries::from_columns(series.symbol(), Some(series.periods_per_year()), columns)
        .expect("invariant: scaled bars are bars")
}

#[cfg(test)]
mod tests;
