//! Errors that carry their facts.

use std::fmt;

/// `found` of a key that is not known; `expected` then says which ones are.
pub(crate) const UNKNOWN_KEY: &str = "unknown key";

/// `found` of a key that is absent. A string that was found has quotes.
const MISSING: &str = "nothing";

/// A parameter that is not acceptable. `key` is relative to the value that was checked, dotted (`lora.rank`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamError {
    /// Dotted key, empty for the value itself.
    pub key: String,
    /// What was found, as it would stand in TOML.
    pub found: String,
    /// What is accepted, near-miss included (`one of a, b (did you mean "a"?)`).
    pub expected: String,
}

impl ParamError {
    /// The problem without the key: `expected a number > 0, found -1`, or `unknown key; did you mean "rank"?`.
    pub fn problem(&self) -> String {
        let Self { found, expected, .. } = self;
        if self.is_unknown_key() {
            format!("{found}; {expected}")
        } else {
            format!("expected {expected}, found {found}")
        }
    }

    /// A key that must be given and is not.
    pub fn missing(key: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { key: key.into(), found: MISSING.to_owned(), expected: expected.into() }
    }

    /// Whether the problem is that the key is absent.
    pub fn is_missing(&self) -> bool {
        self.found == MISSING
    }

    /// Whether the key itself is the problem.
    pub fn is_unknown_key(&self) -> bool {
        self.found == UNKNOWN_KEY
    }
}

impl fmt::Display for ParamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.problem())
    }
}

impl std::error::Error for ParamError {}

/// Why a plugin could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The input (parameter or file) is wrong; the text names file, line or key, found and accepted.
    #[error("{0}")]
    Invalid(String),
    /// The binary was built without a cargo feature that this needs.
    #[error("built without the cargo feature `{feature}`")]
    MissingFeature {
        /// The feature.
        feature: &'static str,
    },
    /// The machine lacks what this needs (a device, a scheduler): its runs are skipped with this reason.
    #[error("{0}")]
    Unavailable(String),
}
