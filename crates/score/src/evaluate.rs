//! Replays decisions on a window of prices.

use chrono::NaiveDate;
use market_data::{Bar, BarSeries};
use trading_env::{Account, Action, Rules};

use crate::{Decisions, ScoreError, Scorecard, ScoredStep};

/// Settings of [`evaluate`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvaluateOptions {
    /// Cash at the start, in currency.
    pub initial_cash: f64,
    /// Periods per year; `None`: as the data say.
    pub periods_per_year: Option<f64>,
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        Self { initial_cash: 100_000.0, periods_per_year: None }
    }
}

/// Scores `decisions` on the prices with `from <= date <= to` under `rules`.
///
/// The decision of each date but the last is carried out whether or not it is legal for an agent: one that has
/// nothing to trade does nothing. Decisions outside the window, and the one of its last date, have no effect.
///
/// # Errors
/// When the window has fewer than two prices, a decision inside it has no price or a date of it no decision, or an
/// option is out of range.
pub fn evaluate(
    series: &BarSeries,
    from: NaiveDate,
    to: NaiveDate,
    decisions: &Decisions,
    rules: &dyn Rules,
    options: &EvaluateOptions,
) -> Result<Scorecard, ScoreError> {
    let periods_per_year = options.periods_per_year.unwrap_or(series.periods_per_year());
    for (option, found) in [("periods-per-year", periods_per_year), ("initial-cash", options.initial_cash)] {
        if !(found.is_finite() && found > 0.0) {
            return Err(ScoreError::Option { option, found });
        }
    }
    let window = series.between(from, to);
    if window.len() < 2 {
        let (first, last) = (series.date(0), series.date(series.len() - 1));
        return Err(ScoreError::Window { from, to, found: window.len(), first, last });
    }
    let dates = &series.dates()[window.clone()];
    let bars: Vec<Bar> = window.map(|i| series.bar(i)).collect();
    let actions = actions_of(decisions, dates, from, to)?;
    let steps = replay(&bars, &actions, rules, options.initial_cash);
    Scorecard::from_steps(options.initial_cash, &steps, periods_per_year)
}

/// One action per date of the window but its last.
fn actions_of(
    decisions: &Decisions,
    dates: &[NaiveDate],
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<Action>, ScoreError> {
    let mut without_price =
        decisions.dates_between(from, to).filter(|date| dates.binary_search(date).is_err());
    if let Some(first) = without_price.next() {
        let origin = decisions.origin(Some(first));
        return Err(ScoreError::NoPrice { origin, first, count: 1 + without_price.count() });
    }
    let deciding = &dates[..dates.len() - 1];
    let mut missing = deciding.iter().filter(|date| decisions.get(**date).is_none());
    if let Some(first) = missing.next() {
        let origin = decisions.origin(None);
        return Err(ScoreError::Missing { origin, first: *first, count: 1 + missing.count() });
    }
    Ok(deciding.iter().filter_map(|date| decisions.get(*date)).collect())
}

/// What each action contributes when it is carried out by its word: action `i`, decided at the close of bar `i`, on an
/// account that begins with `initial_cash`. Ends with the shorter of the steps between the bars and the actions.
pub(crate) fn replay(
    bars: &[Bar],
    actions: &[Action],
    rules: &dyn Rules,
    initial_cash: f64,
) -> Vec<ScoredStep> {
    let Some(first) = bars.first() else { return Vec::new() };
    let mut account = Account::new(initial_cash, first.close);
    let step = |(pair, action): (&[Bar], &Action)| {
        let before = account.equity();
        let fill = rules.advance(&mut account, *action, &pair[0], &pair[1]);
        let equity = account.equity();
        // Nothing is earned on an account that is gone.
        let log_return =
            if before > 0.0 { rules.log_return(*action, &pair[0], &pair[1], before, equity) } else { 0.0 };
        ScoredStep { equity, log_return, traded: fill.traded }
    };
    bars.windows(2).zip(actions).map(step).collect()
}

#[cfg(test)]
mod tests;
