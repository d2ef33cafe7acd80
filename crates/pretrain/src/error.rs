//! Why a model cannot be pretrained.

use llm::LlmError;
use prompt::PromptError;

/// Errors carry the facts: option or file, what was found, what is accepted.
#[derive(Debug, thiserror::Error)]
pub enum PretrainError {
    /// An option of the recipe is out of its range.
    #[error("{option}: expected {expected}, found {found}")]
    Recipe {
        /// Name of the option.
        option: &'static str,
        /// What is accepted.
        expected: String,
        /// What was found.
        found: String,
    },
    /// The loss is not a number any more.
    #[error("training diverged at step {step}: the loss is {loss}; expected a smaller learning rate")]
    Diverged {
        /// The optimiser step, counted from 0.
        step: usize,
        /// The loss.
        loss: f64,
    },
    /// The tokenizer cannot be trained or used.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The model cannot be built, trained or written, or its folder exists.
    #[error(transparent)]
    Llm(#[from] LlmError),
}
