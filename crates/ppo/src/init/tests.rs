use super::*;

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

#[test]
fn rows_or_columns_are_orthogonal_with_the_gain_as_norm() {
    let wide = orthogonal(1, "w", [3, 7], 2.0);
    for i in 0..3 {
        for j in 0..3 {
            let expected = if i == j { 4.0 } else { 0.0 };
            assert!((dot(&wide[7 * i..7 * i + 7], &wide[7 * j..7 * j + 7]) - expected).abs() < 1e-5);
        }
    }
    let tall = orthogonal(1, "w", [7, 3], 0.01);
    let column = |c: usize| (0..7).map(|r| tall[3 * r + c]).collect::<Vec<_>>();
    for i in 0..3 {
        for j in 0..3 {
            let expected = if i == j { 1e-4 } else { 0.0 };
            assert!((dot(&column(i), &column(j)) - expected).abs() < 1e-9);
        }
    }
}

#[test]
fn seed_and_name_decide_the_values() {
    let a = orthogonal(1, "policy_head.0.weight", [4, 4], 1.0);
    assert_eq!(a, orthogonal(1, "policy_head.0.weight", [4, 4], 1.0));
    assert_ne!(a, orthogonal(2, "policy_head.0.weight", [4, 4], 1.0));
    assert_ne!(a, orthogonal(1, "value_head.0.weight", [4, 4], 1.0));
}
