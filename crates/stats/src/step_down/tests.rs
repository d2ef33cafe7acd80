//! Holm by hand; Romano-Wolf at its two extremes and under noise.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{RomanoWolf, holm};
use crate::{Bootstrap, Panel};

const FEW: Bootstrap = Bootstrap { resamples: 300, key: 3 };

fn noise(n_periods: usize, n_arms: usize, key: u64) -> Vec<Vec<f64>> {
    let mut stream = ChaCha8Rng::seed_from_u64(key);
    let mut arm = || -> Vec<f64> { (0..n_periods).map(|_| stream.random_range(-0.01..0.01)).collect() };
    (0..n_arms).map(|_| arm()).collect()
}

fn romano_wolf(arms: &[Vec<f64>]) -> RomanoWolf {
    RomanoWolf::new(&Panel::new(arms).unwrap(), 2.0, &FEW).unwrap()
}

#[test]
fn holm_by_hand() {
    // Sorted 0.01, 0.03, 0.04: times 3, 2 and 1, never falling.
    let found = holm(&[Some(0.04), Some(0.01), Some(0.03)]);
    assert_eq!(found, [Some(0.06), Some(0.03), Some(0.06)]);
    // A test that has no p-value was made all the same.
    assert_eq!(holm(&[Some(0.25), None]), [Some(0.5), None]);
    assert_eq!(holm(&[Some(0.9), Some(0.8)]), [Some(1.0), Some(1.0)]);
    assert_eq!(holm(&[]), []);
}

#[test]
fn equal_arms_count_once() {
    let arm = noise(80, 1, 5).remove(0);
    let found = romano_wolf(&[arm.clone(), arm.clone(), arm]);
    assert_eq!(found.adjusted, found.single);
}

#[test]
fn noise_is_rarely_rejected_and_a_planted_arm_mostly() {
    let (mut wrong, mut found_planted) = (0, 0);
    for key in 0..100 {
        let mut arms = noise(100, 8, key);
        wrong += usize::from(romano_wolf(&arms).adjusted.iter().flatten().any(|p| *p <= 0.1));
        arms[2].iter_mut().for_each(|r| *r += 0.003);
        let adjusted = romano_wolf(&arms).adjusted;
        found_planted += usize::from(adjusted[2].unwrap() <= 0.1);
    }
    // 10 are expected; 24 is more than four standard errors above.
    assert!(wrong <= 24, "{wrong} of 100");
    assert!(found_planted >= 90, "{found_planted} of 100");
}

#[test]
fn an_arm_that_is_the_benchmark_has_no_p_value() {
    let mut arms = noise(50, 2, 1);
    arms.push(vec![0.0; 50]);
    let found = romano_wolf(&arms);
    assert!(found.adjusted[..2].iter().all(Option::is_some));
    assert_eq!((found.adjusted[2], found.single[2]), (None, None));
    let same = romano_wolf(&[vec![0.0; 50]]);
    assert_eq!(same.adjusted, [None]);
}

proptest! {
    #[test]
    fn adjusted_p_values_are_larger_and_keep_their_order(key in 0_u64..1_000, n_arms in 1_usize..6) {
        let found = romano_wolf(&noise(40, n_arms, key));
        let (single, adjusted): (Vec<f64>, Vec<f64>) =
            found.single.iter().flatten().zip(found.adjusted.iter().flatten()).unzip();
        prop_assert!(single.iter().zip(&adjusted).all(|(s, a)| s <= a && *a <= 1.0));
        let bounds = holm(&found.single);
        prop_assert_eq!(bounds.len(), n_arms);
        if n_arms == 1 {
            prop_assert_eq!(single, adjusted);
        }
    }

    #[test]
    fn holm_lies_between_the_p_value_and_bonferroni(p in prop::collection::vec(0.0..1.0, 1..12)) {
        let found = holm(&p.iter().map(|p| Some(*p)).collect::<Vec<_>>());
        let m = p.len() as f64;
        for (found, p) in found.iter().flatten().zip(&p) {
            prop_assert!(*found >= *p && *found <= (m * p).min(1.0) + 1e-15);
        }
    }
}
