//! Errors of experiment files: each with its source, line, key, what was found and what is accepted.

use std::fmt;

use plugin::ParamError;

/// Rows of [`ConfigErrors`]' text and characters per row, so that it fits one screen with a line to spare for
/// the program's name.
const ROWS: usize = 20;
const COLUMNS: usize = 100;

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, `--set`, or the environment variable.
    pub source: String,
    /// Line of the file, from 1.
    pub line: Option<usize>,
    /// Dotted key, as it would stand in the file; empty for the file as a whole.
    pub key: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a key or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A value that is not acceptable, or a key that is not known.
    Value(ParamError),
    /// An axis value that makes an arm unacceptable: the value, and the key of the arm that is then wrong.
    Axis {
        /// The axis value, as TOML text.
        value: String,
        /// What is wrong in the arm; the key is empty where it is the axis' own.
        error: ParamError,
        /// The first arm in which it is wrong.
        arm: String,
    },
    /// Anything else: syntax, unreadable files, cycles, rules that contradict each other.
    Text(String),
}

impl Problem {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Problem::Text(text.into())
    }

    /// A value that was found where something else is accepted.
    pub(crate) fn value(found: impl Into<String>, expected: impl Into<String>) -> Self {
        Problem::Value(ParamError { key: String::new(), found: found.into(), expected: expected.into() })
    }
}

impl ConfigError {
    /// Whether two errors tell the same: an axis value may be wrong in many arms.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let at = |e: &Self| (e.source.clone(), e.line, e.key.clone());
        match (&self.problem, &other.problem) {
            (Problem::Axis { value: v, error: e, .. }, Problem::Axis { value, error, .. }) => {
                at(self) == at(other) && v == value && e == error
            }
            _ => self == other,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        match &self.problem {
            Problem::Value(error) => write!(f, ": {}", error.problem()),
            Problem::Axis { value, error, .. } if error.found == *value => write!(f, ": {}", error.problem()),
            Problem::Axis { value, error, .. } if error.key.is_empty() => {
                write!(f, ": with {value}, {error}")
            }
            Problem::Axis { error, arm, .. } => write!(f, ": in arm {arm}, {error}"),
            Problem::Text(text) => write!(f, ": {text}"),
        }
    }
}

/// All problems of an experiment, in the order of the layers and keys. Its text is at most one screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    errors: Vec<ConfigError>,
}

impl ConfigErrors {
    /// These problems, each once.
    pub(crate) fn new(errors: Vec<ConfigError>) -> Self {
        let mut unique: Vec<ConfigError> = Vec::with_capacity(errors.len());
        for error in errors {
            if !unique.iter().any(|known| known.same(&error)) {
                unique.push(error);
            }
        }
        Self { errors: unique }
    }

    /// The problems.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.errors.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.errors.len()
    }

    /// Never true.
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = 0;
        for (i, error) in self.errors.iter().enumerate() {
            let line = error.to_string();
            rows += line.chars().count().div_ceil(COLUMNS).max(1);
            let more = self.errors.len() - i;
            if rows > ROWS && i > 0 {
                return write!(f, "\n… and {more} more");
            }
            if i > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&line)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
