//! `underwater`: growth, less a charge for every step below the highest equity so far.

use flaglab::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Plugin of the reward `underwater`.
pub struct Underwater;

/// Parameters of `underwater`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct UnderwaterParams {
    /// Factor on the reward.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    scale: f64,
    /// What a step at a drawdown of 1 costs, in units of log growth.
    #[schemars(range(min = 0.0, max = 100.0))]
    charge: f64,
}

impl Default for UnderwaterParams {
    fn default() -> Self {
        Self {
            scale: 1.0,
            charge: 0.1,
        }
    }
}

/// `R_t = scale * (ln(E_t / E_{t-1}) - charge * (1 - E_t / max E))` with equity `E` and its maximum over the episode.
///
/// Rewards of an episode sum to `scale` times its log growth less `charge` times the mean drawdown and the number of
/// steps: that mean is the pain index (Becker and Moore 2006).
#[derive(Clone, Copy)]
struct State {
    params: UnderwaterParams,
    highest: f64,
}

impl RewardFn for State {
    fn fresh(&self) -> Box<dyn RewardFn> {
        Box::new(State {
            highest: 0.0,
            ..*self
        })
    }

    fn reset(&mut self) {
        self.highest = 0.0;
    }

    fn step(&mut self, transition: Transition) -> f64 {
        // Both are finite where the account is ruined: -1, and the logarithm of a millionth.
        let equity = transition.before * (1.0 + transition.simple_return());
        self.highest = self.highest.max(transition.before).max(equity);
        let drawdown = 1.0 - equity / self.highest;
        self.params.scale * (transition.log_return() - self.params.charge * drawdown)
    }
}

impl Plugin<RewardKind> for Underwater {
    fn name(&self) -> &'static str {
        "underwater"
    }

    fn summary(&self) -> &'static str {
        "Log growth of the account less a charge for its drawdown, step by step."
    }

    fn schema(&self) -> Value {
        schema_of::<UnderwaterParams>()
    }

    fn build(&self, given: &Value, _context: ()) -> Result<Box<dyn RewardFn>, BuildError> {
        Ok(Box::new(State {
            params: params(given)?,
            highest: 0.0,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_contract() {
        contract::reward(&Underwater);
    }

    #[test]
    fn a_step_below_the_highest_equity_pays_for_its_depth() {
        let mut reward = Underwater.build(&json!({"charge": 0.5}), ()).unwrap();
        let steps = [(100.0, 110.0), (110.0, 88.0), (88.0, 99.0)];
        let found = steps.map(|(before, after)| reward.step(Transition { before, after }));
        // Drawdowns 0, 0.2 and 0.1 of the highest equity, 110.
        let wanted = [1.1f64.ln(), 0.8f64.ln() - 0.1, 1.125f64.ln() - 0.05];
        assert!(
            found.iter().zip(wanted).all(|(f, w)| (f - w).abs() < 1e-12),
            "{found:?} is not {wanted:?}"
        );
    }
}
