//! Errors of the report.

use std::path::PathBuf;

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The runs could not be read.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The page could not be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The template does not fit its data: an error of ours.
    #[error("report template: {0}")]
    Template(#[from] tera::Error),
    /// The data of the charts could not be written as JSON: an error of ours.
    #[error("report data: {0}")]
    Json(#[from] serde_json::Error),
}
