//! Why a file is refused, or a folder not written.

use std::io;
use std::path::{Path, PathBuf};

/// Errors name the file, the part of it, what was found and what is accepted.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not one that can be imported.
    #[error("{}: {what}expected {expected}, found {found}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The part of it with a colon, empty for the whole.
        what: String,
        /// What is accepted.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A file of the model folder cannot be written.
    #[error("{}: cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl GgufError {
    /// Whether another input helps, and not another disk.
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::Write { .. })
    }

    pub(crate) fn write(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        |source| Self::Write { path: path.into(), source }
    }
}

/// An error of a file whose name the caller knows.
#[derive(Debug)]
pub(crate) enum Fault {
    Read(io::Error),
    Refused { what: String, expected: String, found: String },
}

impl Fault {
    /// `what` is the part of the file, empty for the whole.
    pub fn new(what: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), expected: expected.into(), found: found.into() }
    }

    /// A key of the metadata.
    pub fn key(key: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(format!("key `{}`", printable(key)), expected, found)
    }

    /// A tensor.
    pub fn tensor(name: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(format!("tensor `{}`", printable(name)), expected, found)
    }

    pub fn of(self, path: &Path) -> GgufError {
        let path = path.to_owned();
        match self {
            Self::Read(source) => GgufError::Read { path, source },
            Self::Refused { what, expected, found } => {
                let what = if what.is_empty() { what } else { format!("{what}: ") };
                GgufError::Refused { path, what, expected, found }
            }
        }
    }
}

impl From<io::Error> for Fault {
    fn from(source: io::Error) -> Self {
        Self::Read(source)
    }
}

/// Characters of a text of the file that messages show at most.
const SHOWN: usize = 60;

/// Text of a file without what would disturb a terminal, cut where it is long.
pub(crate) fn printable(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push_str("...");
    }
    shown
}
