//! Trading statistics: pure functions of numbers. Opens no files and knows no other crate of this workspace.
//!
//! Two kinds of sample never mix: a track record is a slice of returns, one per period, and goes into a
//! [`TearSheet`]; the results of an arm are [`SeedScores`], one per seed, and are what an [`Interval`] is about.

mod drawdown;
mod moments;
mod quantile;
mod seeds;
mod tear_sheet;

pub use drawdown::{drawdowns, max_drawdown, wealth};
pub use moments::Moments;
pub use quantile::quantile;
pub use seeds::{Interval, SeedScores};
pub use tear_sheet::{StatsError, TearSheet};
