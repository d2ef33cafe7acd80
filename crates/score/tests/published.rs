//! Buy & Hold of the published tables from the published prices; runs where `FLAGLAB_DATA` names the folder of real data.

#![allow(clippy::unwrap_used, reason = "all of it is test code")]

use std::path::PathBuf;
use std::sync::Arc;

use chrono::NaiveDate;
use market_data::{BarSeries, Columns, Segment};
use score::{Decisions, EvaluateOptions, evaluate, rescore};
use trading_env::{Action, InvestorBench};

/// Prices of an InvestorBench file, read here without the data sources: `{date: {"prices": number, ...}}`.
fn prices(symbol: &str) -> Option<BarSeries> {
    let Some(folder) = std::env::var_os("FLAGLAB_DATA") else {
        eprintln!("not checked: FLAGLAB_DATA is not set");
        return None;
    };
    let path = PathBuf::from(folder).join("investor-bench").join(format!("{symbol}.json"));
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("not checked: {} is not there", path.display());
        return None;
    };
    let days: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    let mut bars: Vec<(NaiveDate, f64)> =
        days.iter().map(|(date, day)| (date.parse().unwrap(), day["prices"].as_f64().unwrap())).collect();
    bars.sort_by_key(|(date, _)| *date);
    let (dates, closes) = bars.into_iter().unzip();
    Some(BarSeries::from_columns(symbol, None, Columns::of_closes(dates, closes)).unwrap())
}

fn check(symbol: &str, from: &str, to: &str, n_prices: usize, [cr, sr, av, mdd]: [&str; 4]) {
    let Some(series) = prices(symbol) else { return };
    let always_buy: Decisions = series.dates().iter().map(|date| (*date, Action::Buy)).collect();
    let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
    let card = evaluate(&series, from, to, &always_buy, &InvestorBench, &EvaluateOptions::default()).unwrap();
    let shown = |x: Option<f64>| format!("{:.3}", x.unwrap());
    assert_eq!(card.sheet.n + 1, n_prices, "{symbol}");
    let found = [card.paper.cr, card.paper.sr, card.paper.av, card.paper.mdd].map(shown);
    assert_eq!(found, [cr, sr, av, mdd], "{symbol}");
}

#[test]
fn stocks_match_all_four_cells() {
    let (from, to) = ("2020-10-01", "2021-05-05");
    check("msft", from, to, 149, ["15.340", "1.039", "24.980", "9.428"]);
    check("jnj", from, to, 149, ["13.895", "1.343", "17.500", "9.847"]);
    check("uvv", from, to, 149, ["36.583", "2.112", "29.299", "15.406"]);
    check("hon", from, to, 149, ["33.256", "2.347", "23.967", "9.195"]);
}

/// A run that was long throughout, whatever its own rules were, is the table's Buy & Hold under the table's rules.
#[test]
fn rescored_decisions_match_the_table() {
    let Some(series) = prices("msft") else { return };
    let window = series.between("2020-10-01".parse().unwrap(), "2021-05-05".parse().unwrap());
    let segment = Segment { first: window.start, series: Arc::new(series.slice(0..window.end).unwrap()) };
    let always_buy = vec![Action::Buy; window.len() - 1];
    let rescored = rescore(&segment, &always_buy, 100_000.0, series.periods_per_year()).unwrap();
    let paper = rescored.iter().find(|r| r.rules == "investor-bench").unwrap().scores.paper;
    let found = [paper.cr, paper.sr, paper.av, paper.mdd].map(|x| format!("{:.3}", x.unwrap()));
    assert_eq!(found, ["15.340", "1.039", "24.980", "9.428"]);
}

#[test]
fn bitcoin_matches_with_365_for_the_volatility_and_252_for_the_return() {
    // The table prints 21.821 for a sum of 21.8216: one unit in its last digit.
    check("btc", "2023-04-05", "2023-11-05", 215, ["21.822", "0.683", "37.426", "20.796"]);
}
