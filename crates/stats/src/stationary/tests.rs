//! How blocks begin and end.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{check_block, draw};

fn resamples(n: usize, block: f64, count: usize) -> Vec<Vec<u32>> {
    let mut stream = ChaCha8Rng::seed_from_u64(4);
    let mut next = || {
        let mut periods = vec![0; n];
        draw(&mut periods, block, &mut stream);
        periods
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn blocks_have_their_average_length() {
    // A break is a step that is not to the next period; one in 50 breaks lands there all the same.
    for block in [1.0, 4.0, 10.0] {
        let (mut breaks, mut steps) = (0, 0);
        for periods in resamples(50, block, 2_000) {
            breaks += periods.windows(2).filter(|w| w[1] != (w[0] + 1) % 50).count();
            steps += 49;
        }
        let found = breaks as f64 / f64::from(steps);
        assert!((found - 0.98 / block).abs() < 0.01, "{block}: {found}");
    }
}

#[test]
fn every_period_is_drawn_as_often() {
    let mut counts = [0_u32; 20];
    resamples(20, 6.0, 5_000).iter().flatten().for_each(|t| counts[*t as usize] += 1);
    assert!(counts.iter().all(|c| (4_600..5_400).contains(c)), "{counts:?}");
}

#[test]
fn an_endless_block_turns_the_record() {
    for periods in resamples(9, 1e12, 20) {
        assert!(periods.windows(2).all(|w| w[1] == (w[0] + 1) % 9), "{periods:?}");
    }
}

#[test]
fn a_block_is_at_least_one_period() {
    assert!(check_block(1.0).is_ok());
    for block in [0.5, 0.0, -3.0, f64::NAN, f64::INFINITY] {
        let error = check_block(block).unwrap_err().to_string();
        assert!(error.contains("expected a finite number of at least 1"), "{error}");
    }
}
