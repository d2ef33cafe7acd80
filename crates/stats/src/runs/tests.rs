//! Aggregates by hand, who gets an interval, and how often it covers.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Aggregate, Runs};
use crate::{Bootstrap, Seed, SeedScores};

fn runs(tasks: &[&[f64]]) -> Runs {
    let task = |scores: &&[f64]| SeedScores::new((0..).map(Seed).zip(scores.iter().map(|s| Some(*s))));
    Runs::new(tasks.iter().map(task))
}

const FEW: Bootstrap = Bootstrap { resamples: 500, key: 9 };

#[test]
fn aggregates_by_hand() {
    let found = runs(&[&[4.0, 0.0, 8.0, 100.0], &[1.0, 3.0, 2.0, 2.0]]);
    assert_eq!(found.aggregate(Aggregate::Mean), Some((28.0 + 2.0) / 2.0));
    assert_eq!(found.aggregate(Aggregate::Median), Some(15.0));
    // 0 1 | 2 2 3 4 | 8 100
    assert_eq!(found.aggregate(Aggregate::Iqm), Some(11.0 / 4.0));
    // min(score, 3): (3 + 0 + 3 + 3) / 4 and (1 + 3 + 2 + 2) / 4.
    assert_eq!(found.aggregate(Aggregate::OptimalityGap { target: 3.0 }), Some(3.0 - (2.25 + 2.0) / 2.0));
    // Of five scores one is cut at each end.
    assert_eq!(runs(&[&[5.0, 1.0, 2.0, 3.0, 90.0]]).aggregate(Aggregate::Iqm), Some(10.0 / 3.0));
    // Three cannot spare any.
    assert_eq!(runs(&[&[0.0, 3.0, 9.0]]).aggregate(Aggregate::Iqm), Some(4.0));
}

#[test]
fn a_task_without_scores_leaves_nothing() {
    assert_eq!(runs(&[]).aggregate(Aggregate::Mean), None);
    assert_eq!(runs(&[&[1.0], &[]]).aggregate(Aggregate::Iqm), None);
    assert_eq!(runs(&[&[1.0, 2.0, 3.0], &[1.0, 2.0]]).interval(Aggregate::Iqm, 0.95, &FEW), None);
    assert!(runs(&[&[1.0, 2.0, 3.0], &[1.0, 2.0, 5.0, 6.0]]).interval(Aggregate::Iqm, 0.95, &FEW).is_some());
}

#[test]
fn several_aggregates_share_their_resamples() {
    let found = runs(&[&[1.0, 2.0, 4.0, 9.0], &[0.5, 0.1, 0.7]]);
    let aggregates = [Aggregate::Mean, Aggregate::Iqm];
    let both = found.intervals(&aggregates, 0.9, &FEW).unwrap();
    let each: Vec<_> = aggregates.iter().map(|a| found.interval(*a, 0.9, &FEW).unwrap()).collect();
    assert_eq!(both, each);
}

#[test]
fn pairs_are_taken_seed_by_seed_and_task_by_task() {
    let (a, b) = (runs(&[&[5.0, 1.0], &[2.0, 2.0]]), runs(&[&[1.0, 1.0], &[3.0, 0.0]]));
    let found = a.differences(&b).unwrap();
    assert_eq!(found.tasks()[0].sorted(), [0.0, 4.0]);
    assert_eq!(found.tasks()[1].sorted(), [-1.0, 2.0]);
    assert_eq!(a.differences(&runs(&[&[1.0]])), None);
}

#[test]
fn an_interval_covers_the_true_iqm_about_as_often_as_it_says() {
    // 300 arms of 15 seeds on 2 tasks, uniform around 0: the IQM of both together is 0.
    let mut stream = ChaCha8Rng::seed_from_u64(10);
    let mut task = || -> Vec<f64> { (0..15).map(|_| stream.random_range(-1.0..1.0)).collect() };
    let covered = (0..300).filter(|_| {
        let (a, b) = (task(), task());
        runs(&[&a, &b]).interval(Aggregate::Iqm, 0.9, &FEW).unwrap().covers(0.0)
    });
    let covered = covered.count();
    // Binomial around 0.9 or a little below: four standard errors are 7%.
    assert!((246..=291).contains(&covered), "{covered} of 300");
}

#[test]
fn threads_and_order_of_seeds_change_nothing() {
    let (a, b) = (runs(&[&[1.0, 5.0, 2.0, 0.3]]), runs(&[&[0.3, 2.0, 1.0, 5.0]]));
    let interval = |runs: &Runs| runs.interval(Aggregate::Iqm, 0.95, &Bootstrap::default()).unwrap();
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    assert_eq!(pool(1).install(|| interval(&a)), pool(4).install(|| interval(&b)));
}

proptest! {
    #[test]
    fn aggregates_lie_between_the_scores_and_move_with_them(
        scores in prop::collection::vec(-5.0..5.0, 3..12), shift in -3.0..3.0,
    ) {
        let moved: Vec<f64> = scores.iter().map(|s| s + shift).collect();
        let (found, moved) = (runs(&[&scores]), runs(&[&moved]));
        for aggregate in [Aggregate::Mean, Aggregate::Median, Aggregate::Iqm] {
            let (one, two) = (found.aggregate(aggregate).unwrap(), moved.aggregate(aggregate).unwrap());
            prop_assert!(f64::abs(one + shift - two) < 1e-12);
            let interval = found.interval(aggregate, 0.9, &FEW).unwrap();
            let sorted = found.tasks()[0].sorted();
            prop_assert!(sorted[0] <= interval.low + 1e-12 && interval.low <= interval.high);
            prop_assert!(interval.high <= sorted[sorted.len() - 1] + 1e-12);
        }
    }
}
