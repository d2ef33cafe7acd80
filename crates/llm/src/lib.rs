//! Llama-family language models on burn: checkpoints, named trainable parameters, partial freezing and adapters.
//!
//! Knows nothing about trading. No result depends on burn's random generator: every random number comes from a
//! ChaCha stream on the host, named by its purpose.

pub mod checkpoint;
mod config;
mod digest;
mod error;
pub mod init;
mod params;

pub use config::LlmConfig;
pub use digest::{combined_digest, tensor_digest};
pub use error::LlmError;
pub use params::{Adam, AdamConfig, GradSet, NewParam, Param, ParamSet, Snapshot};
