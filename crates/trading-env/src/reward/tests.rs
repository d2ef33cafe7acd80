//! Rewards by hand on two or three steps, against second implementations, and at their edges.

use proptest::prelude::*;
use serde_json::json;

use super::{
    CvarPenalised, CvarPenalisedParams, DifferentialSharpe, DifferentialSharpeParams, Downside,
    DownsideParams, DrawdownPenalised, DrawdownPenalisedParams, LogReturn, LogReturnParams, Pnl, PnlParams,
    REWARDS, RewardFn, SharpeDelta, SharpeDeltaParams, Transition,
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

fn pnl(scale: f64) -> Pnl {
    Pnl::new(PnlParams { scale }).unwrap()
}

fn drawdown_penalised(penalty: f64) -> DrawdownPenalised {
    DrawdownPenalised::new(DrawdownPenalisedParams { scale: 1.0, penalty }).unwrap()
}

fn downside(eta: f64) -> Downside {
    Downside::new(DownsideParams { scale: 1.0, eta }).unwrap()
}

fn cvar_penalised(penalty: f64, tail: f64) -> CvarPenalised {
    CvarPenalised::new(CvarPenalisedParams { scale: 1.0, penalty, tail }).unwrap()
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
fn pnl_is_the_profit() {
    // 100 -> 103 -> 98: 3, then -5.
    check(&rewards(&mut pnl(1.0), &[100.0, 103.0, 98.0]), &[3.0, -5.0]);
    check(&rewards(&mut pnl(0.01), &[100.0, 103.0]), &[0.03]);
}

#[test]
fn drawdown_penalised_pays_for_what_a_step_adds_to_the_maximum_drawdown() {
    // 100 -> 80 -> 120 -> 90 -> 60: drawdowns 0.2, 0, 0.25, 0.5; maximum 0.2, 0.2, 0.25, 0.5; penalty 2.
    let growth = [0.8f64.ln(), 1.5f64.ln(), 0.75f64.ln(), (2.0f64 / 3.0).ln()];
    let wanted = [growth[0] - 0.4, growth[1], growth[2] - 0.1, growth[3] - 0.5];
    check(&rewards(&mut drawdown_penalised(2.0), &[100.0, 80.0, 120.0, 90.0, 60.0]), &wanted);
}

#[test]
fn downside_follows_the_published_formula() {
    // eta 1/2; equity 100 -> 80 -> 88 -> 66: returns -0.2, 0.1, -0.25.
    // Step 1: DD = 0, so 0; then A = -0.1, DD^2 = 0.02.
    // Step 2, a gain: D = (0.1 + 0.05) / sqrt(0.02); then A = 0, DD^2 = 0.01.
    // Step 3, a loss: D = (-0.25 - 0) / 0.1 - 0 = -2.5.
    let wanted = [0.0, 0.15 / 0.02f64.sqrt(), -2.5];
    check(&rewards(&mut downside(0.5), &[100.0, 80.0, 88.0, 66.0]), &wanted);
}

#[test]
fn downside_is_the_derivative_of_the_moving_ratio() {
    let equity = [100.0, 97.0, 101.0, 98.0, 104.5];
    for after in [102.0, 98.0] {
        let mut reward = downside(0.1);
        rewards(&mut reward, &equity);
        let returns = equity.windows(2).map(|e| e[1] / e[0] - 1.0);
        let (a, b) =
            returns.fold((0.0, 0.0), |(a, b), r| (0.9 * a + 0.1 * r, 0.9 * b + 0.1 * r.min(0.0).powi(2)));
        let simple_return: f64 = after / 100.0 - 1.0;
        let ratio = |eta: f64| {
            let b = b + eta * (simple_return.min(0.0).powi(2) - b);
            (a + eta * (simple_return - a)) / b.sqrt()
        };
        let derivative = (ratio(1e-6) - ratio(-1e-6)) / 2e-6;
        let found = reward.step(Transition { before: 100.0, after });
        assert!((found - derivative).abs() < 1e-6 * derivative.abs(), "{found} is not {derivative}");
    }
}

#[test]
fn cvar_penalised_pays_for_what_a_step_adds_to_the_expected_shortfall() {
    // 100 -> 90 -> 99 -> 79.2, tail 1/2, penalty 2: returns -0.1, 0.1, -0.2; worst halves: {-0.1}, {-0.1}, {-0.2, -0.1}.
    // Expected shortfall 0.1, 0.1, 0.15.
    let wanted = [0.9f64.ln() - 0.2, 1.1f64.ln(), 0.8f64.ln() - 0.1];
    check(&rewards(&mut cvar_penalised(2.0, 0.5), &[100.0, 90.0, 99.0, 79.2]), &wanted);
    // Gains alone fall short of nothing.
    check(&rewards(&mut cvar_penalised(2.0, 0.5), &[100.0, 110.0]), &[1.1f64.ln()]);
}

#[test]
fn ruin_is_a_loss() {
    for after in [0.0, -5.0, f64::NAN, f64::INFINITY] {
        for plugin in REWARDS {
            let mut reward = plugin.build(&json!({}), ()).unwrap();
            // One gain and one loss: after them every reward is defined.
            rewards(&mut *reward, &[100.0, 101.0, 100.0]);
            let last = reward.step(Transition { before: 100.0, after });
            assert!(last < 0.0, "{}: {last} at {after}", plugin.name());
        }
    }
}

#[test]
fn scale_is_a_factor_on_every_reward() {
    let equity = [100.0, 103.0, 99.0, 120.0];
    for plugin in REWARDS {
        let of = |scale: f64| rewards(&mut *plugin.build(&json!({"scale": scale}), ()).unwrap(), &equity);
        check(&of(3.0), &of(1.0).iter().map(|r| 3.0 * r).collect::<Vec<_>>());
    }
}

#[test]
fn plugins_reject_what_is_out_of_range() {
    assert_eq!(REWARDS[0].name(), "sharpe-delta", "the paper's is the default");
    for plugin in REWARDS {
        for params in [json!({"scale": 0.0}), json!({"scale": -1.0}), json!({"scales": 1.0})] {
            let error = plugin.build(&params, ()).err().expect("out of range").to_string();
            assert!(error.contains("scale"), "{error}");
        }
    }
    for (name, params, key) in [
        ("differential-sharpe", json!({"eta": 0.0}), "reward.eta"),
        ("differential-sharpe", json!({"eta": 1.0}), "reward.eta"),
        ("downside", json!({"eta": -0.1}), "reward.eta"),
        ("drawdown-penalised", json!({"penalty": -1.0}), "reward.penalty"),
        ("cvar-penalised", json!({"penalty": -1.0}), "reward.penalty"),
        ("cvar-penalised", json!({"tail": 0.0}), "reward.tail"),
        ("cvar-penalised", json!({"tail": 1.5}), "reward.tail"),
    ] {
        let plugin = REWARDS.iter().find(|p| p.name() == name).unwrap();
        let error = plugin.build(&params, ()).err().expect("out of range").to_string();
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn every_reward_keeps_the_contract() {
    for plugin in REWARDS {
        crate::contract::reward(*plugin, &json!({}));
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
    fn profits_sum_to_the_whole_profit(equity in equity_path()) {
        let total: f64 = rewards(&mut pnl(1.0), &equity).iter().sum();
        prop_assert!((total - (equity.last().unwrap() - equity[0])).abs() < 1e-9);
    }

    #[test]
    fn drawdown_penalised_sums_to_growth_less_the_maximum_drawdown(equity in equity_path()) {
        let total: f64 = rewards(&mut drawdown_penalised(3.0), &equity).iter().sum();
        let fall = |i: usize| 1.0 - equity[i] / equity[..=i].iter().copied().fold(0.0, f64::max);
        let deepest = (0..equity.len()).map(fall).fold(0.0, f64::max);
        let growth = (equity.last().unwrap() / equity[0]).ln();
        prop_assert!((total - (growth - 3.0 * deepest)).abs() < 1e-9);
    }

    #[test]
    fn cvar_penalised_sums_to_growth_less_the_expected_shortfall(equity in equity_path()) {
        let total: f64 = rewards(&mut cvar_penalised(3.0, 0.2), &equity).iter().sum();
        let mut returns: Vec<f64> = equity.windows(2).map(|e| e[1] / e[0] - 1.0).collect();
        returns.sort_by(f64::total_cmp);
        let worst = (0.2 * returns.len() as f64).ceil() as usize;
        let shortfall = (-returns[..worst].iter().sum::<f64>() / worst as f64).max(0.0);
        let growth = (equity.last().unwrap() / equity[0]).ln();
        prop_assert!((total - (growth - 3.0 * shortfall)).abs() < 1e-9);
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
