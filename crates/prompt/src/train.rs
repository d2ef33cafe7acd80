//! Training of small byte-level BPE tokenizers.

use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::PostProcessorWrapper;
use tokenizers::{AddedToken, TokenizerBuilder};

use crate::PromptError;

/// The one special token of a trained tokenizer.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// Id of [`END_OF_TEXT`] in a trained tokenizer.
pub const END_OF_TEXT_ID: u32 = 0;

/// Text of a `tokenizer.json` with at most `vocab_size` tokens: GPT-2's splitting into words, all 256 bytes (no text
/// is out of vocabulary), and the most frequent merges. Equal texts give equal bytes.
pub fn train_bpe<S: AsRef<str> + Send>(
    texts: impl Iterator<Item = S> + Send,
    vocab_size: usize,
) -> Result<String, PromptError> {
    let error = |e: tokenizers::Error| PromptError::Train(e.to_string());
    let byte_level = ByteLevel::new(false, true, true);
    let mut tokenizer = TokenizerBuilder::new()
        .with_model(BPE::default())
        .with_normalizer(None::<NormalizerWrapper>)
        .with_pre_tokenizer(Some(byte_level))
        .with_post_processor(None::<PostProcessorWrapper>)
        .with_decoder(Some(byte_level))
        .build()
        .map_err(error)?;
    let mut trainer = BpeTrainerBuilder::new()
        .show_progress(false)
        .vocab_size(vocab_size)
        .min_frequency(2)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![AddedToken::from(END_OF_TEXT, true)])
        .build();
    tokenizer.train(&mut trainer, texts).map_err(error)?;
    tokenizer.to_string(true).map_err(error)
}
