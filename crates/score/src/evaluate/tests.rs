//! Hand-worked windows under every rule set, and windows that cannot be scored.

use chrono::{Days, NaiveDate};
use market_data::{BarSeries, Columns};
use proptest::prelude::*;
use trading_env::{Action, InvestorBench, Paper, Realistic, RealisticParams, Rules};

use super::{EvaluateOptions, evaluate};
use crate::{Decisions, ScoreError, Scorecard};

fn date(day: usize) -> NaiveDate {
    // A Monday.
    NaiveDate::from_ymd_opt(2020, 1, 6).unwrap() + Days::new(day as u64)
}

fn series(opens: Option<&[f64]>, closes: &[f64]) -> BarSeries {
    let mut columns = Columns::of_closes((0..closes.len()).map(date).collect(), closes.to_vec());
    if let Some(opens) = opens {
        columns.open = opens.iter().copied().map(Some).collect();
    }
    BarSeries::from_columns("TEST", Some(252.0), columns).unwrap()
}

fn decisions(actions: &[Action]) -> Decisions {
    actions.iter().enumerate().map(|(day, action)| (date(day), *action)).collect()
}

fn score(series: &BarSeries, actions: &[Action], rules: &dyn Rules) -> Scorecard {
    let last = date(series.len() - 1);
    evaluate(series, date(0), last, &decisions(actions), rules, &EvaluateOptions::default()).unwrap()
}

fn realistic(fee_bps: f64, slippage_bps: f64, whole_shares: bool) -> Realistic {
    Realistic::new(RealisticParams { fee_bps, slippage_bps, whole_shares }).unwrap()
}

#[track_caller]
fn close(found: Option<f64>, wanted: f64) {
    let found = found.expect("defined");
    assert!((found - wanted).abs() <= 1e-9 * wanted.abs().max(1.0), "{found} is not {wanted}");
}

use Action::{Buy, Hold, Sell};

#[test]
fn investor_bench_by_hand() {
    // Prices 100, 110, 99: long then short. x = ln 1.1, -ln 0.9. N = 3, P = 252.
    let (x1, x2) = (1.1f64.ln(), -(0.9f64.ln()));
    let card = score(&series(None, &[100.0, 110.0, 99.0]), &[Buy, Sell], &InvestorBench);
    let mean = (x1 + x2) / 2.0;
    let sd = ((x1 - mean).powi(2) + (x2 - mean).powi(2)).sqrt();
    close(card.paper.cr, 100.0 * (x1 + x2));
    close(card.paper.av, 100.0 * sd * 252f64.sqrt());
    close(card.paper.sr, (x1 + x2) / (3.0 / 252.0) / (sd * 252f64.sqrt()));
    close(card.paper.mdd, 0.0);
    // Simple returns 0.1 and 1/0.9 - 1; equity 110000 and 122222.22.
    close(card.sheet.cumulative_return, 1.1 / 0.9 - 1.0);
    close(card.final_equity, 100_000.0 * 1.1 / 0.9);
    // Traded: 0 -> 1 on 100000, 1 -> -1 on 110000: 320000. Mean equity of 100000, 110000, 122222.22; n = 2.
    assert_eq!((card.sheet.n, card.trades), (2, 2));
    close(card.turnover, 320_000.0 / ((210_000.0 + 1e5 * 1.1 / 0.9) / 3.0) * 252.0 / 2.0);
}

#[test]
fn the_drawdown_of_the_paper_block_takes_log_returns_as_simple() {
    // Long through 100, 50, 25: x = -ln 2 twice, W = 1 - 0.6931, squared; the tear sheet's own is 75%.
    let card = score(&series(None, &[100.0, 50.0, 25.0]), &[Buy, Buy], &InvestorBench);
    close(card.paper.mdd, 100.0 * (1.0 - (1.0 - 2f64.ln()).powi(2)));
    close(card.sheet.max_drawdown, 0.75);
}

#[test]
fn the_return_of_the_ratio_uses_252_and_the_volatility_the_data() {
    let series = series(None, &[100.0, 110.0, 99.0, 105.0]);
    let at = |periods| {
        let options = EvaluateOptions { periods_per_year: Some(periods), ..EvaluateOptions::default() };
        evaluate(&series, date(0), date(3), &decisions(&[Buy; 4]), &InvestorBench, &options).unwrap().paper
    };
    close(at(365.0).av, at(252.0).av.unwrap() * (365f64 / 252.0).sqrt());
    close(at(365.0).sr, at(252.0).sr.unwrap() / (365f64 / 252.0).sqrt());
    assert_eq!(at(365.0).cr, at(252.0).cr);
}

#[test]
fn paper_by_hand() {
    // Prices 10, 20, 25, 30, 60: buy fills at 20 (5000 shares), hold to 25, sell fills at 30 (150000), the second sell
    // has nothing to trade. E = 100000, 100000, 125000, 150000, 150000.
    let card = score(&series(None, &[10.0, 20.0, 25.0, 30.0, 60.0]), &[Buy, Hold, Sell, Sell], &Paper);
    assert_eq!((card.sheet.n, card.trades, card.final_equity), (4, 2, Some(150_000.0)));
    close(card.sheet.cumulative_return, 0.5);
    assert_eq!(card.sheet.win_rate, Some(1.0));
    close(card.paper.cr, 100.0 * 1.5f64.ln());
    // Traded 100000 + 150000; mean of the five equities 125000; n = 4: 2 * 252 / 4.
    close(card.turnover, 126.0);
}

#[test]
fn realistic_by_hand() {
    // Fee 10%, slippage 25%, cash 100000. Open 8: a share costs 11: 100000/11 shares, fill price 10; close 12.
    // Sell at open 20: 15 * 0.9 = 13.5 a share.
    let shares = 100_000.0 / 11.0;
    let series = series(Some(&[9.0, 8.0, 20.0]), &[9.0, 12.0, 21.0]);
    let card = score(&series, &[Buy, Sell], &realistic(1000.0, 2500.0, false));
    close(card.final_equity, shares * 13.5);
    close(card.sheet.cumulative_return, 13.5 / 11.0 - 1.0);
    let mean_equity = (100_000.0 + shares * 12.0 + shares * 13.5) / 3.0;
    close(card.turnover, shares * (10.0 + 15.0) / mean_equity * 126.0);
    close(card.paper.cr, 100.0 * (13.5f64 / 11.0).ln());
}

#[test]
fn whole_shares_and_initial_cash_count() {
    let series = series(None, &[30.0, 30.0, 60.0]);
    let options = EvaluateOptions { initial_cash: 100.0, periods_per_year: None };
    let actions = decisions(&[Buy, Hold]);
    // 3 shares and 10 cash: 190.
    let card = evaluate(&series, date(0), date(2), &actions, &realistic(0.0, 0.0, true), &options).unwrap();
    assert_eq!(card.final_equity, Some(190.0));
    let card = evaluate(&series, date(0), date(2), &actions, &realistic(0.0, 0.0, false), &options).unwrap();
    close(card.final_equity, 200.0);
}

#[test]
fn never_trading_is_null_where_nothing_is_defined() {
    let series = series(None, &[10.0, 20.0, 5.0]);
    for rules in [&InvestorBench as &dyn Rules, &Paper] {
        let json = serde_json::to_value(score(&series, &[Hold, Hold], rules)).unwrap();
        for key in ["sharpe", "sortino", "calmar", "skew", "kurtosis", "win_rate", "psr"] {
            assert!(json[key].is_null(), "{key}: {json}");
        }
        let paper = &json["paper"];
        assert!(paper["sr"].is_null());
        for (found, wanted) in
            [(&paper["av"], 0.0), (&paper["cr"], 0.0), (&paper["mdd"], 0.0), (&json["turnover"], 0.0)]
        {
            assert_eq!(found.to_string(), format!("{wanted:?}"), "{json}");
        }
        assert_eq!((json["trades"].as_u64(), json["final_equity"].as_f64()), (Some(0), Some(100_000.0)));
    }
}

#[test]
fn a_constant_price_has_no_spread() {
    // 100000 / 3 shares times 3 need not be 100000: the price rule of investor-bench must not see that.
    let card = score(&series(None, &[3.0; 8]), &[Buy; 7], &InvestorBench);
    assert_eq!((card.sheet.annual_volatility, card.sheet.sharpe, card.paper.sr), (Some(0.0), None, None));
}

#[test]
fn two_prices_are_the_least_and_have_no_volatility() {
    let card = score(&series(None, &[10.0, 11.0]), &[Buy], &InvestorBench);
    assert_eq!((card.sheet.n, card.paper.av, card.paper.sr, card.sheet.sharpe), (1, None, None, None));
    close(card.paper.cr, 100.0 * 1.1f64.ln());
}

#[test]
fn ruin_is_scored_without_nan() {
    let series = series(None, &[10.0, 10.0, 10.0, 12.0]);
    let card = score(&series, &[Buy, Sell, Buy], &realistic(10_000.0, 0.0, false));
    assert_eq!((card.final_equity, card.sheet.cumulative_return), (Some(0.0), Some(-1.0)));
    assert_eq!((card.sheet.annual_return, card.paper.cr, card.paper.mdd), (Some(-1.0), None, None));
    assert!(card.values().iter().all(|(_, v)| v.is_none_or(f64::is_finite)));
}

#[test]
fn json_has_the_keys_of_the_contract_in_order() {
    let card = score(&series(None, &[10.0, 11.0, 12.0]), &[Buy, Sell], &InvestorBench);
    let json = serde_json::to_string(&card).unwrap();
    let json: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&json).unwrap();
    let keys: Vec<_> = json.keys().map(String::as_str).collect();
    let contract = [
        "n",
        "cumulative_return",
        "annual_return",
        "annual_volatility",
        "sharpe",
        "sortino",
        "calmar",
        "max_drawdown",
        "skew",
        "kurtosis",
        "var_95",
        "cvar_95",
        "win_rate",
        "psr",
        "paper",
        "trades",
        "turnover",
        "final_equity",
    ];
    assert_eq!(keys, contract);
    assert_eq!(json["paper"].as_object().unwrap().keys().collect::<Vec<_>>(), ["cr", "sr", "av", "mdd"]);
    let columns: Vec<_> = card.values().into_iter().map(|(name, _)| name).collect();
    assert_eq!(columns.len(), contract.len() - 1 + 4);
}

/// Prices on days 0, 1, 3, 4.
fn with_a_gap() -> BarSeries {
    let dates = [0, 1, 3, 4].map(date).to_vec();
    BarSeries::from_columns("TEST", None, Columns::of_closes(dates, vec![10.0, 11.0, 12.0, 13.0])).unwrap()
}

fn error(from: usize, to: usize, days: &[usize]) -> ScoreError {
    let decisions: Decisions = days.iter().map(|day| (date(*day), Buy)).collect();
    let options = EvaluateOptions::default();
    evaluate(&with_a_gap(), date(from), date(to), &decisions, &InvestorBench, &options).unwrap_err()
}

#[test]
fn the_ends_of_a_window_need_not_be_trading_days_and_decisions_beyond_have_no_effect() {
    let at = |from, to, days: &[usize]| {
        let decisions: Decisions = days.iter().map(|day| (date(*day), Buy)).collect();
        evaluate(&with_a_gap(), date(from), date(to), &decisions, &InvestorBench, &EvaluateOptions::default())
            .unwrap()
    };
    let inner = at(1, 3, &[1]);
    close(inner.paper.cr, 100.0 * (12f64 / 11.0).ln());
    // Day 3 is the last of the window, days 0 and 9 are outside: no effect. Day 2 as an end is no trading day.
    assert_eq!(at(1, 3, &[0, 1, 3, 9]), inner);
    assert_eq!(at(0, 2, &[0]).sheet.n, 1);
    assert_eq!(at(0, 9, &[0, 1, 3]).sheet.n, 3);
}

#[test]
fn missing_decisions_and_dates_without_a_price_are_counted_and_the_first_named() {
    let missing = error(0, 4, &[1]);
    assert_eq!(missing, ScoreError::Missing { origin: "decisions".into(), first: date(0), count: 2 });
    assert!(missing.to_string().contains("found none on 2020-01-06 and 2 missing in all"), "{missing}");
    let no_price = error(0, 9, &[0, 1, 2, 3, 5]);
    assert_eq!(no_price, ScoreError::NoPrice { origin: "decisions".into(), first: date(2), count: 2 });
    for (from, to, found) in [(1, 2, 1), (6, 9, 0), (4, 0, 0)] {
        let window = error(from, to, &[0, 1, 3]);
        let expected =
            ScoreError::Window { from: date(from), to: date(to), found, first: date(0), last: date(4) };
        assert_eq!(window, expected);
    }
}

#[test]
fn decisions_from_a_file_are_blamed_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let message = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let decisions = crate::read_actions_csv(&path).unwrap();
        let options = EvaluateOptions::default();
        evaluate(&with_a_gap(), date(0), date(4), &decisions, &Paper, &options).unwrap_err().to_string()
    };
    let no_price =
        message("date,action\n2020-01-06,buy\n2020-01-07,hold\n2020-01-08,sell\n2020-01-09,sell\n");
    assert!(no_price.contains("a.csv:4: found a decision on 2020-01-08"), "{no_price}");
    let missing = message("date,action\n2020-01-06,buy\n2020-01-09,sell\n");
    assert!(missing.contains("a.csv: expected a decision on every date"), "{missing}");
    assert!(missing.contains("found none on 2020-01-07 and 1 missing in all"), "{missing}");
}

#[test]
fn options_out_of_range_are_named() {
    for (options, name) in [
        (EvaluateOptions { initial_cash: 0.0, periods_per_year: None }, "initial-cash"),
        (
            EvaluateOptions { periods_per_year: Some(f64::NAN), ..EvaluateOptions::default() },
            "periods-per-year",
        ),
    ] {
        let series = with_a_gap();
        let error = evaluate(&series, date(0), date(4), &decisions(&[Buy; 4]), &Paper, &options).unwrap_err();
        assert!(error.to_string().starts_with(name), "{error}");
    }
}

proptest! {
    #[test]
    fn realistic_equals_paper_without_opens_and_costs(
        closes in prop::collection::vec(1.0..500.0, 2..30),
        actions in prop::collection::vec(prop::sample::select(&Action::ALL[..]), 30),
    ) {
        let series = series(None, &closes);
        let (one, two) = (score(&series, &actions[..closes.len()], &Paper), score(&series, &actions[..closes.len()], &realistic(0.0, 0.0, false)));
        for ((field, a), (_, b)) in one.values().into_iter().zip(two.values()) {
            prop_assert!(a == b || (a.unwrap() - b.unwrap()).abs() <= 1e-9 * a.unwrap().abs(), "{}", field);
        }
    }
}
