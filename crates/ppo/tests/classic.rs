//! Two tasks with known optima; CartPole takes longer and is a check of `cargo xtask ci --full`.

#[path = "../examples/classic/tasks.rs"]
#[allow(dead_code, reason = "CartPole is for the example")]
mod tasks;

use tasks::{Bandit, Chain, mean_return, small};

#[test]
fn a_bandit_with_context_is_solved() {
    assert_eq!(mean_return::<Bandit>(&small(10_240), 1, 60), 1.0);
}

#[test]
fn a_chain_that_needs_credit_over_time_is_solved() {
    assert!((mean_return::<Chain>(&small(20_480), 1, 3) - 3.0).abs() < 1e-9);
}
