//! Intervals over seeds: who gets one, what it covers, that it is reproducible.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Seed, SeedScores};

fn seeds(scores: &[f64]) -> SeedScores {
    some(scores.iter().copied().map(Some))
}

fn some(scores: impl IntoIterator<Item = Option<f64>>) -> SeedScores {
    SeedScores::new((0..).map(Seed).zip(scores))
}

#[test]
fn fewer_than_three_seeds_have_no_interval() {
    assert_eq!(seeds(&[1.0, 2.0]).interval(0.95), None);
    assert_eq!(some([Some(1.0), None, Some(2.0), Some(f64::NAN)]).interval(0.95), None);
    assert!(seeds(&[1.0, 2.0, 3.0]).interval(0.95).is_some());
    assert_eq!((seeds(&[]).mean(), seeds(&[]).sd(), seeds(&[1.0]).sd()), (None, None, None));
}

#[test]
fn undefined_scores_are_counted_and_left_out() {
    let scores = some([Some(3.0), None, Some(1.0), Some(f64::INFINITY)]);
    assert_eq!((scores.len(), scores.missing(), scores.mean()), (2, 2, Some(2.0)));
    assert_eq!(scores.sorted(), [1.0, 3.0]);
}

#[test]
fn three_seeds_by_hand() {
    // Of the 27 equally likely resamples of {0, 3, 6} one has mean 0 (3.7%) and one mean 6: more than 2.5% each, so a
    // 95% interval reaches both ends. The inner 80% cuts the ends (3.7% < 10%) and keeps means 1 and 5 (cumulated 14.8%).
    let wide = seeds(&[6.0, 0.0, 3.0]).interval(0.95).unwrap();
    assert_eq!((wide.low, wide.point, wide.high), (0.0, 3.0, 6.0));
    let narrow = seeds(&[6.0, 0.0, 3.0]).interval(0.80).unwrap();
    assert_eq!((narrow.low, narrow.point, narrow.high), (1.0, 3.0, 5.0));
}

#[test]
fn equal_scores_have_an_interval_of_no_width() {
    let interval = seeds(&[0.1; 7]).interval(0.95).unwrap();
    assert!(interval.high - interval.low < 1e-15, "{interval:?}");
}

#[test]
fn an_interval_of_many_seeds_covers_the_true_mean_about_as_often_as_it_says() {
    // 300 arms of 40 uniform seeds with mean 0.5. Coverage is binomial around 0.95: 0.90 is 4 standard errors below.
    let mut stream = ChaCha8Rng::seed_from_u64(3);
    let covered = (0..300)
        .filter(|_| {
            let scores: Vec<f64> = (0..40).map(|_| stream.random::<f64>()).collect();
            let interval = seeds(&scores).interval(0.95).unwrap();
            (interval.low..=interval.high).contains(&0.5)
        })
        .count();
    assert!((270..=296).contains(&covered), "{covered} of 300");
}

proptest! {
    #[test]
    fn an_interval_ignores_the_order_of_seeds_and_holds_its_point(
        scores in prop::collection::vec(-5.0..5.0, 3..9), shift in 0usize..9,
    ) {
        let mut turned = scores.clone();
        turned.rotate_left(shift % scores.len());
        let interval = seeds(&scores).interval(0.95).unwrap();
        prop_assert_eq!(seeds(&turned).interval(0.95).unwrap(), interval);
        let sorted = seeds(&scores);
        let rounding = 1e-12;
        prop_assert!(sorted.sorted()[0] <= interval.low + rounding && interval.low <= interval.point);
        prop_assert!(interval.point <= interval.high && interval.high <= sorted.sorted()[scores.len() - 1] + rounding);
        let narrow = seeds(&scores).interval(0.5).unwrap();
        prop_assert!(interval.low <= narrow.low && narrow.high <= interval.high);
    }
}

#[test]
fn seeds_are_paired_by_name_and_counted_once() {
    let own =
        SeedScores::new([(Seed(4), Some(1.0)), (Seed(1), Some(5.0)), (Seed(2), None), (Seed(9), Some(0.0))]);
    let other =
        SeedScores::new([(Seed(1), Some(2.0)), (Seed(4), Some(2.0)), (Seed(2), Some(1.0)), (Seed(7), None)]);
    let found = own.differences(&other);
    assert_eq!(found.iter().collect::<Vec<_>>(), [(Seed(4), -1.0), (Seed(1), 3.0)]);
    assert_eq!((found.missing(), other.differences(&own).missing()), (1, 1), "seed 2 has one score only");
    assert_eq!(own.differences(&own).sorted(), [0.0; 3]);
    let again = SeedScores::new([(Seed(1), Some(1.0)), (Seed(1), Some(2.0))]);
    assert_eq!((again.len(), again.mean()), (1, Some(2.0)));
}

#[test]
fn the_median_is_over_seeds() {
    assert_eq!(seeds(&[9.0, 1.0, 2.0]).median(), Some(2.0));
    assert_eq!(seeds(&[1.0, 2.0]).median(), Some(1.5));
    assert_eq!(seeds(&[]).median(), None);
}

#[test]
fn a_t_test_by_hand() {
    // Mean 2, sd 1, t = 2 sqrt 3 = 3.4641 with 2 degrees of freedom: p = (1 - t / sqrt(t^2 + 2)) / 2.
    let t = 12.0_f64.sqrt();
    let p = seeds(&[1.0, 2.0, 3.0]).t_test_above(0.0).unwrap();
    assert!((p - (1.0 - t / 14.0_f64.sqrt()) / 2.0).abs() < 1e-12, "{p}");
    assert!((seeds(&[1.0, 2.0, 3.0]).t_test_above(2.0).unwrap() - 0.5).abs() < 1e-12);
    assert_eq!(seeds(&[1.0, 2.0]).t_test_above(0.0), None);
    assert_eq!(seeds(&[1.0; 4]).t_test_above(0.0), None);
}
