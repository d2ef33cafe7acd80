//! `breakout`: buys above the highest close of a window and sells below the lowest; training chooses the window.

use std::path::Path;

use flaglab::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Plugin of the agent `breakout`.
pub struct Breakout;

/// Parameters of `breakout`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct BreakoutParams {
    /// Windows in bars, of which training takes the one with the highest rewards; the first without training.
    #[schemars(length(min = 1, max = 100), inner(range(min = 1, max = 10_000)))]
    windows: Vec<usize>,
}

impl Default for BreakoutParams {
    fn default() -> Self {
        Self {
            windows: vec![20, 5, 10, 40],
        }
    }
}

/// File of the chosen window in a saved policy.
const WINDOW: &str = "window.txt";

/// What all seeds share.
impl Agent for BreakoutParams {
    fn learner(&self, _seed: u64) -> Result<Box<dyn Learner + '_>, AgentError> {
        let window = self.windows.first().copied();
        let window = window
            .ok_or_else(|| AgentError::Other("agent.windows: expected one or more".to_owned()))?;
        Ok(Box::new(Trader {
            params: self,
            window,
        }))
    }

    fn load(&self, _seed: u64, dir: &Path) -> Result<Box<dyn Learner + '_>, AgentError> {
        let path = dir.join(WINDOW);
        let wrong =
            |e: &dyn std::fmt::Display| AgentError::Other(format!("{}: {e}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|e| wrong(&e))?;
        let window = text.trim().parse().map_err(|e| wrong(&e))?;
        Ok(Box::new(Trader {
            params: self,
            window,
        }))
    }
}

/// One seed's agent.
struct Trader<'a> {
    params: &'a BreakoutParams,
    window: usize,
}

/// Holds with fewer bars of history than the window has, between its extremes, and where its wish is illegal.
fn decide(window: usize, observation: &Observation<'_>) -> Action {
    let wish = match observation.history.closes(window + 1) {
        [before @ .., last] if before.len() == window => {
            if before.iter().all(|close| last > close) {
                Action::Buy
            } else if before.iter().all(|close| last < close) {
                Action::Sell
            } else {
                Action::Hold
            }
        }
        _ => Action::Hold,
    };
    if observation.mask.allows(wish) {
        wish
    } else {
        Action::Hold
    }
}

impl Learner for Trader<'_> {
    fn train(&mut self, training: Training<'_>) -> Result<(), AgentError> {
        let windows = &self.params.windows;
        let steps = training.arena.segment().n_bars() - 1;
        let total = (windows.len() * steps) as u64;
        let mut done = 0;
        let mut envs = training.arena.evaluation();
        let mut best: Option<(f64, usize)> = None;
        for (turn, &window) in windows.iter().enumerate() {
            if turn > 0 {
                envs.reset(0);
            }
            let mut earned = 0.0;
            while !envs.ended(0) {
                if !training.log.progress(done, total) {
                    return Err(AgentError::Interrupted);
                }
                let action = decide(window, &envs.observe(0));
                earned += envs.step(0, action).reward;
                training.log.step(envs.record(0));
                done += 1;
            }
            training
                .log
                .note(&format!("a window of {window} earns {earned}"));
            if best.is_none_or(|(most, _)| earned > most) {
                best = Some((earned, window));
            }
        }
        if let Some((_, window)) = best {
            self.window = window;
        }
        Ok(())
    }

    fn decide(&mut self, observations: &[Observation<'_>]) -> Result<Vec<Decision>, AgentError> {
        Ok(observations
            .iter()
            .map(|o| decide(self.window, o).into())
            .collect())
    }

    fn save(&self, dir: &Path) -> Result<bool, AgentError> {
        let path = dir.join(WINDOW);
        let failed = |e| AgentError::Other(format!("{}: {e}", path.display()));
        std::fs::write(&path, self.window.to_string()).map_err(failed)?;
        Ok(true)
    }
}

impl Plugin<AgentKind> for Breakout {
    fn name(&self) -> &'static str {
        "breakout"
    }

    fn summary(&self) -> &'static str {
        "Buys above the highest close of a window and sells below the lowest; training chooses the window."
    }

    fn schema(&self) -> Value {
        schema_of::<BreakoutParams>()
    }

    fn build(
        &self,
        given: &Value,
        _context: AgentContext<'_>,
    ) -> Result<Box<dyn Agent>, BuildError> {
        Ok(Box::new(params::<BreakoutParams>(given)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_contract() {
        contract::agent(&Breakout);
    }
}
