//! Short records that say in JSON what a document's news did.

use market_data::synth::headlines::Mood;
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// A key with its values for good, bad and neutral news. `Action`, the key that a policy is asked for, is none of
/// them: the corpus never holds the question of the trading task with an answer to it.
const RECORDS: &[(&str, [&[&str]; 3])] = &[
    ("News", [&["good"], &["bad"], &["neutral"]]),
    ("Mood", [&["good", "great"], &["bad", "terrible"], &["neutral"]]),
    ("Tone", [&["positive"], &["negative"], &["neutral"]]),
    ("Shares", [&["rose", "climbed", "gained"], &["fell", "dropped", "slid"], &["flat"]]),
    ("Stock", [&["rose", "jumped"], &["fell", "tumbled"], &["flat"]]),
    ("Move", [&["up"], &["down"], &["flat"]]),
    ("Close", [&["higher"], &["lower"], &["unchanged"]]),
    ("Rating", [&["Buy"], &["Sell"], &["Hold"]]),
    ("Advice", [&["Buy"], &["Sell"], &["Hold"]]),
    ("Outlook", [&["bright", "strong"], &["dark", "weak"], &["steady"]]),
    (
        "Comment",
        [&["Shares rose", "Good news"], &["Shares fell", "Bad news"], &["Shares were flat", "No news"]],
    ),
];

/// A record of one to three keys that is true in `mood`, on one line.
pub(crate) fn record(mood: Mood, rng: &mut ChaCha8Rng) -> String {
    let column = match mood {
        Mood::Good => 0,
        Mood::Bad => 1,
        Mood::Neutral => 2,
    };
    let count = [1, 1, 2, 3][rng.random_range(0..4u64) as usize];
    let fields: Vec<String> = RECORDS
        .sample(rng, count)
        .map(|(key, values)| {
            let value = values[column].choose(rng).expect("invariant: every key has values");
            format!("\"{key}\": \"{value}\"")
        })
        .collect();
    format!("{{{}}}", fields.join(", "))
}
