//! A model's `tokenizer.json`.

#[cfg(test)]
mod tests;

use std::path::Path;

use tokenizers::AddedToken;

use crate::PromptError;

/// Text to token ids, by the `tokenizers` library.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// What the model expects before any text, for example `<s>`.
    prefix: Vec<u32>,
    /// Contents of the special tokens, by id.
    special: Vec<String>,
}

impl Tokenizer {
    /// Reads `tokenizer.json`.
    pub fn from_file(path: &Path) -> Result<Self, PromptError> {
        let error = |problem: String| PromptError::Tokenizer { path: path.to_owned(), problem };
        let bytes = std::fs::read(path).map_err(|e| error(e.to_string()))?;
        Self::from_bytes(&bytes).map_err(|e| error(e.to_string()))
    }

    /// Reads the text of a `tokenizer.json`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PromptError> {
        let encode = |e: tokenizers::Error| PromptError::Encode(e.to_string());
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes)
            .map_err(|e| PromptError::Encode(format!("not a tokenizer.json: {e}")))?;
        let mut added: Vec<_> = inner.get_added_tokens_decoder().into_iter().collect();
        added.sort_by_key(|(id, _)| *id);
        let (special, other): (Vec<_>, Vec<_>) =
            added.into_iter().map(|(_, token)| token).partition(|token| token.special);
        // News are data: a special token's text in them is text. So is that of what looks like one (`<tool_call>`) and
        // is not declared special.
        let marks = other.into_iter().filter(is_mark).map(|token| token.special(true));
        inner.add_special_tokens(marks).map_err(encode)?;
        inner.set_encode_special_tokens(true);
        inner.with_truncation(None).map_err(encode)?;
        inner.with_padding(None);
        let bare = inner.encode("a", false).map_err(encode)?.get_ids().to_vec();
        let full = inner.encode("a", true).map_err(encode)?.get_ids().to_vec();
        let start = full.windows(bare.len().max(1)).position(|w| w == bare).unwrap_or(0);
        let special = special.into_iter().map(|token| token.content).collect();
        Ok(Self { prefix: full[..start].to_vec(), special, inner })
    }

    /// Ids of a whole text as the checkpoint's own tokenizer gives them: special tokens in the text are special, and
    /// what the model expects around a text is added.
    pub fn encode_document(&self, text: &str) -> Result<Vec<u32>, PromptError> {
        let mut inner = self.inner.clone();
        inner.set_encode_special_tokens(false);
        let encoding = inner.encode_fast(text, true).map_err(|e| PromptError::Encode(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// What the model expects before any text.
    pub fn prefix(&self) -> &[u32] {
        &self.prefix
    }

    /// Algorithm: `BPE`, `Unigram`, `WordPiece` or `WordLevel`.
    pub fn kind(&self) -> &'static str {
        match self.inner.get_model() {
            tokenizers::ModelWrapper::BPE(_) => "BPE",
            tokenizers::ModelWrapper::Unigram(_) => "Unigram",
            tokenizers::ModelWrapper::WordPiece(_) => "WordPiece",
            tokenizers::ModelWrapper::WordLevel(_) => "WordLevel",
        }
    }

    /// Special tokens, by id.
    pub fn special_tokens(&self) -> &[String] {
        &self.special
    }

    /// Ids of the first part of a sequence, with what the model expects before any text.
    pub fn encode_first(&self, text: &str) -> Result<Vec<u32>, PromptError> {
        let mut ids = self.prefix.clone();
        ids.extend(self.encode_more(text)?);
        Ok(ids)
    }

    /// Ids of a later part.
    pub fn encode_more(&self, text: &str) -> Result<Vec<u32>, PromptError> {
        let encoding = self.inner.encode_fast(text, false).map_err(|e| PromptError::Encode(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Splits a text whose special tokens are meant: before the first, from the first to the last as ids, after the
    /// last. `None` when there is none.
    pub(crate) fn split_at_special<'a>(&self, text: &'a str) -> Result<Option<Special<'a>>, PromptError> {
        let mut meant = self.inner.clone();
        meant.set_encode_special_tokens(false);
        let encoding = meant.encode(text, false).map_err(|e| PromptError::Encode(e.to_string()))?;
        let added = meant.get_added_tokens_decoder();
        let is_special = |id: &u32| added.get(id).is_some_and(|token| token.special);
        let (ids, offsets) = (encoding.get_ids(), encoding.get_offsets());
        let first = ids.iter().position(is_special);
        let last = ids.iter().rposition(is_special);
        Ok(first.zip(last).map(|(first, last)| Special {
            before: &text[..offsets[first].0],
            ids: ids[first..=last].to_vec(),
            after: &text[offsets[last].1..],
        }))
    }

    /// Text of ids.
    pub fn decode(&self, ids: &[u32]) -> Result<String, PromptError> {
        self.inner.decode(ids, false).map_err(|e| PromptError::Encode(e.to_string()))
    }

    /// Smallest vocabulary that a model needs for these ids: the largest id plus 1.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1)
    }
}

/// A text around its special tokens, see [`Tokenizer::split_at_special`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Special<'a> {
    /// Text before the first special token.
    pub before: &'a str,
    /// Ids from the first special token to the last.
    pub ids: Vec<u32>,
    /// Text after the last special token.
    pub after: &'a str,
}

/// Whether an added token has the form of a special one, `<...>` or `[...]`.
fn is_mark(token: &AddedToken) -> bool {
    let text = token.content.trim();
    let between = |open, close| text.len() > 2 && text.starts_with(open) && text.ends_with(close);
    between('<', '>') || between('[', ']')
}
