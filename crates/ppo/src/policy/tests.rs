use proptest::prelude::*;

use super::*;

const NO_SELL: ActionMask = ActionMask([false, true, true]);

/// Logits 0, ln 2, ln 5 without sell: p(hold) = 2/7, p(buy) = 5/7.
#[test]
fn by_hand() {
    let policy = Policy::from_f64([0.0, 2f64.ln(), 5f64.ln()], NO_SELL);
    assert_eq!(policy.prob(Action::Sell), 0.0);
    assert!((policy.prob(Action::Hold) - 2.0 / 7.0).abs() < 1e-15);
    assert!((policy.prob(Action::Buy) - 5.0 / 7.0).abs() < 1e-15);
    let entropy = -(2.0 / 7.0 * (2.0f64 / 7.0).ln() + 5.0 / 7.0 * (5.0f64 / 7.0).ln());
    assert!((policy.entropy() - entropy).abs() < 1e-15);
    assert_eq!(policy.sample(0.28), Action::Hold);
    assert_eq!(policy.sample(0.29), Action::Buy);
    assert_eq!(policy.sample(1.0 - 1e-17), Action::Buy);
    assert_eq!(policy.argmax(), Action::Buy);
}

#[test]
fn an_illegal_logit_has_no_influence() {
    let a = Policy::new([1e30, 0.3, -0.2], NO_SELL);
    let b = Policy::new([f32::NAN, 0.3, -0.2], NO_SELL);
    assert_eq!(a, b);
    assert_eq!(a.argmax(), Action::Hold);
}

#[test]
fn ties_go_to_the_first() {
    assert_eq!(Policy::new([0.0; 3], ActionMask::ALL).argmax(), Action::Sell);
    assert_eq!(Policy::new([0.0; 3], NO_SELL).argmax(), Action::Hold);
}

proptest! {
    #[test]
    fn is_a_distribution_that_sampling_follows(
        logits in prop::array::uniform3(-20.0f32..20.0),
        mask in prop::array::uniform3(any::<bool>()),
        temperature in 0.1..10.0f64,
    ) {
        let mask = ActionMask([mask[0], true, mask[2]]);
        let policy = Policy::with_temperature(logits, mask, temperature);
        let sum: f64 = Action::ALL.into_iter().map(|a| policy.prob(a)).sum();
        prop_assert!((sum - 1.0).abs() < 1e-12);
        prop_assert!(policy.entropy() >= -1e-12 && policy.entropy() <= 3f64.ln() + 1e-12);
        prop_assert_eq!(policy.kl_to(&policy), 0.0);
        // The share of an even grid of draws that gives an action is its probability.
        let n = 2000;
        let mut counts = [0usize; 3];
        for i in 0..n {
            counts[policy.sample((i as f64 + 0.5) / n as f64).index()] += 1;
        }
        for action in Action::ALL {
            let share = counts[action.index()] as f64 / n as f64;
            prop_assert!((share - policy.prob(action)).abs() < 2.0 / n as f64, "{action:?}");
            prop_assert!(mask.allows(action) || counts[action.index()] == 0);
        }
    }

    #[test]
    fn kl_is_not_negative(a in prop::array::uniform3(-5.0f32..5.0), b in prop::array::uniform3(-5.0f32..5.0)) {
        let kl = Policy::new(a, ActionMask::ALL).kl_to(&Policy::new(b, ActionMask::ALL));
        prop_assert!(kl >= -1e-12);
    }
}
