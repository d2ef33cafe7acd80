//! The run folders: what a run wrote, in which state it is, and who may work on it.
//!
//! ```text
//! runs/<experiment>/
//!   <run-id>/            first attempt; `<run-id>.2` and so on are later ones
//!     spec.toml          resolved settings
//!     manifest.json      state, provenance, metrics, freeze receipt
//!     steps.parquet      one row per environment step
//!     updates.parquet    one row per PPO update
//!     timing.parquet     speed and memory; never part of an equality
//!     log.txt            lines with time, appended
//!     checkpoint/        what the agent saved
//!     lease.N, live.json who works on it, and how far it is: `lease`
//!     lease.end          who published its result: `publication`
//!   ledger.jsonl         every start of a run, appended
//!   summary.parquet      one row per run, derived from the manifests
//! ```
//!
//! A file appears under its name only when it is complete: it is written to a temporary name in the same folder and
//! renamed. A finished attempt is never written to again; temporary files that a crash left are ignored. Only
//! `manifest.json` of an unfinished attempt and the derived `summary.parquet` are replaced, and only what an unfinished
//! attempt has saved to go on from (`resume/`) and its leases are removed. Anything else goes when somebody asks for it
//! ([`Remover`]).
//!
//! This crate decides nothing about results and knows no agent.
//!
//! ```
//! use store::{ExperimentStore, RunState};
//!
//! let folder = tempfile::tempdir().unwrap();
//! let store = ExperimentStore::open(folder.path(), "ablation");
//! assert_eq!(store.state("00ff00ff00ff00ff").unwrap(), RunState::Planned);
//! assert!(!store.dir().exists(), "opening creates nothing");
//! ```

mod atomic;
mod error;
mod experiment_store;
mod garbage;
mod lease;
mod ledger;
mod listing;
mod manifest;
mod parquet_file;
mod publication;
mod records;
mod resume;
mod run;
mod summary;
mod table;

#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use experiment_store::{Attempt, ExperimentStore, RunState, StoredRun, attempt_name, parse_attempt};
pub use garbage::{Leftover, LeftoverKind, Remover, remove, temporaries};
pub use lease::{Live, Lost};
pub use ledger::Trial;
pub use listing::Listing;
pub use manifest::{
    CompletedInfo, DataInfo, EqualTurnover, Machine, Manifest, ManifestStart, Metrics, Process, Rescored,
    StateWord, Versions, Warning, WarningKind,
};
pub use resume::{ResumePoint, Rows};
pub use run::{Published, RunWriter};
pub use summary::SummaryRow;
