//! What can be wrong with a model, a checkpoint or a training spec.

use std::path::PathBuf;

/// Errors carry the facts: file, key or tensor, what was found, what is accepted.
#[derive(Debug, thiserror::Error)]
pub enum LlmError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A key of `config.json` is missing, has another type or describes a model that this decoder is not.
    #[error("{}: {key}: expected {expected}, found {found}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Key in it.
        key: String,
        /// What stands there.
        found: String,
        /// What is accepted.
        expected: String,
    },
    /// A file is not what its name says (JSON syntax, safetensors header).
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A tensor of a checkpoint is missing, unknown, of the wrong shape or of an unsupported type.
    #[error("{}: tensor `{tensor}`: {problem}", path.display())]
    Tensor {
        /// The file (the index for a sharded checkpoint's missing tensor).
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A training spec that the model cannot have.
    #[error("{key}: {problem}")]
    Spec {
        /// Key of the spec: `n_trainable_layers`, `trainable`, or one of `lora`, such as `lora.rank`.
        key: &'static str,
        /// What was found and what is accepted.
        problem: String,
    },
    /// A type that the device does not compute in.
    #[error("dtype: expected one that {device} computes in, found {dtype}")]
    Dtype {
        /// The type.
        dtype: String,
        /// The device.
        device: String,
    },
    /// Token ids that the model cannot take.
    #[error("token ids: {0}")]
    Tokens(String),
}

impl LlmError {
    /// Wraps an input or output error of `path`.
    pub(crate) fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }

    /// A problem of one tensor of `path`.
    pub(crate) fn tensor(path: impl Into<PathBuf>, tensor: &str, problem: impl Into<String>) -> Self {
        Self::Tensor { path: path.into(), tensor: tensor.to_owned(), problem: problem.into() }
    }
}
