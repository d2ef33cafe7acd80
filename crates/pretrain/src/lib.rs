//! Pretraining of a small language model and its tokenizer by next-token prediction, on text that the project makes:
//! headlines with the market comment that follows them, by a richer grammar than that of the RL data sets.
//!
//! [`run`] writes a folder in Hugging Face layout. Equal recipes give equal bytes on one type of machine: documents,
//! first weights and held-out texts come from ChaCha streams of the recipe's seed, and no result depends on threads.

mod config;
mod corpus;
mod error;
mod packing;
mod probe;
mod recipe;
mod run;
#[cfg(test)]
mod tests;

pub use corpus::Corpus;
pub use error::PretrainError;
pub use probe::{Preference, preference};
pub use recipe::Recipe;
pub use run::{Outcome, Progress, run};
