//! Language models of the Llama family on burn: checkpoints, named trainable parameters, partial freezing and adapters.
//!
//! Knows nothing about trading. No result depends on burn's random generator: every random number comes from a
//! ChaCha stream on the host, named by its purpose.
//!
//! The way of a sequence: [`Backbone`] (frozen weights) → [`Body::encode_shared`], kept by a [`PrefixCache`] →
//! [`Body::encode_own`] → [`Body::forward`] through the trained layers → a policy's heads.

mod architecture;
mod backbone;
mod batcher;
mod body;
pub mod checkpoint;
mod config;
mod decoder;
mod digest;
mod error;
mod folder;
mod footprint;
pub mod init;
mod kernels;
mod lora;
mod names;
mod params;
mod peft;
mod prefix;
mod spec;
#[cfg(test)]
mod testing;
mod transpose;

pub use architecture::Architecture;
pub use backbone::Backbone;
pub use batcher::{Batcher, Lane, Phase, Sequences, encode_own};
pub use body::causal_lm::TokenSequences;
pub use body::{Body, BodyDigest, EncodedSequence, SharedPart};
pub use config::{Biases, LlmConfig, Rope, RopeScaling};
pub use digest::{combined_digest, tensor_digest};
pub use error::LlmError;
pub use folder::NewFolder;
pub use footprint::Footprint;
pub use names::Projection;
pub use params::{Adam, AdamConfig, GradSet, NewParam, Param, ParamSet, Snapshot};
pub use peft::{Factors, LoraAdapter};
pub use prefix::{Boundaries, CacheLimits, CacheStats, Lookup, PrefixCache};
pub use spec::{LoraSpec, TrainPlan, TrainSpec};
