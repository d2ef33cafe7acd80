//! Documents to token sequences of equal length.

use llm::TokenSequences;
use prompt::{END_OF_TEXT_ID, Tokenizer};

use crate::{Corpus, PretrainError};

/// Sequences of equal length, each beginning with a document; documents follow each other with an end-of-text token
/// between. A document that does not fit is cut and stands whole at the beginning of the next sequence, as far as it
/// is no longer than a sequence.
pub(crate) struct Sequences<'a> {
    corpus: Corpus,
    tokenizer: &'a Tokenizer,
    length: usize,
    /// A document that was cut.
    left: Option<Vec<u32>>,
}

impl<'a> Sequences<'a> {
    /// Sequences of `length` ids.
    pub fn new(corpus: Corpus, tokenizer: &'a Tokenizer, length: usize) -> Self {
        Self { corpus, tokenizer, length, left: None }
    }

    /// The next `n` sequences.
    pub fn batch(&mut self, n: usize) -> Result<TokenSequences, PretrainError> {
        let rows = (0..n).map(|_| self.next()).collect::<Result<_, _>>()?;
        Ok(TokenSequences { rows, end_of_document: Some(END_OF_TEXT_ID) })
    }

    fn next(&mut self) -> Result<Vec<u32>, PretrainError> {
        let mut ids = self.left.take().map_or_else(|| self.document(), Ok)?;
        while ids.len() < self.length {
            let document = self.document()?;
            ids.extend(&document);
            if ids.len() > self.length {
                self.left = Some(document);
            }
        }
        ids.truncate(self.length);
        Ok(ids)
    }

    fn document(&mut self) -> Result<Vec<u32>, PretrainError> {
        let text = self.corpus.next().expect("invariant: a corpus has no end");
        let mut ids = self.tokenizer.encode_first(&text)?;
        ids.push(END_OF_TEXT_ID);
        Ok(ids)
    }
}
