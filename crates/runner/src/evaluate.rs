//! Steps a learner through segments it does not train on.

use score::{ScoreError, Scorecard, ScoredStep};
use trading_env::{AgentError, Arena, Decision, EnvBatch, Learner, StepRecord};

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

/// One episode over the whole segment of each arena, from its first bar to its last, in the order of `arenas`. The
/// learner sees one observation of each at a time and nothing else. The episodes go on side by side, because a network
/// reads several observations in less time than one after the other; longer ones stand first, so that each keeps its
/// place among the learner's observations to its end.
///
/// `on_step` hears of every step; `false` stops with [`AgentError::Interrupted`].
///
/// # Errors
/// What the learner reports, an illegal decision, a number that is not finite.
pub fn evaluate(
    learner: &mut dyn Learner,
    arenas: &[&Arena],
    mut on_step: impl FnMut() -> bool,
) -> Result<Vec<Evaluation>, AgentError> {
    learner.reset();
    let mut episodes: Vec<Episode> = arenas.iter().map(|arena| Episode::new(arena)).collect();
    let mut places: Vec<usize> = (0..arenas.len()).collect();
    places.sort_by_key(|i| std::cmp::Reverse(arenas[*i].segment().n_bars()));
    loop {
        places.retain(|i| !episodes[*i].envs.ended(0));
        if places.is_empty() {
            return Ok(episodes.into_iter().map(|episode| episode.evaluation).collect());
        }
        let observations: Vec<_> = places.iter().map(|i| episodes[*i].envs.observe(0)).collect();
        let decisions = learner.decide(&observations)?;
        let (n, found) = (observations.len(), decisions.len());
        if found != n {
            return Err(AgentError::Other(format!("{found} decisions for {n} observations")));
        }
        for (i, decision) in places.iter().zip(decisions) {
            if !on_step() {
                return Err(AgentError::Interrupted);
            }
            episodes[*i].take(decision)?;
        }
    }
}

/// An evaluation under way.
struct Episode {
    envs: EnvBatch,
    evaluation: Evaluation,
}

impl Episode {
    fn new(arena: &Arena) -> Self {
        let envs = arena.evaluation();
        let initial_equity = envs.observe(0).account.equity();
        Self { envs, evaluation: Evaluation { initial_equity, rows: Vec::new(), steps: Vec::new() } }
    }

    fn take(&mut self, decision: Decision) -> Result<(), AgentError> {
        let Self { envs, evaluation } = self;
        let observation = envs.observe(0);
        let (date, mask) = (observation.history.date(), observation.mask);
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
        evaluation.steps.push(ScoredStep::last(envs, 0));
        Ok(())
    }
}
