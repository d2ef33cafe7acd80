//! Powers that are known without the noncentral distribution.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF, Normal};

use super::power_of_window;
use crate::Moments;

#[test]
fn without_skill_the_power_is_the_size() {
    for n in [2, 5, 149, 252, 2_520] {
        let power = power_of_window(0.0, n, 252.0, 0.05).unwrap();
        assert!((power - 0.05).abs() < 1e-9, "{n}: {power}");
    }
    assert_eq!(power_of_window(1.0, 1, 252.0, 0.05), None);
    assert_eq!(power_of_window(1.0, 0, 252.0, 0.05), None);
}

#[test]
fn a_year_of_days_hardly_shows_a_ratio_of_one() {
    // With many days T is nearly normal: Phi(1 - 1.645) = 0.26.
    let power = power_of_window(1.0, 252, 252.0, 0.05).unwrap();
    assert!((power - Normal::standard().cdf(1.0 - 1.644_853_627)).abs() < 0.003, "{power}");
    assert!(power_of_window(2.0, 2_520, 252.0, 0.05).unwrap() > 0.999);
    assert_eq!(power_of_window(20.0, 2_520, 252.0, 0.05), Some(1.0));
    assert_eq!(power_of_window(-20.0, 2_520, 252.0, 0.05), Some(0.0));
}

#[test]
fn power_grows_with_ratio_and_window() {
    let powers =
        |ratio: f64| [20, 60, 149, 252, 1_000].map(|n| power_of_window(ratio, n, 252.0, 0.05).unwrap());
    let [half, one, two] = [0.5, 1.0, 2.0].map(powers);
    assert!(half.is_sorted() && one.is_sorted() && two.is_sorted());
    assert!((0..5).all(|i| half[i] < one[i] && one[i] < two[i]));
}

#[test]
fn a_simulation_rejects_as_often() {
    // Ten returns of a period with ratio 0.5 each: a small window, where the t distribution is not normal. The critical
    // value of 9 degrees of freedom is 1.8331.
    let mut stream = ChaCha8Rng::seed_from_u64(8);
    let mut normal = || Normal::standard().inverse_cdf(stream.random_range(1e-12..1.0));
    let mut rejects = || {
        let returns: Vec<f64> = (0..10).map(|_| 0.5 + normal()).collect();
        let moments = Moments::of(&returns).unwrap();
        moments.mean / moments.sd.unwrap() * 10.0_f64.sqrt() > 1.833_112_9
    };
    let share = (0..20_000).filter(|_| rejects()).count() as f64 / 20_000.0;
    // With one period per year the annual ratio is that of a period.
    let power = power_of_window(0.5, 10, 1.0, 0.05).unwrap();
    assert!((share - power).abs() < 0.014, "{share} {power}");
}
