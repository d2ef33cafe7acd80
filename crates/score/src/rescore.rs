//! Two truths and more: the same decisions under every set of rules that a result is compared under.

use market_data::{Bar, Segment};
use trading_env::{Action, InvestorBench, Paper, Realistic, RealisticParams, Rules};

use crate::evaluate::replay;
use crate::{ScoreError, Scorecard};

/// The cost axis of the `realistic` rules, in basis points of the traded value per trade. The fee carries it: there is
/// no slippage, and shares are fractional.
pub const COST_AXIS_BPS: [f64; 5] = [0.0, 5.0, 10.0, 15.0, 20.0];

/// Decisions scored under other rules than they were taken under.
#[derive(Debug, Clone, PartialEq)]
pub struct Rescored {
    /// Name of the rules.
    pub rules: &'static str,
    /// `fee_bps` of the rules; 0 where they know no cost.
    pub cost_bps: f64,
    /// What `evaluate` says of the decisions under these rules.
    pub scores: Scorecard,
}

/// Scores `actions` under `paper`, `investor-bench`, and `realistic` at every cost of [`COST_AXIS_BPS`], in this order.
///
/// An action is a word, not a position: it is carried out as [`evaluate`](crate::evaluate()) does, whether or not it was
/// legal for the agent under these rules, and one that has nothing to trade does nothing. So `hold` is flat under
/// `investor-bench` and keeps the position elsewhere. Action `i` is decided at the close of the segment's bar `i`; where
/// there are fewer actions than steps between its bars (an account that was ruined), the steps that were taken are
/// scored.
///
/// # Errors
/// Without a step, or with periods per year that are not finite and > 0.
pub fn rescore(
    segment: &Segment,
    actions: &[Action],
    initial_cash: f64,
    periods_per_year: f64,
) -> Result<Vec<Rescored>, ScoreError> {
    let bars: Vec<Bar> = (segment.first..segment.series.len()).map(|i| segment.series.bar(i)).collect();
    let score = |rules: &dyn Rules, cost_bps| {
        let steps = replay(&bars, actions, rules, initial_cash);
        let scores = Scorecard::from_steps(initial_cash, &steps, periods_per_year)?;
        Ok(Rescored { rules: rules.name(), cost_bps, scores })
    };
    let at_cost = |fee_bps: f64| {
        let rules = Realistic::new(RealisticParams { fee_bps, ..RealisticParams::default() })
            .expect("invariant: the cost axis is in the range of fees");
        score(&rules, fee_bps)
    };
    [score(&Paper, 0.0), score(&InvestorBench, 0.0)]
        .into_iter()
        .chain(COST_AXIS_BPS.into_iter().map(at_cost))
        .collect()
}

#[cfg(test)]
mod tests;
