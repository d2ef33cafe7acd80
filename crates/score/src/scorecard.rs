//! [`Scorecard`]: everything that `evaluate` says about a track record.

use serde::{Deserialize, Serialize};
use stats::TearSheet;
use trading_env::EnvBatch;

use crate::{PaperBlock, ScoreError};

/// What one step contributes to a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredStep {
    /// Equity at the close that ends the step.
    pub equity: f64,
    /// Log return of the step as its rules define it, see [`trading_env::Rules::log_return`]; -inf on ruin.
    pub log_return: f64,
    /// Absolute value traded, in currency; above 0 exactly when the position changed.
    pub traded: f64,
}

impl ScoredStep {
    /// The last step of environment `i`.
    ///
    /// # Panics
    /// When its episode has no step yet.
    pub fn last(envs: &EnvBatch, i: usize) -> Self {
        Self {
            equity: envs.observe(i).account.equity(),
            log_return: envs.log_return(i),
            traded: envs.fill(i).traded,
        }
    }
}

/// The numbers of `evaluate`, in the order of its JSON; what is undefined is `null`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scorecard {
    /// Statistics of the simple returns `exp(log_return) - 1`.
    #[serde(flatten)]
    pub sheet: TearSheet,
    /// The numbers of the published tables.
    pub paper: PaperBlock,
    /// Fills that changed the position.
    pub trades: usize,
    /// `sum(traded) / mean(equity) * P / n`: value traded as a multiple of the mean equity (start included), per year.
    pub turnover: Option<f64>,
    /// Equity at the end, in currency.
    pub final_equity: Option<f64>,
}

impl Scorecard {
    /// Scores the steps of one episode that began with `initial_equity`.
    ///
    /// # Errors
    /// Without steps, or with periods per year that are not finite and > 0.
    pub fn from_steps(
        initial_equity: f64,
        steps: &[ScoredStep],
        periods_per_year: f64,
    ) -> Result<Self, ScoreError> {
        let log_returns: Vec<f64> = steps.iter().map(|s| s.log_return).collect();
        let simple_returns: Vec<f64> = log_returns.iter().map(|x| x.exp_m1()).collect();
        let sheet = TearSheet::new(&simple_returns, periods_per_year)?;

        let n = steps.len() as f64;
        let total_equity = initial_equity + steps.iter().map(|s| s.equity).sum::<f64>();
        let traded: f64 = steps.iter().map(|s| s.traded).sum();
        let turnover = traded / (total_equity / (n + 1.0)) * periods_per_year / n;
        Ok(Self {
            sheet,
            paper: PaperBlock::new(&log_returns, periods_per_year),
            trades: steps.iter().filter(|s| s.traded > 0.0).count(),
            turnover: Some(turnover).filter(|t| t.is_finite()),
            final_equity: steps.last().map(|s| s.equity).filter(|e| e.is_finite()),
        })
    }

    /// Every number with its column name (`paper_cr` for `paper.cr`), in the order of the JSON.
    pub fn values(&self) -> Vec<(&'static str, Option<f64>)> {
        let mut values = vec![("n", Some(self.sheet.n as f64))];
        values.extend(self.sheet.values());
        values.extend([
            ("paper_cr", self.paper.cr),
            ("paper_sr", self.paper.sr),
            ("paper_av", self.paper.av),
            ("paper_mdd", self.paper.mdd),
            ("trades", Some(self.trades as f64)),
            ("turnover", self.turnover),
            ("final_equity", self.final_equity),
        ]);
        values
    }
}

#[cfg(test)]
mod tests;
