use proptest::prelude::*;
use stats::{Moments, max_drawdown, wealth};

use super::*;

/// Every list of decisions over `n` days.
fn all(positions: Positions, n: usize) -> Vec<Vec<f64>> {
    let choices: &[f64] = if positions == Positions::LongFlat { &[0.0, 1.0] } else { &[-1.0, 0.0, 1.0] };
    (0..n).fold(vec![Vec::new()], |lists, _| {
        let longer = |list: &Vec<f64>| {
            let list = list.clone();
            choices.iter().map(move |c| list.iter().copied().chain([*c]).collect()).collect::<Vec<_>>()
        };
        lists.iter().flat_map(longer).collect()
    })
}

fn earned(decisions: &[f64], r: &[f64]) -> Vec<f64> {
    decisions.iter().zip(r).map(|(a, r)| a * r).collect()
}

fn sd(x: &[f64]) -> f64 {
    Moments::of(x).unwrap().sd.unwrap()
}

#[test]
fn two_days_by_hand() {
    let r = [0.1, -0.2];
    let [flat, short] = Positions::ALL.map(|p| Bounds::new(&r, p));
    assert_eq!(flat.cumulative_return(), 0.1);
    assert!((short.cumulative_return() - 0.3).abs() < 1e-15);
    assert_eq!((flat.least_cumulative_return(), flat.max_drawdown()), (-0.2, 1.0 - 0.8));
    assert!((short.max_drawdown() - (1.0 - 0.9 * 0.8)).abs() < 1e-15);
    // Long on both days: deviations 0.15 from the mean, 0.0225 * 2 / 1.
    assert!((flat.deviation() - 0.045f64.sqrt()).abs() < 1e-9);
    assert_eq!(flat.most_volatile().positions, [1, 1]);
    // With shorts sqrt(sum(r^2) / (n - 1)).
    assert!((short.deviation() - 0.05f64.sqrt()).abs() < 1e-12);
}

#[test]
fn what_a_return_leaves_to_the_deviation() {
    let r = [0.1, -0.2];
    let flat = Bounds::new(&r, Positions::LongFlat);
    // Only the second day sums to -0.2.
    let (low, high) = flat.deviation_given(-0.2, 1e-9).unwrap();
    assert!((low - sd(&[0.0, -0.2])).abs() < 1e-6 && (high - sd(&[0.0, -0.2])).abs() < 1e-6, "{low} {high}");
    assert_eq!(flat.deviation_given(0.11, 1e-9), None);
    assert_eq!(flat.deviation_given(-0.21, 1e-9), None);
}

fn returns() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(prop_oneof![4 => -0.1..0.1f64, 1 => Just(0.0)], 2..8)
}

proptest! {
    #[test]
    fn no_decisions_exceed_a_bound(r in returns()) {
        for positions in Positions::ALL {
            let bounds = Bounds::new(&r, positions);
            let (most, least) = (bounds.cumulative_return(), bounds.least_cumulative_return());
            let (deviation, fall) = (bounds.deviation(), bounds.max_drawdown());
            let mut highest = 0f64;
            for decisions in all(positions, r.len()) {
                let x = earned(&decisions, &r);
                let sum: f64 = x.iter().sum();
                prop_assert!(sum <= most + 1e-12 && sum >= least - 1e-12);
                prop_assert!(sd(&x) <= deviation + 1e-12);
                prop_assert!(max_drawdown(&wealth(&x)) <= fall + 1e-12);
                let (low, high) = bounds.deviation_given(sum, 1e-9).unwrap();
                prop_assert!(low <= sd(&x) + 1e-9 && sd(&x) <= high + 1e-9, "{low} {} {high}", sd(&x));
                let gap: f64 = r.iter().sum::<f64>() - sum;
                let differs: f64 = decisions.iter().zip(&r).map(|(a, r)| (1.0 - a) * r * r).sum();
                prop_assert!(bounds.least_difference(gap, 1e-9) <= differs + 1e-9);
                highest = highest.max(sd(&x));
            }
            let found = bounds.most_volatile();
            let x = earned(&found.positions.iter().map(|a| f64::from(*a)).collect::<Vec<_>>(), &r);
            prop_assert_eq!(found.value, sd(&x));
            prop_assert!(found.value <= highest + 1e-12);
        }
    }

    #[test]
    fn the_bound_is_nearly_reached_over_many_days(r in prop::collection::vec(-0.05..0.05f64, 60..160)) {
        for positions in Positions::ALL {
            let bounds = Bounds::new(&r, positions);
            let (bound, found) = (bounds.deviation(), bounds.most_volatile().value);
            prop_assert!(found <= bound + 1e-12 && found > 0.999 * bound, "{found} {bound}");
        }
    }
}
