//! Steps a learner through a segment it does not train on.

use trading_env::{AgentError, Arena, Learner, StepRecord};

use crate::rows::not_finite;

/// One episode over the whole segment of `arena`, from its first bar to its last: a row per step, with the
/// decision's log-probability and value. The learner sees one observation at a time and nothing else.
///
/// `on_step` hears of every step; `false` stops with [`AgentError::Interrupted`].
///
/// # Errors
/// What the learner reports, an illegal decision, a number that is not finite.
pub fn evaluate(
    learner: &mut dyn Learner,
    arena: &Arena,
    mut on_step: impl FnMut() -> bool,
) -> Result<Vec<StepRecord>, AgentError> {
    learner.reset();
    let mut envs = arena.evaluation();
    let mut rows: Vec<StepRecord> = Vec::new();
    loop {
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
            return Err(AgentError::Other(format!("decided `{}` on {date}, which is not legal", decision.action.word())));
        }
        let step = envs.step(0, decision.action);
        let row = StepRecord { log_prob: decision.log_prob, value: decision.value, ..envs.record(0) };
        if let Some((what, value)) = not_finite(&row) {
            return Err(AgentError::Other(format!("{what} is {value} on {date}")));
        }
        rows.push(row);
        if step.terminated || step.truncated {
            return Ok(rows);
        }
    }
}
