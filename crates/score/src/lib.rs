//! Scores decisions under trading rules: the numbers of `evaluate`, and the files that `evaluate` and `metrics` read.
//!
//! [`evaluate`] replays a list of decisions on a window of prices; a run that has stepped an environment hands its
//! [`ScoredStep`]s to [`Scorecard::from_steps`] and gets the same numbers; [`rescore`](rescore()) asks what its decisions
//! would have been worth under the other rules.

mod decisions;
mod error;
mod evaluate;
mod paper_block;
mod rescore;
mod returns;
mod scorecard;
mod table;

pub use decisions::{Decisions, read_actions_csv};
pub use error::ScoreError;
pub use evaluate::{EvaluateOptions, evaluate};
pub use paper_block::PaperBlock;
pub use rescore::{COST_AXIS_BPS, Rescored, rescore};
pub use returns::{Returns, read_returns_csv};
pub use scorecard::{Scorecard, ScoredStep};
