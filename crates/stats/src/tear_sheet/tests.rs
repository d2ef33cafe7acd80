//! The tear sheet by hand and at every edge where a number is undefined.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{TearSheet, profit_factor};
use crate::{StatsError, quantile};

fn sheet(returns: &[f64]) -> TearSheet {
    TearSheet::new(returns, 252.0).unwrap()
}

#[test]
fn two_returns_by_hand() {
    // r = 0.5, -0.5 with P = 4: W = 1, 1.5, 0.75; mean 0, squares 0.5, sd = sqrt(0.5); n/P is half a year: 0.75^2 - 1.
    // q at position 0.05: -0.5 + 0.05 * 1 = -0.45; the tail below it is -0.5.
    let sheet = TearSheet::new(&[0.5, -0.5], 4.0).unwrap();
    let expected = TearSheet {
        n: 2,
        cumulative_return: Some(-0.25),
        annual_return: Some(-0.4375),
        annual_volatility: Some(0.5f64.sqrt() * 2.0),
        sharpe: Some(0.0),
        sortino: Some(0.0),
        calmar: Some(-0.875),
        max_drawdown: Some(0.5),
        skew: Some(0.0),
        kurtosis: Some(-2.0),
        var_95: Some(0.45),
        cvar_95: Some(0.5),
        win_rate: Some(0.5),
        psr: Some(0.5),
    };
    for ((field, found), (_, wanted)) in sheet.values().into_iter().zip(expected.values()) {
        assert!((found.unwrap() - wanted.unwrap()).abs() < 1e-12, "{field}: {found:?}, not {wanted:?}");
    }
}

#[test]
fn json_has_every_key_of_the_contract_in_order_and_null_for_undefined() {
    let json = serde_json::to_value(sheet(&[0.0])).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
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
    ];
    assert_eq!(keys, contract);
    let nulls: Vec<_> =
        json.as_object().unwrap().iter().filter(|(_, v)| v.is_null()).map(|(k, _)| k.as_str()).collect();
    assert_eq!(
        nulls,
        ["annual_volatility", "sharpe", "sortino", "calmar", "skew", "kurtosis", "win_rate", "psr"]
    );
    assert_eq!(json["max_drawdown"].to_string(), "0.0");
    assert_eq!(json["var_95"].to_string(), "0.0");
}

#[test]
fn one_return_has_no_volatility() {
    let one = sheet(&[-0.01]);
    assert_eq!([one.annual_volatility, one.sharpe, one.skew, one.kurtosis, one.psr], [None; 5]);
    assert!(one.sortino.is_some() && one.calmar.is_some());
    assert_eq!((one.var_95, one.cvar_95, one.win_rate), (Some(0.01), Some(0.01), Some(0.0)));
}

#[test]
fn equal_returns_have_no_spread_though_their_float_sum_does() {
    // 0.1 added up 10 times is not 1.
    let equal = sheet(&[0.1; 10]);
    assert_eq!(equal.annual_volatility, Some(0.0));
    assert_eq!([equal.sharpe, equal.skew, equal.kurtosis, equal.psr], [None; 4]);
    assert_eq!((equal.var_95, equal.cvar_95), (Some(-0.1), Some(-0.1)));
}

#[test]
fn without_losses_there_is_neither_sortino_nor_calmar() {
    let gains = sheet(&[0.01, 0.02, 0.0]);
    assert_eq!((gains.sortino, gains.calmar, gains.max_drawdown), (None, None, Some(0.0)));
    assert!(gains.sharpe.is_some() && gains.var_95.unwrap() < 0.0);
}

#[test]
fn a_total_loss_is_minus_one_and_a_debt_has_no_annual_return() {
    let lost = sheet(&[0.1, -1.0, 0.5]);
    assert_eq!((lost.cumulative_return, lost.annual_return), (Some(-1.0), Some(-1.0)));
    assert_eq!((lost.max_drawdown, lost.calmar), (Some(1.0), Some(-1.0)));
    let debt = sheet(&[0.5, -3.0]);
    assert_eq!((debt.cumulative_return, debt.annual_return, debt.calmar), (Some(-4.0), None, None));
    assert_eq!(debt.max_drawdown, Some(3.0));
}

#[test]
fn rounding_is_neither_win_nor_loss() {
    assert_eq!(sheet(&[1e-13, -1e-12, 0.0]).win_rate, None);
    assert_eq!(sheet(&[1e-13, 0.01, -1e-12, 0.02, -0.01]).win_rate, Some(2.0 / 3.0));
}

#[test]
fn psr_by_hand() {
    // 0 and 0.01, each half of the time: skew 0 and g4 = 1, so the variance term is 1. Mean 0.005, sd 0.01 / sqrt 3,
    // SR = sqrt(3) / 2, z = SR * sqrt 3 = 1.5, Phi(1.5) = 0.9331927987.
    let psr = sheet(&[0.0, 0.01, 0.0, 0.01]).psr.unwrap();
    assert!((psr - 0.933_192_798_731_142).abs() < 1e-9, "{psr}");
}

#[test]
fn what_cannot_be_scored_is_an_error() {
    assert_eq!(TearSheet::new(&[], 252.0), Err(StatsError::Empty));
    let error = TearSheet::new(&[0.1, f64::INFINITY], 252.0).unwrap_err();
    assert_eq!(error.to_string(), "return 1 is inf, expected a finite number");
    for periods in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = TearSheet::new(&[0.1], periods).unwrap_err().to_string();
        assert!(error.contains("periods per year"), "{error}");
    }
}

#[test]
fn what_does_not_fit_a_float_is_null() {
    for returns in [[1e300, 1e300, -1.0], [1e-300, -1e-300, 2e-300], [f64::MAX, -f64::MAX, f64::MAX]] {
        let sheet = sheet(&returns);
        for (field, value) in sheet.values() {
            assert!(value.is_none_or(f64::is_finite), "{field} of {returns:?} is {value:?}");
        }
        let json = serde_json::to_value(sheet).unwrap();
        assert_eq!(json.as_object().unwrap().len(), 14);
    }
    let json: Value = serde_json::to_value(sheet(&[1e300, 1e300])).unwrap();
    assert_eq!(json["cumulative_return"], json!(null));
}

#[test]
fn profit_is_gains_over_losses() {
    assert_eq!(profit_factor(&[0.5, -0.25, 0.25, 1e-13]), Some(3.0));
    assert_eq!(profit_factor(&[-0.25]), Some(0.0));
    assert_eq!((profit_factor(&[0.5, 0.0, -1e-13]), profit_factor(&[])), (None, None));
}

#[test]
fn quantiles_are_of_type_seven() {
    let sorted = [1.0, 2.0, 4.0, 8.0];
    // Position 0.5 * 3 = 1.5: halfway from 2 to 4.
    assert_eq!([quantile(&sorted, 0.0), quantile(&sorted, 0.5), quantile(&sorted, 1.0)], [1.0, 3.0, 8.0]);
    assert_eq!(quantile(&[7.0], 0.05), 7.0);
}

proptest! {
    #[test]
    fn signs_and_ranges_hold(returns in prop::collection::vec(-0.5..0.5, 1..60), periods in 1.0..400.0) {
        let sheet = TearSheet::new(&returns, periods).unwrap();
        let within = |x: Option<f64>| x.is_none_or(|x| (0.0..=1.0).contains(&x));
        prop_assert!(within(sheet.max_drawdown) && within(sheet.win_rate) && within(sheet.psr));
        prop_assert!(sheet.cvar_95 >= sheet.var_95);
        prop_assert!(sheet.annual_return.is_none_or(|a| a.signum() == sheet.cumulative_return.unwrap().signum()));
        prop_assert_eq!(sheet.annual_volatility.is_some(), returns.len() > 1);
    }

    #[test]
    fn scaling_returns_keeps_the_sharpe_ratio(returns in prop::collection::vec(-0.1..0.1, 2..60)) {
        let halved: Vec<f64> = returns.iter().map(|r| r / 2.0).collect();
        let (one, two) = (sheet(&returns), sheet(&halved));
        prop_assert_eq!(one.sharpe, two.sharpe);
        prop_assert_eq!(one.win_rate, two.win_rate);
    }
}
