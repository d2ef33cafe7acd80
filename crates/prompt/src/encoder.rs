//! Observations to tokens within a length.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use trading_env::Observation;

use crate::chat::Surroundings;
use crate::render::{CUE, Extent};
use crate::{ChatTemplate, PromptConfig, PromptError, Tokenizer};

/// Renders and encodes.
#[derive(Debug, Clone)]
pub struct Encoder {
    config: PromptConfig,
    tokenizer: Tokenizer,
    frame: Frame,
    /// Longest sequence of the model.
    context: usize,
    known: Arc<Known>,
}

/// Texts that were encoded lately. Runs meet the same bars again and again, and splitting a text into tokens takes
/// longer than writing it.
#[derive(Debug, Default)]
struct Known(Mutex<HashMap<String, Arc<[u32]>>>);

/// Texts that are kept, about a kilobyte each.
const MOST_KNOWN: usize = 1 << 14;

impl Known {
    fn get(&self, text: &str) -> Option<Arc<[u32]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(text).cloned()
    }

    fn keep(&self, text: String, ids: Arc<[u32]>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(text, ids);
    }
}

/// Token ids of the two parts of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Ids of the shared part, at most `max_tokens`.
    pub shared: Vec<u32>,
    /// Ids of the own part; where no account is shown, they are the same for all prompts.
    pub own: Vec<u32>,
    /// News items that were left out for want of room.
    pub dropped_news: usize,
    /// Bars of price history that were left out for want of room.
    pub dropped_history: usize,
}

impl Encoded {
    /// Whether something was left out for want of room.
    pub fn is_shortened(&self) -> bool {
        self.dropped_news + self.dropped_history > 0
    }
}

/// What stands around the data of every prompt: ids as far as no data can change them, text where it is encoded
/// together with the data beside it, as in one piece.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Frame {
    head: Vec<u32>,
    /// Between `head` and the market.
    lead: String,
    /// Between the account and `tail`.
    trail: String,
    tail: Vec<u32>,
}

impl Frame {
    /// Task, data, cue.
    fn plain(config: &PromptConfig, tokenizer: &Tokenizer) -> Self {
        Self {
            head: tokenizer.prefix().to_vec(),
            lead: config.task().to_owned(),
            trail: format!("\n{CUE}"),
            tail: Vec::new(),
        }
    }

    /// The data in a chat format, whose text says itself what stands at the beginning of a sequence.
    fn chat(surroundings: &Surroundings, tokenizer: &Tokenizer) -> Result<Self, PromptError> {
        let Surroundings { before, after } = surroundings;
        let (head, lead) = match tokenizer.split_at_special(before)? {
            Some(special) => {
                let mut head = tokenizer.encode_more(special.before)?;
                head.extend(special.ids);
                (head, special.after)
            }
            None => (Vec::new(), before.as_str()),
        };
        let (trail, tail) = match tokenizer.split_at_special(after)? {
            Some(special) => {
                let mut tail = special.ids;
                tail.extend(tokenizer.encode_more(&answer_after(special.after))?);
                (special.before.to_owned(), tail)
            }
            None => (answer_after(after), Vec::new()),
        };
        Ok(Self { head, lead: lead.to_owned(), trail, tail })
    }
}

/// The cue after a generation prompt. One that ends in a word (`[/INST]`) is followed by a space, as an answer would
/// be; after a special token or whitespace there is none.
fn answer_after(text: &str) -> String {
    let space = if text.ends_with(|c: char| !c.is_whitespace()) { " " } else { "" };
    format!("{text}{space}{CUE}")
}

impl Encoder {
    /// An encoder of plain text for one prompt section and one model's tokenizer.
    pub fn new(config: PromptConfig, tokenizer: Tokenizer) -> Self {
        let frame = Frame::plain(&config, &tokenizer);
        Self { config, tokenizer, frame, context: usize::MAX, known: Arc::default() }
    }

    /// The same encoder with its prompts in the format of a chat template.
    ///
    /// # Errors
    /// When the template cannot be used.
    pub fn in_chat(mut self, template: &ChatTemplate) -> Result<Self, PromptError> {
        self.frame = Frame::chat(&template.around(self.config.task())?, &self.tokenizer)?;
        Ok(self)
    }

    /// The same encoder with prompts of at most `context` tokens, the longest sequence of the model.
    ///
    /// # Errors
    /// When what surrounds the data is longer than the model or `max_tokens` allows.
    pub fn within(mut self, context: usize) -> Result<Self, PromptError> {
        self.context = context;
        let (shared, own) = (self.shared("")?.len(), self.own("")?.len());
        let limit = self.limit();
        if shared > limit {
            return Err(PromptError::TooLong { needed: shared, limit });
        }
        if shared + own > context {
            return Err(PromptError::NoRoom { needed: shared + own, own, limit: context });
        }
        Ok(self)
    }

    /// Settings.
    pub fn config(&self) -> &PromptConfig {
        &self.config
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Longest shared part in tokens, as far as the settings say.
    fn limit(&self) -> usize {
        self.config.max_tokens.unwrap_or(usize::MAX)
    }

    /// Ids with which every prompt begins where no account is shown: those of the task. A model reads them once.
    pub fn beginning(&self) -> Result<Vec<u32>, PromptError> {
        self.shared("")
    }

    /// Ids of an observation's prompt. A shared part above `max_tokens` loses its oldest news, then its oldest
    /// prices; how much depends on the bar alone, so accounts at one bar keep equal shared parts. A prompt above the
    /// model's longest sequence loses more by the same rule.
    pub fn encode(&self, observation: &Observation<'_>) -> Result<Encoded, PromptError> {
        let own = self.own(&self.config.account(observation))?;
        let all =
            Extent { news: self.config.n_news(observation), history: self.config.n_history(observation) };
        let mut extent = all;
        loop {
            let shared = self.shared(&self.config.market(observation, extent))?;
            let (length, limit) = (shared.len() + own.len(), self.limit());
            if shared.len() <= limit && length <= self.context {
                let dropped_news = all.news - extent.news;
                let dropped_history = all.history - extent.history;
                return Ok(Encoded { shared, own, dropped_news, dropped_history });
            }
            extent = match extent {
                Extent { news: 1.., .. } => Extent { news: extent.news - 1, ..extent },
                Extent { history: 1.., .. } => Extent { history: extent.history - 1, ..extent },
                _ if shared.len() > limit => {
                    return Err(PromptError::TooLong { needed: shared.len(), limit });
                }
                _ => {
                    let (own, limit) = (own.len(), self.context);
                    return Err(PromptError::NoRoom { needed: length, own, limit });
                }
            };
        }
    }

    /// Ids of the shared part around `market`.
    fn shared(&self, market: &str) -> Result<Vec<u32>, PromptError> {
        let mut ids = self.frame.head.clone();
        if self.config.account {
            ids.extend(&*self.ids(format!("{}{market}", self.frame.lead))?);
        } else {
            // Apart, so that all prompts begin with the same ids.
            for text in [&*self.frame.lead, market] {
                ids.extend(&*self.ids(text.to_owned())?);
            }
        }
        Ok(ids)
    }

    /// Ids of the own part around `account`.
    fn own(&self, account: &str) -> Result<Vec<u32>, PromptError> {
        let mut ids = self.ids(format!("{account}{}", self.frame.trail))?.to_vec();
        ids.extend(&self.frame.tail);
        Ok(ids)
    }

    fn ids(&self, text: String) -> Result<Arc<[u32]>, PromptError> {
        if let Some(ids) = self.known.get(&text) {
            return Ok(ids);
        }
        let ids: Arc<[u32]> = self.tokenizer.encode_more(&text)?.into();
        self.known.keep(text, ids.clone());
        Ok(ids)
    }
}
