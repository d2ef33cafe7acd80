//! The papers' own examples, edges, and the standard error beside a simulation.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::SharpeRatio;
use crate::samples::record;
use crate::{Moments, TearSheet};

#[test]
fn minimum_lengths_of_the_paper() {
    // Bailey and Lopez de Prado 2012: an annual ratio of 2 is above 1 at 95% confidence after 2.73 years of
    // daily, 2.83 years of weekly and 3.24 years of monthly normal returns.
    for (periods, years) in [(250.0, 2.73), (52.0, 2.83), (12.0, 3.24)] {
        let per_period = 2.0 / f64::sqrt(periods);
        let length =
            record(24, per_period, 0.0, 3.0).minimum_track_record(1.0 / periods.sqrt(), 0.95).unwrap();
        assert!((length / periods - years).abs() < 0.01, "{} years, not {years}", length / periods);
    }
}

#[test]
fn negative_skew_and_fat_tails_need_longer_records() {
    // The hedge fund of the paper after two years of months: ratio 0.458, skew -2.448, kurtosis 10.164. If its returns
    // were normal, its ratio would be above 0 with probability 0.982; as they are, with 0.913.
    let found = record(24, 0.458, -2.448, 10.164);
    let normal = record(24, 0.458, 0.0, 3.0);
    assert!(found.standard_error() > normal.standard_error());
    let (psr, of_normal) = (found.probabilistic(0.0).unwrap(), normal.probabilistic(0.0).unwrap());
    assert!((of_normal - 0.982).abs() < 5e-4, "{of_normal}");
    assert!((psr - 0.913).abs() < 5e-4, "{psr}");
    assert!(found.minimum_track_record(0.1, 0.95) > normal.minimum_track_record(0.1, 0.95));
}

#[test]
fn normal_returns_have_the_error_of_lo() {
    // sqrt((1 + SR^2 / 2) / n), Lo 2002, with n - 1.
    let error = record(101, 0.2, 0.0, 3.0).standard_error();
    assert!((error - (1.02_f64 / 100.0).sqrt()).abs() < 1e-15);
}

#[test]
fn the_error_is_the_spread_of_ratios_of_skewed_returns() {
    // 4,000 records of 200 squared uniforms less 0.3: mean 1/30, skewed to the right.
    let mut stream = ChaCha8Rng::seed_from_u64(5);
    let mut record = || -> Vec<f64> { (0..200).map(|_| stream.random::<f64>().powi(2) - 0.3).collect() };
    let ratios: Vec<SharpeRatio> = (0..4_000).map(|_| SharpeRatio::new(&record()).unwrap()).collect();
    let found: Vec<f64> = ratios.iter().map(SharpeRatio::per_period).collect();
    let spread = Moments::of(&found).unwrap().sd.unwrap();
    let errors = ratios.iter().map(SharpeRatio::standard_error).sum::<f64>() / 4_000.0;
    // The spread of 4,000 is known to about 1.1%.
    assert!((spread / errors - 1.0).abs() < 0.045, "{spread} {errors}");
}

#[test]
fn the_tear_sheet_has_the_same_probability() {
    let returns = [0.01, -0.02, 0.03, 0.004, -0.001];
    let ratio = SharpeRatio::new(&returns).unwrap();
    let sheet = TearSheet::new(&returns, 252.0).unwrap();
    assert_eq!(ratio.probabilistic(0.0), sheet.psr);
    assert_eq!(ratio.n(), 5);
    assert!((ratio.annual(252.0) - sheet.sharpe.unwrap()).abs() < 1e-12);
}

#[test]
fn what_is_undefined_is_none() {
    assert_eq!(SharpeRatio::new(&[]), None);
    assert_eq!(SharpeRatio::new(&[0.1]), None);
    assert_eq!(SharpeRatio::new(&[0.1; 9]), None);
    let ratio = record(100, 0.1, 0.0, 3.0);
    assert_eq!(ratio.minimum_track_record(0.1, 0.95), None, "not above its benchmark");
    assert_eq!(ratio.minimum_track_record(0.2, 0.95), None);
    assert!((ratio.probabilistic(0.1).unwrap() - 0.5).abs() < 1e-12);
    // A record as long as its minimum has just that confidence.
    let length = ratio.minimum_track_record(0.0, 0.9).unwrap();
    let z = 0.1 * (length - 1.0).sqrt() / (1.0_f64 + 0.005).sqrt();
    assert!((z - 1.281_551_565_544_6).abs() < 1e-9, "{z}");
}
