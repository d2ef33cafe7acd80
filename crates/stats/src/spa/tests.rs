//! Size, power and edges; `crate::parity` compares p-values with arch.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Spa;
use crate::{Bootstrap, Panel, StatsError};

const FEW: Bootstrap = Bootstrap { resamples: 300, key: 3 };

fn noise(n_periods: usize, n_arms: usize, key: u64) -> Vec<Vec<f64>> {
    let mut stream = ChaCha8Rng::seed_from_u64(key);
    let mut arm = || -> Vec<f64> { (0..n_periods).map(|_| stream.random_range(-0.01..0.01)).collect() };
    (0..n_arms).map(|_| arm()).collect()
}

fn spa(arms: &[Vec<f64>], bootstrap: &Bootstrap) -> Spa {
    Spa::new(&Panel::new(arms).unwrap(), 3.0, bootstrap).unwrap().unwrap()
}

#[test]
fn noise_is_called_skill_as_often_as_the_level_says() {
    let found: Vec<Spa> = (0..200).map(|key| spa(&noise(100, 10, key), &FEW)).collect();
    let share = |p: fn(&Spa) -> f64| found.iter().filter(|s| p(s) <= 0.1).count();
    // 20 are expected of 200; 37 is four standard errors more.
    for (name, count) in [
        ("upper", share(|s| s.upper)),
        ("consistent", share(|s| s.consistent)),
        ("rc", share(|s| s.reality_check)),
    ] {
        assert!((5..=38).contains(&count), "{name}: {count} of 200");
    }
    for s in &found {
        assert!(s.lower <= s.consistent && s.consistent <= s.upper, "{s:?}");
    }
}

#[test]
fn a_planted_arm_is_found_and_bad_arms_hide_it_from_the_reality_check_only() {
    let mut arms = noise(200, 12, 77);
    arms[4].iter_mut().for_each(|r| *r += 0.0018);
    let found = spa(&arms, &FEW);
    assert_eq!(found.best, 4);
    assert!(found.consistent < 0.05, "{found:?}");
    // Twenty wild arms that lose: the upper bounds get worse, Hansen's p-value leaves them out.
    let mut wild = noise(200, 20, 78);
    wild.iter_mut().flatten().for_each(|r| *r = 8.0 * *r - 0.03);
    arms.extend(wild);
    let with_wild = spa(&arms, &FEW);
    assert_eq!(with_wild.best, 4);
    assert!(with_wild.consistent < 0.05, "{with_wild:?}");
    assert!(with_wild.reality_check > 0.3, "{with_wild:?}");
}

#[test]
fn threads_and_units_change_nothing() {
    let arms = noise(60, 5, 9);
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    let one = pool(1).install(|| spa(&arms, &Bootstrap::default()));
    assert_eq!(one, pool(3).install(|| spa(&arms, &Bootstrap::default())));
    let percent: Vec<Vec<f64>> = arms.iter().map(|arm| arm.iter().map(|r| r * 128.0).collect()).collect();
    let in_percent = spa(&percent, &Bootstrap::default());
    assert_eq!(
        (one.consistent, one.upper, one.reality_check),
        (in_percent.consistent, in_percent.upper, in_percent.reality_check)
    );
}

#[test]
fn an_arm_that_is_the_benchmark_is_left_out() {
    let mut arms = noise(60, 3, 9);
    let before = spa(&arms, &FEW);
    arms.insert(0, vec![0.0; 60]);
    let found = spa(&arms, &FEW);
    assert_eq!(found, Spa { best: before.best + 1, ..before });
    let same = Panel::new(&[vec![0.0; 60], vec![0.0; 60]]).unwrap();
    assert_eq!(Spa::new(&same, 3.0, &FEW), Ok(None));
}

#[test]
fn wrong_input_is_an_error() {
    let panel = Panel::new(&noise(2, 3, 0)).unwrap();
    assert_eq!(Spa::new(&panel, 2.0, &FEW), Err(StatsError::TooFew { what: "periods", found: 2, least: 3 }));
    let panel = Panel::new(&noise(20, 3, 0)).unwrap();
    assert!(Spa::new(&panel, 0.0, &FEW).is_err());
}
