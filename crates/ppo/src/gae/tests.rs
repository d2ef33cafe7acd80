use proptest::prelude::*;

use super::*;

/// Two steps of one environment that goes on: gamma 0.5, lambda 0.5, rewards 1 and 2, values 4 and 6, value after the
/// cut 8.
/// delta_1 = 2 + 0.5*8 - 6 = 0, A_1 = 0; delta_0 = 1 + 0.5*6 - 4 = 0, A_0 = 0 + 0.25*0 = 0.
/// With reward 3 at the end: delta_1 = 1, A_1 = 1, A_0 = 0 + 0.25*1 = 0.25.
#[test]
fn two_steps_by_hand() {
    let input = |last_reward| {
        let rewards: &'static [f64] = Box::leak(Box::new([1.0, last_reward]));
        GaeInput {
            n_envs: 1,
            rewards,
            values: &[4.0, 6.0],
            terminated: &[false; 2],
            truncated: &[false; 2],
            final_values: &[0.0, 8.0],
        }
    };
    assert_eq!(advantages(input(2.0), 0.5, 0.5), [0.0, 0.0]);
    assert_eq!(advantages(input(3.0), 0.5, 0.5), [0.25, 1.0]);
}

/// One step, reward 1, value 3, gamma 0.5, value of the final observation 10.
/// Ruin: 1 - 3 = -2. Time limit: 1 + 0.5*10 - 3 = 3.
#[test]
fn truncation_bootstraps_and_termination_does_not() {
    let one = |terminated: &[bool], truncated: &[bool]| {
        let input = GaeInput {
            n_envs: 1,
            rewards: &[1.0],
            values: &[3.0],
            terminated,
            truncated,
            final_values: &[10.0],
        };
        advantages(input, 0.5, 0.9)[0]
    };
    assert_eq!(one(&[true], &[false]), -2.0);
    assert_eq!(one(&[false], &[true]), 3.0);
    assert_eq!(one(&[true], &[true]), -2.0, "ruin at the time limit is ruin");
}

/// The definition, written forward: for each step, sum discounted TD errors until the episode or the rollout ends.
fn by_definition(input: GaeInput<'_>, gamma: f64, lambda: f64) -> Vec<f64> {
    let n_steps = input.rewards.len() / input.n_envs;
    let at = |t: usize, e: usize| t * input.n_envs + e;
    let mut result = vec![0.0; input.rewards.len()];
    for e in 0..input.n_envs {
        for start in 0..n_steps {
            let mut weight = 1.0;
            let mut sum = 0.0;
            for t in start..n_steps {
                let i = at(t, e);
                let over = input.terminated[i] || input.truncated[i];
                let next = if input.terminated[i] {
                    0.0
                } else if input.truncated[i] || t == n_steps - 1 {
                    input.final_values[i]
                } else {
                    input.values[at(t + 1, e)]
                };
                sum += weight * (input.rewards[i] + gamma * next - input.values[i]);
                weight *= gamma * lambda;
                if over {
                    break;
                }
            }
            result[at(start, e)] = sum;
        }
    }
    result
}

proptest! {
    #[test]
    fn equals_the_definition(
        n_envs in 1usize..4,
        rows in prop::collection::vec(
            (-3.0..3.0f64, -3.0..3.0f64, prop::bool::weighted(0.15), prop::bool::weighted(0.15), -3.0..3.0f64), 3..60),
        gamma in 0.0..1.0f64,
        lambda in 0.0..1.0f64,
    ) {
        let n = rows.len() / n_envs * n_envs;
        let rows = &rows[..n];
        let rewards: Vec<_> = rows.iter().map(|r| r.0).collect();
        let values: Vec<_> = rows.iter().map(|r| r.1).collect();
        let terminated: Vec<_> = rows.iter().map(|r| r.2).collect();
        let truncated: Vec<_> = rows.iter().map(|r| r.3).collect();
        let final_values: Vec<_> = rows.iter().map(|r| r.4).collect();
        let input = GaeInput {
            n_envs, rewards: &rewards, values: &values, terminated: &terminated, truncated: &truncated,
            final_values: &final_values,
        };
        let expected = by_definition(input, gamma, lambda);
        for (a, b) in advantages(input, gamma, lambda).iter().zip(&expected) {
            prop_assert!((a - b).abs() < 1e-10, "{a} {b}");
        }
    }

    /// With lambda 1 and no bootstrap inside, the advantage is the discounted return minus the value.
    #[test]
    fn lambda_one_is_the_return(rewards in prop::collection::vec(-3.0..3.0f64, 1..30), gamma in 0.0..1.0f64) {
        let n = rewards.len();
        let mut terminated = vec![false; n];
        terminated[n - 1] = true;
        let values: Vec<f64> = (0..n).map(|i| i as f64 * 0.1).collect();
        let input = GaeInput {
            n_envs: 1, rewards: &rewards, values: &values, terminated: &terminated, truncated: &vec![false; n],
            final_values: &vec![99.0; n],
        };
        let result = advantages(input, gamma, 1.0);
        let mut discounted = 0.0;
        for i in (0..n).rev() {
            discounted = rewards[i] + gamma * discounted;
            prop_assert!((result[i] - (discounted - values[i])).abs() < 1e-9);
        }
    }
}
