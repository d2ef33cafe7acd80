//! Lines whose slope and height are known, and what is undefined.

use super::AgainstBenchmark;
use crate::StatsError;

const MARKET: [f64; 5] = [0.01, -0.02, 0.03, 0.0, 0.005];

#[test]
fn a_line_has_its_slope_and_height() {
    let own = MARKET.map(|b| 2.0 * b + 0.001);
    let found = AgainstBenchmark::new(&own, &MARKET, 250.0).unwrap();
    assert!((found.beta.unwrap() - 2.0).abs() < 1e-12);
    assert!((found.alpha.unwrap() - 0.25).abs() < 1e-12);
}

#[test]
fn the_benchmark_itself_has_beta_one_and_no_information_ratio() {
    let found = AgainstBenchmark::new(&MARKET, &MARKET, 252.0).unwrap();
    assert_eq!((found.alpha, found.information_ratio), (Some(0.0), None));
    assert!((found.beta.unwrap() - 1.0).abs() < 1e-12);
    let flat = AgainstBenchmark::new(&MARKET, &[0.001; 5], 252.0).unwrap();
    assert_eq!((flat.alpha, flat.beta), (None, None));
    assert!(flat.information_ratio.is_some());
    let one = AgainstBenchmark::new(&[0.1], &[0.2], 252.0).unwrap();
    assert_eq!((one.alpha, one.beta, one.information_ratio), (None, None, None));
}

#[test]
fn wrong_series_are_errors() {
    let error = AgainstBenchmark::new(&MARKET, &[0.1], 252.0).unwrap_err();
    assert_eq!(error, StatsError::Lengths { found: 1, expected: 5 });
    assert_eq!(error.to_string(), "found 1 entries beside 5, expected as many");
    assert_eq!(AgainstBenchmark::new(&[], &[], 252.0), Err(StatsError::Empty));
    assert!(AgainstBenchmark::new(&[f64::NAN], &[0.1], 252.0).is_err());
    assert!(AgainstBenchmark::new(&[0.1], &[f64::INFINITY], 252.0).is_err());
    assert!(AgainstBenchmark::new(&[0.1], &[0.1], 0.0).is_err());
}
