//! The pretraining text: an endless stream of documents, from a seed.
//!
//! Most documents are a few headlines of one mood with the market comment that follows them, in several layouts. One in
//! seven lists wordings with what they say. One in twenty-five is a desk note, the prompt of a trading policy at some
//! bar of a made-up market with a record of what the news did in place of the policy's answer: so the model learns to
//! carry what headlines say past prices and accounts. A few are numbers only.

mod desk;
mod grammar;
mod record;
#[cfg(test)]
mod tests;

use llm::init;
use market_data::synth::headlines::{self, COMPANY, LAST_WAVE, MOOD_SLOTS, Mood, headline};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use grammar::{Grammar, MOODS};
use record::record;

/// Names of companies, the RL data sets' own first.
const COMPANIES: [&str; 10] =
    [COMPANY, "Brenta", "Calvoro", "Denholt", "Elvane", "Fermoso", "Halcyne", "Kestrin", "Orbello", "Tavira"];

/// Share of the documents that are about the RL data sets' company.
const OWN_SHARE: f64 = 0.5;
/// Share of headlines that the RL data sets' grammar could have made.
const RL_SHARE: f64 = 0.5;
/// Share of those for which every wording may be used; the others are worded as in the first years.
const LATE_SHARE: f64 = 0.7;
/// Share of documents whose news say nothing about the price.
const NEUTRAL_DOCUMENTS: f64 = 0.15;
/// Share of headlines besides a document's first that say nothing.
const NEUTRAL_HEADLINES: f64 = 0.25;

/// Documents without end. The same seed and purpose give the same documents.
pub struct Corpus {
    writer: Writer,
    rng: ChaCha8Rng,
    /// Notes of a market that is under way, last first.
    notes: Vec<String>,
}

impl Corpus {
    /// The stream of `seed` for one purpose: streams of different purposes are independent.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let rng = init::stream(seed, &format!("corpus.{purpose}"));
        Self { writer: Writer::new(), rng, notes: Vec::new() }
    }
}

impl Iterator for Corpus {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let Self { writer, rng, notes } = self;
        let document = match rng.random_range(0..100u32) {
            0..15 => writer.wire(rng),
            15..25 => writer.comment_first(rng),
            25..80 => writer.bulletin(rng),
            80..95 => writer.words(rng),
            95..99 => {
                if notes.is_empty() {
                    *notes = desk::notes(writer, rng);
                }
                notes.pop().expect("invariant: a market has notes")
            }
            _ => numbers(rng),
        };
        Some(document)
    }
}

/// What all documents are made of.
struct Writer {
    grammar: Grammar,
}

impl Writer {
    fn new() -> Self {
        Self { grammar: Grammar::new() }
    }

    /// One headline about `company`.
    fn headline(&self, mood: Mood, company: &str, rng: &mut ChaCha8Rng) -> String {
        let text = if rng.random_bool(RL_SHARE) {
            let wave = if rng.random_bool(LATE_SHARE) { LAST_WAVE } else { 0 };
            headline(mood, wave, headlines::LATE_SHARE, rng)
        } else {
            self.grammar.sentence("headline", mood, rng)
        };
        text.replace(COMPANY, company)
    }

    /// One to three headlines, the first of the document's mood, in random order.
    fn headlines(&self, mood: Mood, company: &str, rng: &mut ChaCha8Rng) -> Vec<String> {
        let count = [1, 1, 1, 1, 2, 3][rng.random_range(0..6u64) as usize];
        let telling = rng.random_range(0..count as u64) as usize;
        let mut one = |i| {
            let neutral = i != telling && rng.random_bool(NEUTRAL_HEADLINES);
            self.headline(if neutral { Mood::Neutral } else { mood }, company, rng)
        };
        (0..count).map(&mut one).collect()
    }

    fn comment(&self, mood: Mood, company: &str, rng: &mut ChaCha8Rng) -> String {
        self.grammar.sentence("comment", mood, rng).replace(COMPANY, company)
    }

    /// Running text: headlines, then one or two comments.
    fn wire(&self, rng: &mut ChaCha8Rng) -> String {
        let (mood, company) = (mood(rng), company(rng));
        let mut sentences = self.headlines(mood, company, rng);
        for _ in 0..rng.random_range(1..=2u32) {
            sentences.push(self.comment(mood, company, rng));
        }
        joined(&sentences, rng)
    }

    /// Running text: a comment, then the headlines that explain it.
    fn comment_first(&self, rng: &mut ChaCha8Rng) -> String {
        let (mood, company) = (mood(rng), company(rng));
        let mut sentences = vec![self.comment(mood, company, rng)];
        sentences.extend(self.headlines(mood, company, rng));
        joined(&sentences, rng)
    }

    /// Wordings with what they say.
    fn words(&self, rng: &mut ChaCha8Rng) -> String {
        let mut entry = || {
            let mood = MOODS[usize::from(rng.random_bool(0.5))];
            let slot = MOOD_SLOTS[rng.random_range(0..MOOD_SLOTS.len() as u64) as usize];
            let verdict = if mood == Mood::Good { "good" } else { "bad" };
            format!("{} {verdict}", self.grammar.text(slot, mood, rng))
        };
        let entries: Vec<String> = (0..8).map(|_| entry()).collect();
        format!("Words: {}\n", entries.join(", "))
    }

    /// A list of news under a heading, then a comment or a record.
    fn bulletin(&self, rng: &mut ChaCha8Rng) -> String {
        let (mood, company) = (mood(rng), company(rng));
        let news = self.headlines(mood, company, rng).join("\n");
        let end = if rng.random_bool(0.8) {
            record(mood, rng)
        } else {
            format!("Comment: {}.", self.comment(mood, company, rng))
        };
        format!("News:\n{news}\n{end}\n")
    }
}

fn mood(rng: &mut ChaCha8Rng) -> Mood {
    let telling = MOODS[usize::from(rng.random_bool(0.5))];
    if rng.random_bool(NEUTRAL_DOCUMENTS) { Mood::Neutral } else { telling }
}

fn company(rng: &mut ChaCha8Rng) -> &'static str {
    let other = COMPANIES[rng.random_range(1..COMPANIES.len() as u64) as usize];
    if rng.random_bool(OWN_SHARE) { COMPANY } else { other }
}

/// Sentences on lines of their own, or with full stops.
fn joined(sentences: &[String], rng: &mut ChaCha8Rng) -> String {
    if rng.random_bool(0.5) {
        format!("{}\n", sentences.join("\n"))
    } else {
        format!("{}.\n", sentences.join(". "))
    }
}

/// Closing prices and the returns between them.
fn numbers(rng: &mut ChaCha8Rng) -> String {
    let prices = desk::closes(rng.random_range(3..12u64) as usize, rng);
    let closes: Vec<String> = prices.iter().map(|p| format!("{p}")).collect();
    let returns: Vec<String> =
        prices.windows(2).map(|pair| format!("{:+.0}", (pair[1] / pair[0] - 1.0) * 1e4)).collect();
    format!("Prices: {}\nReturns bp: {}\n", closes.join(" "), returns.join(" "))
}
