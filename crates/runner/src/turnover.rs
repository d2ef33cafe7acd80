//! What the decisions of a policy would have earned at other times: its turnover without its timing.

use score::ScoredStep;
use store::EqualTurnover;
use trading_env::{Action, Arena, EnvBatch};

/// Most shifts that are carried out.
const MOST: usize = 200;

/// Carries out a policy's actions shifted in time, around the end to the beginning, by every number of bars or, on a
/// long segment, by evenly spaced ones. Each is a policy with the same actions in the same order, and so with the same
/// turnover and holding times up to the seam, that knows nothing of the bars it trades at: a permutation test of timing.
///
/// A shifted action that is illegal where it falls becomes Hold, which may save a trade. `None` for fewer than three actions, and when the
/// policy's own or a shifted log return is not finite.
pub(crate) fn equal_turnover(arena: &Arena, actions: &[Action], log_return: f64) -> Option<EqualTurnover> {
    let n = actions.len();
    if n < 3 || !log_return.is_finite() {
        return None;
    }
    let n_shifts = (n - 1).min(MOST);
    let shifts = (1..=n_shifts).map(|i| i * n / (n_shifts + 1));
    let mut envs = arena.evaluation();
    let mut returns: Vec<f64> = shifts.map(|shift| shifted(&mut envs, actions, shift)).collect();
    returns.sort_by(f64::total_cmp);
    let mean = returns.iter().sum::<f64>() / returns.len() as f64;
    // Sums over a shifted order differ in the last bits where the actions are the same everywhere.
    let at_least = returns.iter().filter(|r| **r >= log_return - 1e-12).count();
    let quantile = |p: f64| returns[(p * (returns.len() - 1) as f64).round() as usize];
    mean.is_finite().then(|| EqualTurnover {
        policies: returns.len(),
        mean_log_return: mean,
        low: quantile(0.025),
        high: quantile(0.975),
        at_least,
    })
}

/// Log return of an episode whose action at step `t` is that of step `t + shift`.
fn shifted(envs: &mut EnvBatch, actions: &[Action], shift: usize) -> f64 {
    envs.reset(0);
    let mut sum = 0.0;
    for t in 0..actions.len() {
        let wish = actions[(t + shift) % actions.len()];
        let action = if envs.observe(0).mask.allows(wish) { wish } else { Action::Hold };
        envs.step(0, action);
        sum += ScoredStep::last(envs, 0).log_return;
        if envs.ended(0) {
            // Ruined: the account takes no further step.
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::{Days, NaiveDate};
    use market_data::{BarSeries, Columns, Segment};
    use trading_env::Action::{Buy, Hold, Sell};
    use trading_env::{EnvConfig, InvestorBench, LogReturn, LogReturnParams, SplitName};

    use super::*;

    fn arena(moves: &[f64]) -> Arena {
        let mut close = vec![100.0];
        close.extend(moves.iter().scan(100.0, |price: &mut f64, m| {
            *price *= m.exp();
            Some(*price)
        }));
        let first = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap();
        let dates = (0..close.len()).map(|i| first + Days::new(i as u64)).collect();
        let series = BarSeries::from_columns("T", Some(252.0), Columns::of_closes(dates, close)).unwrap();
        let reward = LogReturn::new(LogReturnParams::default()).unwrap();
        let (rules, reward) = (Arc::new(InvestorBench), Arc::new(reward));
        Arena::new(Segment::whole(series), SplitName::Test, rules, reward, EnvConfig::default()).unwrap()
    }

    /// Long, flat, short, short over moves of 1, 2, 3, 4 percent; by hand, shifted by 1, 2 and 3:
    /// flat short short long = -2 - 3 + 4, short short long flat = -1 - 2 + 3, short long flat short = -1 + 2 - 4.
    #[test]
    fn shifts_by_hand() {
        let arena = arena(&[0.01, 0.02, 0.03, 0.04]);
        let found = equal_turnover(&arena, &[Buy, Hold, Sell, Sell], 0.01 - 0.03 - 0.04).unwrap();
        assert_eq!((found.policies, found.at_least), (3, 3));
        assert!((found.mean_log_return - (-0.01 + 0.0 - 0.03) / 3.0).abs() < 1e-12);
        assert!((found.low + 0.03).abs() < 1e-12 && found.high.abs() < 1e-12, "{found:?}");
        // What trades with foresight is beaten by none.
        let moves: [f64; 5] = [0.01, -0.02, 0.03, 0.04, -0.05];
        let all = moves.iter().map(|m| m.abs()).sum();
        let best = equal_turnover(&self::arena(&moves), &[Buy, Sell, Buy, Buy, Sell], all).unwrap();
        assert_eq!(best.at_least, 0);
    }

    #[test]
    fn a_constant_policy_has_no_timing() {
        let moves: Vec<f64> = (0..600).map(|i| 0.01 * f64::from(i % 7) - 0.02).collect();
        let found = equal_turnover(&arena(&moves), &vec![Buy; 600], moves.iter().sum()).unwrap();
        assert_eq!((found.policies, found.at_least), (200, 200));
        assert!((found.mean_log_return - moves.iter().sum::<f64>()).abs() < 1e-9);
        assert_eq!(equal_turnover(&arena(&moves[..2]), &[Buy, Buy], 0.0), None);
    }
}
