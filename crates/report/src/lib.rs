//! One HTML file per experiment, which works offline, from what the store holds.
//!
//! [`collect`] reads the runs of a plan, [`render`] writes `reports/<experiment>/index.html`. In between stand
//! [`ReportInput`] (values as stored) and the page's data (already rounded and labelled), so that the template decides
//! nothing. The same input makes the same bytes: the page says when runs finished, not when it was rendered.
//!
//! Every text that came from a file (names, symbols, reasons) is escaped: by Tera in the page, and by [`render`] in
//! the JSON that the charts read.

mod across;
mod arm_page;
mod arm_scores;
mod arms;
mod assumptions;
mod backends;
mod band;
mod charts;
mod collect;
mod compare;
mod effects;
mod error;
mod estimate;
mod evidence;
mod figure;
mod forest;
mod gate;
mod groups;
mod heat;
mod index;
mod judged;
mod links;
mod market;
mod metric;
mod numbers;
mod over_time;
mod overview;
mod page;
mod plain_page;
mod plan;
mod pooled;
mod profile;
mod provenance;
mod publish;
mod receipts;
mod record;
mod render;
mod rescored;
mod run_page;
mod search;
mod selection;
mod settings;
mod text;
mod training;
mod verdict;
mod warnings;
mod windows;

// The demo store is shared with the example, which sees this crate from outside.
#[cfg(test)]
extern crate self as report;
#[cfg(test)]
mod tests;

pub use backends::{BackendPair, BackendRecords, Distance, backend_sentences};
pub use collect::{Curve, ReportInput, ReportRun, collect};
pub use compare::{ComparedExperiment, compare, compared_summary};
pub use error::ReportError;
pub use gate::{Gate, GateError, Verdict};
pub use index::{IndexEntry, experiments, index, index_table};
pub use market::{Market, MarketDay};
pub use numbers::fixed;
pub use plain_page::publish_page;
pub use plan::{Made, Place, PlanInfo, PlannedArm, PlannedAxis, PlannedRun, PlannedTask, PlannedWindow};
pub use pooled::pooled;
pub use render::render;
pub use selection::{Selections, selections};
pub use text::{TableFormat, compared_tables, summary, tables};
