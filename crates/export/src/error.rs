//! Errors of an export.

use std::path::{Path, PathBuf};

/// Why nothing, or not everything, could be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The runs could not be read.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The folder holds what an export would destroy or be mixed with: wrong input, nothing is written.
    #[error("{}: {problem}", path.display())]
    Folder {
        /// The folder, or what is in its place.
        path: PathBuf,
        /// What was found and what is accepted.
        problem: String,
    },
    /// A file could not be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl ExportError {
    /// For `map_err` on file-system calls.
    pub(crate) fn io<E: Into<std::io::Error>>(path: &Path) -> impl FnOnce(E) -> ExportError + '_ {
        |source| ExportError::Io { path: path.to_owned(), source: source.into() }
    }
}
