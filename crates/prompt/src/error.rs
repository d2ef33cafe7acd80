//! What can go wrong between an observation and its tokens.

use std::path::PathBuf;

/// Errors carry file, what was found and what is accepted.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// `tokenizer.json` cannot be read or is none.
    #[error("{}: {problem}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The tokenizer refused a text.
    #[error("cannot encode the prompt: {0}")]
    Encode(String),
    /// A chat template cannot be used.
    #[error("{}: chat_template: {problem}", path.display())]
    ChatTemplate {
        /// The file that it is in.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Training a tokenizer failed.
    #[error("cannot train a tokenizer: {0}")]
    Train(String),
    /// Task and date alone are longer than allowed.
    #[error("prompt.max_tokens: expected at least {needed}, which the task and the date take, found {limit}")]
    TooLong {
        /// Tokens of the shared part without prices and news.
        needed: usize,
        /// The setting.
        limit: usize,
    },
    /// What may not be cut is longer than the model can read.
    #[error(
        "the prompt without prices and news takes {needed} tokens, {own} of them for the account, found a model whose \
         longest sequence is {limit}"
    )]
    NoRoom {
        /// Tokens of the whole prompt.
        needed: usize,
        /// Tokens of the own part.
        own: usize,
        /// Longest sequence.
        limit: usize,
    },
}
