//! The published tables of FLAG-Trader, audited and set beside what the same rules give today.
//!
//! [`Audit`] judges each of the 360 cells from a price series alone, [`changes`] says whether a verdict or a number has
//! changed, [`Own`] are the rows of our own runs, and [`render`], [`terminal`], [`markdown`] and [`json`] show them.

mod asset;
mod audit;
mod bounds;
mod consistency;
mod convention;
mod expected;
mod luck;
mod own;
mod page;
mod published;
mod sequence;
mod text;
mod verdict;

pub use asset::{ASSETS, Asset, Window};
pub use audit::Audit;
pub use expected::{Change, changes, csv};
pub use own::{Own, PAPERS_MODEL, PAPERS_TIMESTEPS};
pub use page::render;
pub use text::{Shown, json, markdown, terminal};
pub use verdict::Verdict;
