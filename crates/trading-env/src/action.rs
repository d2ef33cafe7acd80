//! The three actions and which of them the rules allow.

use serde::{Deserialize, Serialize};

/// A decision at the close of a bar. What it does to the position is the rules' business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// `paper`, `realistic`: liquidate. `investor-bench`: short.
    Sell,
    /// `paper`, `realistic`: keep. `investor-bench`: flat.
    Hold,
    /// `paper`, `realistic`: spend all cash. `investor-bench`: long.
    Buy,
}

impl Action {
    /// All three, in the order of the policy's logits.
    pub const ALL: [Action; 3] = [Action::Sell, Action::Hold, Action::Buy];

    /// Index among the policy's logits: 0, 1, 2.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The paper's number: -1, 0, 1.
    pub fn sign(self) -> i8 {
        self as i8 - 1
    }

    /// `sell`, `hold` or `buy`.
    pub fn word(self) -> &'static str {
        ["sell", "hold", "buy"][self.index()]
    }
}

/// Which actions are legal now; at least one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionMask(pub [bool; 3]);

impl ActionMask {
    /// Everything is legal.
    pub const ALL: ActionMask = ActionMask([true; 3]);

    /// Whether `action` is legal.
    pub fn allows(self, action: Action) -> bool {
        self.0[action.index()]
    }

    /// The legal actions, in logit order.
    pub fn legal(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |a| self.allows(*a))
    }
}
