use super::*;

/// Targets 1, 3: variance 1. Values 1, 2: errors 0, 1, variance 1/4. 1 - 1/4 = 3/4.
#[test]
fn explained_variance_by_hand() {
    assert_eq!(explained_variance(&[1.0, 2.0], &[1.0, 3.0]), Some(0.75));
    assert_eq!(explained_variance(&[5.0, 7.0], &[1.0, 3.0]), Some(1.0), "a constant offset is not variance");
    assert_eq!(explained_variance(&[0.0, 9.0], &[0.1, 0.1]), None);
}
