//! Observations to text to tokens.
//!
//! A prompt has two parts. The shared part (task, legal actions, answer format, date, prices, news) is the same for
//! every account that stands at the same bar; the own part (account, recent rewards, values and actions) follows it.
//! They are encoded separately, so that a causal model can keep what it computed for the shared part.
//!
//! The text around the data (task, cue, and a chat template with its special tokens) is trusted; the data, news above
//! all, are not: no text in them becomes a special token.
//!
//! Shows only what an [`Observation`](trading_env::Observation) holds, and so nothing later than its bar.

mod chat;
mod config;
mod encoder;
mod error;
mod number;
mod render;
#[cfg(test)]
mod testing;
mod tokenizer;
mod train;

pub use chat::ChatTemplate;
pub use config::{PriceView, PromptConfig, Style};
pub use encoder::{Encoded, Encoder};
pub use error::PromptError;
pub use render::PromptParts;
pub use tokenizer::Tokenizer;
pub use train::{END_OF_TEXT, END_OF_TEXT_ID, train_bpe};
