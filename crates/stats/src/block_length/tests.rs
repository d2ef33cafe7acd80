//! Longer memory, longer blocks. `crate::parity` compares with arch.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::BlockLength;

/// `x_t = memory * x_{t-1} + u_t`.
fn series(n: usize, memory: f64) -> Vec<f64> {
    let mut stream = ChaCha8Rng::seed_from_u64(2);
    let mut last = 0.0;
    let mut next = || {
        last = memory * last + stream.random_range(-1.0..1.0);
        last
    };
    (0..n).map(|_| next()).collect()
}

#[test]
fn blocks_grow_with_the_memory() {
    let lengths =
        [0.0, 0.3, 0.6, 0.9].map(|memory| BlockLength::of(&series(1_000, memory)).unwrap().stationary);
    assert!(lengths.is_sorted(), "{lengths:?}");
    assert!(lengths[0] < 5.0 && lengths[3] > 15.0, "{lengths:?}");
    // (2 / (4/3))^(1/3) longer, unless at the bound.
    let both = BlockLength::of(&series(1_000, 0.3)).unwrap();
    assert!((both.circular / both.stationary - 1.5_f64.cbrt()).abs() < 1e-12);
}

#[test]
fn the_unit_of_returns_does_not_matter() {
    let one = BlockLength::of(&series(300, 0.5)).unwrap();
    let hundred: Vec<f64> = series(300, 0.5).iter().map(|x| 100.0 * x + 7.0).collect();
    assert!((BlockLength::of(&hundred).unwrap().stationary - one.stationary).abs() < 1e-6);
}

#[test]
fn short_and_flat_series_have_none() {
    assert_eq!(BlockLength::of(&series(9, 0.0)), None);
    assert_eq!(BlockLength::of(&[0.1; 50]), None);
    for n in 10..40 {
        let found = BlockLength::of(&series(n, 0.5)).unwrap();
        let bound = (n as f64 / 3.0).ceil();
        assert!((1.0..=bound).contains(&found.stationary), "{n}: {found:?}");
    }
}
