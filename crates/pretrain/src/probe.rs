//! Does a model know what headlines mean? Its own next words say so, without any training on the question.

use llm::{LlmError, init};
use market_data::synth::headlines::{LAST_WAVE, LATE_SHARE, Mood, headline};
use prompt::Tokenizer;
use rand::RngExt;
use serde::Serialize;

use crate::PretrainError;

/// What a good and a bad headline are followed by.
const ANSWERS: [&str; 2] = [" rose", " fell"];

/// Share of the headlines after which a model prefers the right one of two answers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Preference {
    /// Headlines that were asked about, half of them good.
    pub headlines: usize,
    /// Share of right answers; a coin has 0.5.
    pub accuracy: f64,
}

/// Asks a model about `n` headlines as the RL data sets' last years word them: after `<headline>`, `Shares` on the
/// next line, is `rose` or `fell` the more probable token? `logits` are those of the
/// token after a sequence. The texts are of a stream of their own.
///
/// # Errors
/// When the tokenizer and the model do not belong together.
pub fn preference(
    logits: impl Fn(&[u32]) -> Result<Vec<f32>, LlmError>,
    tokenizer: &Tokenizer,
    n: usize,
    seed: u64,
) -> Result<Preference, PretrainError> {
    let mut answers = Vec::with_capacity(ANSWERS.len());
    for answer in ANSWERS {
        let ids = tokenizer.encode_more(answer)?;
        answers.push(ids.first().map_or(0, |id| *id as usize));
    }
    let mut rng = init::stream(seed, "preference");
    let mut right = 0;
    for i in 0..n {
        let mood = if i % 2 == 0 { Mood::Good } else { Mood::Bad };
        let wave = rng.random_range(1..=LAST_WAVE as u64) as usize;
        let text = format!("{}\nShares", headline(mood, wave, LATE_SHARE, &mut rng));
        let logits = logits(&tokenizer.encode_first(&text)?)?;
        let prefers_good = logits[answers[0]] > logits[answers[1]];
        right += usize::from(prefers_good == (mood == Mood::Good));
    }
    Ok(Preference { headlines: n, accuracy: right as f64 / n.max(1) as f64 })
}
