//! Observations to tokens within a length.

#[cfg(test)]
mod tests;

use trading_env::Observation;

use crate::render::Extent;
use crate::{PromptConfig, PromptError, Tokenizer};

/// Renders and encodes.
#[derive(Debug, Clone)]
pub struct Encoder {
    config: PromptConfig,
    tokenizer: Tokenizer,
}

/// Token ids of the two parts of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Ids of the shared part, at most `max_tokens`.
    pub shared: Vec<u32>,
    /// Ids of the own part.
    pub own: Vec<u32>,
    /// News items that were left out because of `max_tokens`.
    pub dropped_news: usize,
    /// Bars of price history that were left out because of `max_tokens`.
    pub dropped_history: usize,
}

impl Encoder {
    /// An encoder for one prompt section and one model's tokenizer.
    pub fn new(config: PromptConfig, tokenizer: Tokenizer) -> Self {
        Self { config, tokenizer }
    }

    /// Settings.
    pub fn config(&self) -> &PromptConfig {
        &self.config
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Ids of an observation's prompt. A shared part above `max_tokens` loses its oldest news, then its oldest
    /// prices; how much depends on the bar alone, so accounts at one bar keep equal shared parts.
    pub fn encode(&self, observation: &Observation<'_>) -> Result<Encoded, PromptError> {
        let own = self.tokenizer.encode_more(&self.config.own(observation))?;
        let all =
            Extent { news: self.config.n_news(observation), history: self.config.n_history(observation) };
        let mut extent = all;
        loop {
            let shared = self.tokenizer.encode_first(&self.config.shared(observation, extent))?;
            if shared.len() <= self.config.max_tokens {
                let dropped_news = all.news - extent.news;
                let dropped_history = all.history - extent.history;
                return Ok(Encoded { shared, own, dropped_news, dropped_history });
            }
            extent = match extent {
                Extent { news: 1.., .. } => Extent { news: extent.news - 1, ..extent },
                Extent { history: 1.., .. } => Extent { history: extent.history - 1, ..extent },
                _ => {
                    let (needed, limit) = (shared.len(), self.config.max_tokens);
                    return Err(PromptError::TooLong { needed, limit });
                }
            };
        }
    }
}
