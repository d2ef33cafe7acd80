use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use trading_env::ActionMask;

use super::*;

const CONFIG: LossConfig =
    LossConfig { clip_coef: 0.2, clip_vloss: true, ent_coef: 0.05, vf_coef: 0.5, kl_coef: 0.05 };

fn sample(action: Action, old_prob: f64, advantage: f64) -> Sample<'static> {
    Sample { action, old_log_prob: old_prob.ln(), advantage, target: 1.0, old_value: 0.0, initial: None }
}

/// Equal logits: p = 1/3 each. Old probability 1/4: r = 4/3 > 1.2.
/// A = 2: surrogate = -2 * 1.2 = -2.4, clipped, so only the entropy has a derivative, and that is 0 at its maximum.
/// A = -2: surrogate = 2 * 4/3 = 8/3, not clipped; d/d logit_j = 8/3 * ([j taken] - 1/3).
/// Value 0.5, old 0, target 1, clip 0.2: (0.5-1)^2 = 0.25 < (0.2-1)^2 = 0.64, so 0.32 and no derivative.
#[test]
fn by_hand() {
    let policy = Policy::new([0.0; 3], ActionMask::ALL);
    let up = loss(&policy, 0.5, &sample(Action::Buy, 0.25, 2.0), &CONFIG);
    assert!((up.policy + 2.4).abs() < 1e-12);
    assert!((up.value - 0.32).abs() < 1e-12);
    assert_eq!(up.d_value, 0.0);
    assert!((up.entropy - 3f64.ln()).abs() < 1e-12);
    assert!(up.d_logits.iter().all(|d| d.abs() < 1e-12));
    assert!((up.total - (-2.4 - 0.05 * 3f64.ln() + 0.5 * 0.32)).abs() < 1e-12);
    assert!((up.approx_kl() - (1.0 / 3.0 - (4.0f64 / 3.0).ln())).abs() < 1e-12);

    let down = loss(&policy, 0.5, &sample(Action::Buy, 0.25, -2.0), &CONFIG);
    assert!((down.policy - 8.0 / 3.0).abs() < 1e-12);
    let expected = [-8.0 / 9.0, -8.0 / 9.0, 16.0 / 9.0];
    assert!(down.d_logits.iter().zip(expected).all(|(d, e)| (d - e).abs() < 1e-12));

    let unclipped = LossConfig { clip_vloss: false, ..CONFIG };
    let plain = loss(&policy, 0.5, &sample(Action::Buy, 0.25, 2.0), &unclipped);
    assert_eq!((plain.value, plain.d_value), (0.125, -0.25));
}

/// Within the clip range the value's derivative is vf_coef * (v - R), also where v_old + (v - v_old) is not v in doubles.
#[test]
fn rounding_takes_no_derivative_of_the_value_away() {
    let policy = Policy::new([0.0; 3], ActionMask::ALL);
    let (value, old_value) = (-0.07541485_f32, 0.06013696481843865);
    let value = f64::from(value);
    assert_ne!(old_value + (value - old_value), value, "a case in which it matters");
    let sample = Sample { old_value, target: 0.0, ..sample(Action::Hold, 1.0 / 3.0, 0.0) };
    assert_eq!(loss(&policy, value, &sample, &CONFIG).d_value, 0.5 * value);
}

/// -1, 0, 4: mean 1, sample variance (4 + 1 + 9) / 2 = 7.
#[test]
fn whitening_by_hand() {
    let white = whiten(&[-1.0, 0.0, 4.0]);
    let expected = [-2.0, -1.0, 3.0].map(|d: f64| d / 7f64.sqrt());
    assert!(white.iter().zip(expected).all(|(w, e)| (w - e).abs() < 1e-8));
    assert_eq!(whiten(&[5.0]), [5.0]);
    assert_eq!(whiten(&[2.0, 2.0]), [0.0, 0.0]);
}

#[derive(Debug, Clone)]
struct Case {
    logits: [f32; 3],
    initial: [f32; 3],
    mask: ActionMask,
    action: Action,
    old_log_prob: f64,
    advantage: f64,
    value: f32,
    old_value: f64,
    target: f64,
}

prop_compose! {
    fn case()(
        logits in prop::array::uniform3(-3.0f32..3.0),
        initial in prop::array::uniform3(-3.0f32..3.0),
        legal in prop::array::uniform2(any::<bool>()),
        draw in 0.0..1.0f64,
        shift in -0.6..0.6f64,
        advantage in -3.0..3.0f64,
        value in -2.0f32..2.0,
        old_value in -2.0..2.0f64,
        target in -2.0..2.0f64,
    ) -> Case {
        let mask = ActionMask([legal[0], true, legal[1]]);
        let policy = Policy::new(logits, mask);
        let action = policy.sample(draw);
        let old_log_prob = policy.log_prob(action) + shift;
        Case { logits, initial, mask, action, old_log_prob, advantage, value, old_value, target }
    }
}

impl Case {
    fn loss(&self, logits: [f64; 3], value: f64) -> Loss {
        let initial = Policy::new(self.initial, self.mask);
        let sample = Sample {
            action: self.action,
            old_log_prob: self.old_log_prob,
            advantage: self.advantage,
            target: self.target,
            old_value: self.old_value,
            initial: Some(&initial),
        };
        loss(&Policy::from_f64(logits, self.mask), value, &sample, &CONFIG)
    }

    /// Not within `eps` of a corner of the clipped terms, where no derivative exists.
    fn smooth(&self, eps: f64) -> bool {
        let policy = Policy::new(self.logits, self.mask);
        let ratio = (policy.log_prob(self.action) - self.old_log_prob).exp();
        let value = f64::from(self.value);
        let moved = value - self.old_value;
        let error = value - self.target;
        let clipped = self.old_value + moved.clamp(-0.2, 0.2) - self.target;
        (ratio - 0.8).abs() > eps
            && (ratio - 1.2).abs() > eps
            && (moved.abs() - 0.2).abs() > eps
            && (moved.abs() < 0.2 || (error.abs() - clipped.abs()).abs() > eps)
    }
}

/// The same objective as tensor operations, differentiated by burn: `[batch]` cases at once.
fn by_autodiff(cases: &[Case]) -> (Vec<f64>, Vec<f32>, Vec<f32>) {
    let device = Device::flex().autodiff();
    let b = cases.len();
    let matrix = |f: &dyn Fn(&Case) -> [f32; 3]| {
        Tensor::<2>::from_data(
            TensorData::new(cases.iter().flat_map(f).collect::<Vec<f32>>(), [b, 3]),
            &device,
        )
    };
    let column = |f: &dyn Fn(&Case) -> f64| {
        let data: Vec<f32> = cases.iter().map(|c| f(c) as f32).collect();
        Tensor::<2>::from_data(TensorData::new(data, [b, 1]), &device)
    };
    let logits = matrix(&|c| c.logits).require_grad();
    let values = column(&|c| f64::from(c.value)).require_grad();
    let barrier = matrix(&|c| c.mask.0.map(|legal| if legal { 0.0 } else { -1e9 }));
    let taken = matrix(&|c| Action::ALL.map(|a| if a == c.action { 1.0 } else { 0.0 }));
    let log_softmax = |x: Tensor<2>| {
        let max = x.clone().detach().max_dim(1);
        let shifted = x - max;
        shifted.clone() - shifted.exp().sum_dim(1).log()
    };
    let log_p = log_softmax(logits.clone() + barrier.clone());
    let log_q = log_softmax(matrix(&|c| c.initial) + barrier);
    let p = log_p.clone().exp();
    let ratio = ((log_p.clone() * taken).sum_dim(1) - column(&|c| c.old_log_prob)).exp();
    let advantage = column(&|c| c.advantage);
    let surrogate =
        (advantage.clone().neg() * ratio.clone()).max_pair(advantage.neg() * ratio.clamp(0.8, 1.2));
    let old = column(&|c| c.old_value);
    let target = column(&|c| c.target);
    let clipped = old.clone() + (values.clone() - old).clamp(-0.2, 0.2) - target.clone();
    let value_loss = (values.clone() - target).powi_scalar(2).max_pair(clipped.powi_scalar(2)) * 0.5;
    let entropy = (p.clone() * log_p.clone()).sum_dim(1).neg();
    let kl = (p * (log_p - log_q)).sum_dim(1);
    let total = surrogate - entropy * 0.05 + value_loss * 0.5 + kl * 0.05;
    let grads = total.clone().sum().backward();
    let host = |t: Tensor<2>| t.try_into_vec_as::<f32>().unwrap();
    (
        host(total.inner()).into_iter().map(f64::from).collect(),
        host(logits.grad(&grads).unwrap()),
        host(values.grad(&grads).unwrap()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn derivatives_equal_finite_differences(case in case()) {
        let h = 1e-5;
        prop_assume!(case.smooth(1e-4));
        let logits = case.logits.map(f64::from);
        let value = f64::from(case.value);
        let result = case.loss(logits, value);
        for action in Action::ALL {
            let i = action.index();
            let at = |step: f64| {
                let mut moved = logits;
                moved[i] += step;
                case.loss(moved, value).total
            };
            let numeric = (at(h) - at(-h)) / (2.0 * h);
            prop_assert!((result.d_logits[i] - numeric).abs() < 1e-6, "{i}: {} {numeric}", result.d_logits[i]);
            if !case.mask.allows(action) {
                prop_assert_eq!(result.d_logits[i], 0.0);
            }
        }
        let numeric = (case.loss(logits, value + h).total - case.loss(logits, value - h).total) / (2.0 * h);
        prop_assert!((result.d_value - numeric).abs() < 1e-6);
    }

    #[test]
    fn equals_the_same_formula_under_autodiff(cases in prop::collection::vec(case(), 1..8)) {
        let cases: Vec<_> = cases.into_iter().filter(|c| c.smooth(1e-4)).collect();
        prop_assume!(!cases.is_empty());
        let (totals, d_logits, d_values) = by_autodiff(&cases);
        for (i, case) in cases.iter().enumerate() {
            let ours = case.loss(case.logits.map(f64::from), f64::from(case.value));
            prop_assert!((ours.total - totals[i]).abs() < 1e-4, "{} {}", ours.total, totals[i]);
            for j in 0..3 {
                let theirs = f64::from(d_logits[3 * i + j]);
                prop_assert!((ours.d_logits[j] - theirs).abs() < 1e-4, "{} {theirs}", ours.d_logits[j]);
            }
            prop_assert!((ours.d_value - f64::from(d_values[i])).abs() < 1e-4);
        }
    }
}
