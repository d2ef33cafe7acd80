//! Errors of the store: which file, and what was wrong with it.

use std::path::{Path, PathBuf};

/// Why the store could not read or write.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A Parquet file could not be written or read.
    #[error("{}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the library said.
        source: parquet::errors::ParquetError,
    },
    /// A JSON file could not be written or read.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the library said, with line and column.
        source: serde_json::Error,
    },
    /// A file is readable but does not hold what it should, or a name cannot be a folder.
    #[error("{}: {problem}", path.display())]
    Invalid {
        /// The file or folder.
        path: PathBuf,
        /// What was found and what is accepted.
        problem: String,
    },
}

impl StoreError {
    /// For `map_err` on file-system calls.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError + '_ {
        |source| StoreError::Io { path: path.to_owned(), source }
    }

    /// For `map_err` on Parquet calls.
    pub(crate) fn parquet(path: &Path) -> impl FnOnce(parquet::errors::ParquetError) -> StoreError + '_ {
        |source| StoreError::Parquet { path: path.to_owned(), source }
    }

    /// For `map_err` on JSON calls.
    pub(crate) fn json(path: &Path) -> impl FnOnce(serde_json::Error) -> StoreError + '_ {
        |source| StoreError::Json { path: path.to_owned(), source }
    }
}
