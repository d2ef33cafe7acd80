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

pub use asset::{ASSETS, Asset, Prices, Window};
pub use audit::{
    AssetAudit, Audit, BoundRow, CellAudit, Feasible, Ranks, RowAudit, Scale, Verdict, is_always_long_mixed,
};
pub use bounds::{Best, Bounds, Positions};
pub use consistency::{Consistency, Fit};
pub use convention::{Convention, Count};
pub use expected::{Change, Part, changes, csv};
pub use luck::{AboveHold, CRITICAL, Correlation, Differs, Luck, Record};
pub use own::{Own, OwnRow, OwnScores, PAPERS_MODEL, PAPERS_TIMESTEPS, RULES, Subject};
pub use page::render;
pub use published::{Cells, Group, Metric, PublishedRow, published, rows_of};
pub use sequence::{Match, Sequence};
pub use text::{Shown, json, markdown, terminal};
