//! Rewards by hand on two or three steps, against second implementations, and at their edges.

use proptest::prelude::*;
use serde_json::json;

use super::{
    DifferentialSharpe, DifferentialSharpeParams, LogReturn, LogReturnParams, REWARDS, RewardFn, SharpeDelta,
    SharpeDeltaParams, Transition,
};

fn rewards(reward: &mut dyn RewardFn, equity: &[f64]) -> Vec<f64> {
    equity.windows(2).map(|e| reward.step(Transition { before: e[0], after: e[1] })).collect()
}

fn check(found: &[f64], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len());
    for (f, w) in found.iter().zip(wanted) {
        assert!((f - w).abs() <= 1e-9 * w.abs().max(1.0), "{found:?} is not {wanted:?}");
    }
}

fn log_return(scale: f64) -> LogReturn {
    LogReturn::new(LogReturnParams { scale }).unwrap()
}

fn sharpe_delta() -> SharpeDelta {
    SharpeDelta::new(SharpeDeltaParams { scale: 1.0 }).unwrap()
}

fn differential_sharpe(scale: f64, eta: f64) -> DifferentialSharpe {
    DifferentialSharpe::new(DifferentialSharpeParams { scale, eta }).unwrap()
}

#[test]
fn log_return_is_the_logarithm_of_the_growth() {
    // 100 -> 200 -> 50: ln 2, then ln 1/4 = -2 ln 2.
    let ln2 = std::f64::consts::LN_2;
    check(&rewards(&mut log_return(1.0), &[100.0, 200.0, 50.0]), &[ln2, -2.0 * ln2]);
    check(&rewards(&mut log_return(10.0), &[100.0, 200.0]), &[10.0 * ln2]);
}

#[test]
fn sharpe_delta_is_zero_first_and_then_the_change_of_the_ratio() {
    // Equity 100, 101, 104, 102: pnl 1, 3, -2. SR_1 undefined, 0. SR_2 = 2 / sqrt((1 + 1) / 1) = sqrt 2.
    // SR_3: mean 2/3, deviations 1/3, 7/3, -8/3, squares (1 + 49 + 64) / 9 = 38/3, sd = sqrt(19/3).
    let third = (2.0 / 3.0) / (19.0f64 / 3.0).sqrt();
    let sqrt2 = 2f64.sqrt();
    check(&rewards(&mut sharpe_delta(), &[100.0, 101.0, 104.0, 102.0]), &[0.0, sqrt2, third - sqrt2]);
}

#[test]
fn sharpe_delta_is_zero_while_profits_do_not_differ() {
    assert_eq!(rewards(&mut sharpe_delta(), &[100.0, 105.0, 110.0, 115.0]), [0.0, 0.0, 0.0]);
    assert_eq!(rewards(&mut sharpe_delta(), &[100.0; 4]), [0.0, 0.0, 0.0]);
    // 100.1 - 100 and 100.2 - 100.1 differ by a rounding, which must not become a ratio of 1e15.
    assert_eq!(rewards(&mut sharpe_delta(), &[100.0, 100.1, 100.2, 100.3, 100.4]), [0.0; 4]);
}

#[test]
fn the_rounding_of_an_order_is_no_profit() {
    // An all-in purchase of 100000 / 3 shares at 3 can leave an ulp; without the rule sharpe-delta would give 0.7 here.
    let equity = [100_000.0, 100_000.0, 100_000.0 + 1.5e-11, 100_000.0 + 1.5e-11];
    assert_eq!(rewards(&mut sharpe_delta(), &equity), [0.0; 3]);
    assert_eq!(rewards(&mut differential_sharpe(1.0, 0.5), &equity), [0.0; 3]);
}

#[test]
fn differential_sharpe_follows_the_published_formula() {
    // eta 1/2; equity 100 -> 110 -> 121 -> 108.9: returns 0.1, 0.1, -0.1.
    // Step 1: A = B = 0, so 0; then A = 0.05, B = 0.005.
    // Step 2: dA = 0.05, dB = 0.005, B - A^2 = 0.0025, ^1.5 = 0.000125;
    //         D = (0.005 * 0.05 - 0.05 * 0.005 / 2) / 0.000125 = 0.000125 / 0.000125 = 1; A = 0.075, B = 0.0075.
    // Step 3: dA = -0.175, dB = 0.0025, B - A^2 = 0.001875;
    //         D = (0.0075 * -0.175 - 0.075 * 0.0025 / 2) / 0.001875^1.5 = -0.00140625 / 0.001875^1.5.
    let third = -0.00140625 / 0.001875f64.powf(1.5);
    let equity = [100.0, 110.0, 121.0, 108.9];
    check(&rewards(&mut differential_sharpe(1.0, 0.5), &equity), &[0.0, 1.0, third]);
    check(&rewards(&mut differential_sharpe(2.0, 0.5), &equity), &[0.0, 2.0, 2.0 * third]);
}

#[test]
fn differential_sharpe_is_the_derivative_of_the_moving_sharpe_ratio() {
    // S(eta) = A / sqrt(B - A^2) after one more step with rate eta; D is dS/d eta at 0.
    let equity = [100.0, 103.0, 101.0, 106.0, 104.5];
    let mut reward = differential_sharpe(1.0, 0.1);
    rewards(&mut reward, &equity);
    let returns = equity.windows(2).map(|e| e[1] / e[0] - 1.0);
    let (a, b) = returns.fold((0.0, 0.0), |(a, b), r| (0.9 * a + 0.1 * r, 0.9 * b + 0.1 * r * r));
    let simple_return = 0.02;
    let sharpe = |eta: f64| {
        let a = a + eta * (simple_return - a);
        let b = b + eta * (simple_return * simple_return - b);
        a / (b - a * a).sqrt()
    };
    let derivative = (sharpe(1e-6) - sharpe(-1e-6)) / 2e-6;
    let found = reward.step(Transition { before: 100.0, after: 102.0 });
    assert!((found - derivative).abs() < 1e-6 * derivative.abs(), "{found} is not {derivative}");
}

#[test]
fn ruin_gives_a_finite_reward() {
    for after in [0.0, -5.0, f64::NAN, f64::INFINITY] {
        for plugin in REWARDS {
            let mut reward = plugin.build(&json!({}), ()).unwrap();
            reward.step(Transition { before: 100.0, after: 101.0 });
            let last = reward.step(Transition { before: 101.0, after });
            assert!(last.is_finite() && last < 0.0, "{}: {last} at {after}", plugin.name());
        }
    }
}

#[test]
fn fresh_and_reset_forget_the_episode_and_keep_the_parameters() {
    let equity = [100.0, 103.0, 99.0, 120.0];
    for plugin in REWARDS {
        let params = if plugin.name() == "differential-sharpe" {
            json!({"scale": 3.0, "eta": 0.3})
        } else {
            json!({"scale": 3.0})
        };
        let mut reward = plugin.build(&params, ()).unwrap();
        let first = rewards(&mut *reward, &equity);
        assert_eq!(rewards(&mut *reward.fresh(), &equity), first, "{}", plugin.name());
        reward.reset();
        assert_eq!(rewards(&mut *reward, &equity), first, "{}", plugin.name());
        let unscaled = rewards(
            &mut *plugin.build(&json!({"eta": 0.3}), ()).or_else(|_| plugin.build(&json!({}), ())).unwrap(),
            &equity,
        );
        check(&first, &unscaled.iter().map(|r| 3.0 * r).collect::<Vec<_>>());
    }
}

#[test]
fn plugins_reject_what_is_out_of_range() {
    let names: Vec<_> = REWARDS.iter().map(|p| p.name()).collect();
    assert_eq!(names, ["sharpe-delta", "differential-sharpe", "log-return"]);
    for plugin in REWARDS {
        for params in [json!({"scale": 0.0}), json!({"scale": -1.0}), json!({"scales": 1.0})] {
            let error = plugin.build(&params, ()).err().expect("out of range").to_string();
            assert!(error.contains("scale"), "{error}");
        }
    }
    for eta in [0.0, 1.0, -0.1] {
        let error = REWARDS[1].build(&json!({"eta": eta}), ()).err().expect("out of range").to_string();
        assert!(error.contains("reward.eta"), "{error}");
    }
}

#[test]
fn schemas_accept_their_own_defaults_and_they_build() {
    for plugin in REWARDS {
        let mut params = serde_json::Map::new();
        plugin::fill_defaults(&plugin.schema(), &mut params);
        let params = serde_json::Value::Object(params);
        assert_eq!(plugin::check_value(&plugin.schema(), &params), [], "{}", plugin.name());
        assert!(plugin.build(&params, ()).is_ok(), "{}", plugin.name());
    }
}

/// Mean over sample standard deviation in two passes.
fn sharpe(pnl: &[f64]) -> f64 {
    let n = pnl.len() as f64;
    let mean = pnl.iter().sum::<f64>() / n;
    let squares: f64 = pnl.iter().map(|p| (p - mean).powi(2)).sum();
    mean / (squares / (n - 1.0)).sqrt()
}

fn equity_path() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(50.0..200.0, 3..40)
}

proptest! {
    #[test]
    fn log_returns_sum_to_the_log_growth(equity in equity_path()) {
        let total: f64 = rewards(&mut log_return(1.0), &equity).iter().sum();
        prop_assert!((total - (equity.last().unwrap() / equity[0]).ln()).abs() < 1e-12);
    }

    #[test]
    fn sharpe_delta_telescopes_to_the_ratio_of_the_episode(equity in equity_path()) {
        let total: f64 = rewards(&mut sharpe_delta(), &equity).iter().sum();
        let pnl: Vec<f64> = equity.windows(2).map(|e| e[1] - e[0]).collect();
        prop_assert!((total - sharpe(&pnl)).abs() < 1e-9 * total.abs().max(1.0));
    }

    #[test]
    fn sharpe_rewards_have_no_unit(equity in equity_path(), factor in 0.01..100.0) {
        let scaled: Vec<f64> = equity.iter().map(|e| e * factor).collect();
        for mut reward in [Box::new(sharpe_delta()) as Box<dyn RewardFn>, Box::new(differential_sharpe(1.0, 0.1))] {
            let one = rewards(&mut *reward, &equity);
            reward.reset();
            for (a, b) in one.iter().zip(rewards(&mut *reward, &scaled)) {
                prop_assert!((a - b).abs() < 1e-6 * a.abs().max(1.0), "{} is not {}", a, b);
            }
        }
    }
}
