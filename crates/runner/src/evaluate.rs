//! Steps a learner through a segment it does not train on.

use score::{ScoreError, Scorecard, ScoredStep};
use trading_env::{AgentError, Arena, Learner, StepRecord};

use crate::rows::not_finite;

/// One episode over the whole of a segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Equity at the first bar.
    pub initial_equity: f64,
    /// A row per step, with the decision's log-probability and value.
    pub rows: Vec<StepRecord>,
    /// What each step contributes to the score.
    pub steps: Vec<ScoredStep>,
}

impl Evaluation {
    /// The numbers of the track record.
    ///
    /// # Errors
    /// Without steps, or with periods per year that are not finite and > 0.
    pub fn score(&self, periods_per_year: f64) -> Result<Scorecard, ScoreError> {
        Scorecard::from_steps(self.initial_equity, &self.steps, periods_per_year)
    }
}

/// One episode over the whole segment of `arena`, from its first bar to its last. The learner sees one observation
/// at a time and nothing else.
///
/// `on_step` hears of every step; `false` stops with [`AgentError::Interrupted`].
///
/// # Errors
/// What the learner reports, an illegal decision, a number that is not finite.
pub fn evaluate(
    learner: &mut dyn Learner,
    arena: &Arena,
    mut on_step: impl FnMut() -> bool,
) -> Result<Evaluation, AgentError> {
    learner.reset();
    let mut envs = arena.evaluation();
    let mut evaluation =
        Evaluation { initial_equity: envs.observe(0).account.equity(), rows: Vec::new(), steps: Vec::new() };
    while !envs.ended(0) {
        if !on_step() {
            return Err(AgentError::Interrupted);
        }
        let observation = envs.observe(0);
        let (date, mask) = (observation.history.date(), observation.mask);
        let decisions = learner.decide(&[observation])?;
        let [decision] = decisions[..] else {
            return Err(AgentError::Other(format!("{} decisions for 1 observation", decisions.len())));
        };
        if !mask.allows(decision.action) {
            let action = decision.action.word();
            return Err(AgentError::Other(format!(
                "decided to {action} on {date}, which is not legal there"
            )));
        }
        envs.step(0, decision.action);
        let row = StepRecord { log_prob: decision.log_prob, value: decision.value, ..envs.record(0) };
        if let Some((what, value)) = not_finite(&row) {
            return Err(AgentError::Other(format!("{what} is {value} on {date}")));
        }
        evaluation.rows.push(row);
        evaluation.steps.push(ScoredStep::last(&envs, 0));
    }
    Ok(evaluation)
}
