//! Trading statistics: pure functions of numbers. Opens no files and knows no other crate of this workspace.
//!
//! Three kinds of sample never mix:
//!
//! - a **track record** is a slice of returns, one per period: [`TearSheet`], [`SharpeRatio`], [`track_interval`],
//!   [`AgainstBenchmark`], [`Drawdown`];
//! - the results of an arm are [`SeedScores`], one per [`Seed`], and over several tasks [`Runs`]: intervals over
//!   them are about training again;
//! - the arms of a search are a [`Panel`], their returns over the same periods: [`Pbo`], [`Spa`], [`RomanoWolf`],
//!   and [`SharpeRatio::deflated`] with the number of trials.
//!
//! Formulas, sources and how each number is checked: `docs/statistics.md`. What is undefined is `None`. Everything
//! random draws from ChaCha streams that a [`Bootstrap`] names; no result depends on the number of threads.

mod benchmark;
mod block_length;
mod bootstrap;
mod deflated;
mod drawdown;
mod error;
mod improvement;
mod interval;
mod moments;
mod monthly;
mod normal;
mod panel;
mod pbo;
mod positions;
mod power;
mod profile;
mod quantile;
mod rank_correlation;
mod rolling;
mod runs;
mod seeds;
mod sharpe;
mod spa;
mod stationary;
mod step_down;
mod tear_sheet;
mod track_interval;

#[cfg(test)]
mod parity;
#[cfg(test)]
mod samples;

pub use benchmark::AgainstBenchmark;
pub use block_length::BlockLength;
pub use bootstrap::Bootstrap;
pub use deflated::{DeflatedSharpe, expected_maximum_sharpe};
pub use drawdown::{Drawdown, drawdowns, max_drawdown, wealth};
pub use error::StatsError;
pub use interval::Interval;
pub use moments::Moments;
pub use monthly::{MonthlyTable, YearOfMonths};
pub use normal::{normal_cdf, normal_quantile};
pub use panel::Panel;
pub use pbo::Pbo;
pub use positions::{exposure, holding_time};
pub use power::power_of_window;
pub use profile::Profile;
pub use quantile::quantile;
pub use rank_correlation::rank_correlation;
pub use rolling::rolling_sharpe;
pub use runs::{Aggregate, Runs};
pub use seeds::{Seed, SeedScores};
pub use sharpe::SharpeRatio;
pub use spa::Spa;
pub use step_down::{RomanoWolf, holm};
pub use tear_sheet::{TearSheet, profit_factor};
pub use track_interval::track_interval;
