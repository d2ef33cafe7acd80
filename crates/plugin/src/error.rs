//! Errors that carry their facts.

/// A parameter that is not acceptable. `key` is relative to the value that was checked, dotted (`lora.rank`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: expected {expected}, found {found}")]
pub struct ParamError {
    /// Dotted key, empty for the value itself.
    pub key: String,
    /// What was found, as it would stand in TOML.
    pub found: String,
    /// What is accepted, near-miss included (`one of a, b (did you mean "a"?)`).
    pub expected: String,
}

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
