//! Results for other tools: stored runs as CSV tables, or as event files that TensorBoard reads.
//!
//! What is written is derived from finished runs and from nothing else, so that the same runs give the same bytes. One run
//! is in memory at a time, and of each run that is done only its name stays. The folder is the caller's: [`Folder`] refuses
//! one that holds anything but an earlier export of the same experiment.

mod columns;
mod error;
mod folder;
mod tables;
mod tensorboard;

use std::path::PathBuf;

use serde_json::{Map, Value};
use store::{ExperimentStore, Manifest, RunState, SummaryRow};
use trading_env::Role;

pub use error::ExportError;
pub use folder::Folder;

/// What to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `runs.csv`, `steps.csv` and `updates.csv`.
    Csv,
    /// `<arm>/seed-<n>/events.out.tfevents.<started>.<run-id>`.
    TensorBoard,
}

/// A completed or failed run, under the name that its arm has in the experiment now.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Folder of the attempt that counts.
    pub dir: PathBuf,
    /// How it ended.
    pub state: RunState,
    /// Name of its arm.
    pub arm: String,
    /// What it is in the experiment.
    pub role: Role,
    /// Values of the sweep's axes.
    pub axes: Map<String, Value>,
    /// Cash that an episode begins with: where drawdown is counted from.
    pub initial_cash: f64,
}

impl Run {
    /// Manifest and row of the table of runs.
    fn read(&self, store: &ExperimentStore) -> Result<(Manifest, SummaryRow), ExportError> {
        let manifest = store.read_manifest(&self.dir)?;
        let mut row = SummaryRow::new(&manifest, &self.state);
        row.arm.clone_from(&self.arm);
        row.role = self.role;
        row.axes.clone_from(&self.axes);
        Ok((manifest, row))
    }
}

/// Writes the runs into the folder, whose earlier files of this format are replaced, those of runs that are gone removed.
/// Returns the number of files.
///
/// # Errors
/// When runs cannot be read or files not written.
pub fn export(
    store: &ExperimentStore,
    runs: &[Run],
    folder: Folder,
    format: Format,
) -> Result<usize, ExportError> {
    match format {
        Format::Csv => tables::write(store, runs, folder),
        Format::TensorBoard => tensorboard::write(store, runs, folder),
    }
}
