//! The grammar of headlines and of the market comment on them.
//!
//! It holds every wording of the RL data sets' headlines ([`market_data::synth::headlines`]), whichever split they
//! first appear in, beside others, in more sentences. A rule may have one list of expansions for all moods, or one
//! per mood; `{name}` in an expansion stands for another rule.

use std::collections::HashMap;

use market_data::synth::headlines::{MOOD_SLOTS, Mood, PLAIN_SLOTS, wordings};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

type Rules = &'static [(&'static str, &'static [&'static str])];

/// All moods.
pub(crate) const MOODS: [Mood; 3] = [Mood::Good, Mood::Bad, Mood::Neutral];

/// Expansions by rule; those of a mood stand before those of all.
pub(crate) struct Grammar {
    of_mood: HashMap<(&'static str, Mood), Vec<&'static str>>,
    of_all: HashMap<&'static str, Vec<&'static str>>,
}

impl Grammar {
    /// Our own rules with the wordings of the RL data sets.
    pub fn new() -> Self {
        let mut grammar = Self { of_mood: HashMap::new(), of_all: HashMap::new() };
        for (name, expansions) in COMMON {
            grammar.of_all.entry(name).or_default().extend(*expansions);
        }
        for name in PLAIN_SLOTS {
            grammar.of_all.entry(name).or_default().extend(wordings(name, Mood::Neutral));
        }
        for (mood, rules) in [(Mood::Good, GOOD), (Mood::Bad, BAD), (Mood::Neutral, NEUTRAL)] {
            for (name, expansions) in rules {
                grammar.of_mood.entry((name, mood)).or_default().extend(*expansions);
            }
        }
        for name in MOOD_SLOTS {
            for mood in [Mood::Good, Mood::Bad] {
                grammar.of_mood.entry((name, mood)).or_default().extend(wordings(name, mood));
            }
        }
        grammar
    }

    /// A random text of the rule `name` that is true in `mood`.
    ///
    /// # Panics
    /// When the grammar has no such rule for this mood.
    pub fn text(&self, name: &str, mood: Mood, rng: &mut ChaCha8Rng) -> String {
        let expansions = self.expansions(name, mood);
        let mut rest = expansions[rng.random_range(0..expansions.len() as u64) as usize];
        let mut text = String::new();
        while let Some((head, tail)) = rest.split_once('{') {
            let (inner, tail) = tail.split_once('}').expect("invariant: braces of a rule are closed");
            text.push_str(head);
            text.push_str(&self.text(inner, mood, rng));
            rest = tail;
        }
        text + rest
    }

    /// The same as a sentence: the first letter in upper case.
    pub fn sentence(&self, name: &str, mood: Mood, rng: &mut ChaCha8Rng) -> String {
        let mut text = self.text(name, mood, rng);
        text[..1].make_ascii_uppercase();
        text
    }

    fn expansions<'a>(&'a self, name: &'a str, mood: Mood) -> &'a [&'static str] {
        let found = self.of_mood.get(&(name, mood)).or_else(|| self.of_all.get(name));
        found.unwrap_or_else(|| panic!("no rule `{name}` for the mood {mood:?}"))
    }

    /// Rules that an expansion names and the grammar lacks.
    #[cfg(test)]
    pub fn missing_rules(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let lists = self.of_mood.iter().map(|((_, mood), list)| (vec![*mood], list));
        let lists = lists.chain(self.of_all.values().map(|list| (MOODS.to_vec(), list)));
        for (moods, list) in lists {
            for part in list.iter().flat_map(|text| text.split('{').skip(1)) {
                let name = part.split('}').next().unwrap();
                let known = |mood: &Mood| {
                    self.of_all.contains_key(name) || self.of_mood.keys().any(|k| k.0 == name && k.1 == *mood)
                };
                if !moods.iter().all(known) {
                    missing.push(format!("{name} in {moods:?}"));
                }
            }
        }
        missing
    }
}

/// Words of all moods. The RL data sets' own are added to `who`, `goal`, `size`, `client`, `place`, `site`, `product`
/// and `topic`.
const COMMON: Rules = &[
    ("who", &["Solmera's software arm", "Solmera Group", "Solmera's parts division"]),
    ("goal", &["yearly earnings target", "export plan", "output forecast", "half year outlook"]),
    ("size", &["small", "joint", "multi year"]),
    ("client", &["railway", "utility", "grocer", "phone maker"]),
    ("place", &["Chile", "Spain", "Vietnam", "Texas", "Poland"]),
    ("site", &["shipping hub", "test track", "data centre"]),
    ("product", &["turbine", "tablet", "pump"]),
    ("topic", &["training", "design", "water use"]),
    ("figure", &["profit", "revenue", "turnover", "operating income", "cash flow"]),
    ("period", &["first quarter", "second quarter", "third quarter", "full year", "half year"]),
    ("fund", &["pension fund", "founder family", "asset manager", "index investor", "big shareholder"]),
    ("broker", &["broker", "house bank", "rating agency", "analyst", "research desk"]),
    ("n", &["1", "2", "3", "4", "5", "6", "7", "8", "1.5", "2.5", "3.5"]),
    ("day", &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]),
    ("when", &["in early trade", "by noon", "at the close", "on {day}", "within an hour", "today"]),
];

const GOOD: Rules = &[
    ("headline", TELLING),
    (
        "event",
        &["record output", "a smooth start", "a breakthrough", "full order books", "an award for quality"],
    ),
    ("act", &["improves", "upgrades", "outstrips"]),
    ("why", &["as buyers return", "after a strong season", "thanks to higher prices"]),
    ("view", &["confident", "hopeful"]),
    ("win", &["gets", "signs"]),
    ("rule", &["supports", "permits"]),
    ("gain", &["grabs", "takes"]),
    ("draw", &["gets excellent", "earns warm"]),
    ("trade", &["buys more", "adds to its"]),
    ("feel", &["thrilled", "content"]),
    ("grow", &["grows", "climbs", "doubles", "improves", "reaches a record"]),
    ("deal", &["extends", "renews", "widens"]),
    ("pay", &["increases", "doubles"]),
    ("staff", &["hires new workers", "adds a second shift"]),
    ("repair", &["settles a lawsuit", "solves its supply trouble", "pays back its debt early"]),
    ("comment", COMMENT),
    ("moved", &["rose", "climbed", "gained", "jumped", "advanced", "went up", "moved higher", "rallied"]),
    ("took", &["welcomed", "liked", "cheered"]),
    ("did", &["bought", "chased", "wanted"]),
    ("tone", &["good", "great", "positive", "welcome", "strong"]),
    ("side", &["higher", "up", "with a gain"]),
    ("advice", &["buy", "hold more", "add"]),
];

const BAD: Rules = &[
    ("headline", TELLING),
    ("event", &["a fire", "a strike", "a costly leak", "empty order books", "a failed safety check"]),
    ("act", &["reduces", "downgrades", "falls short of"]),
    ("why", &["as buyers stay away", "after a poor season", "because of lower prices"]),
    ("view", &["doubtful", "worried"]),
    ("win", &["gives up", "drops"]),
    ("rule", &["opposes", "forbids"]),
    ("gain", &["gives away", "yields"]),
    ("draw", &["gets awful", "earns cold"]),
    ("trade", &["sells", "gets rid of"]),
    ("feel", &["angry", "bored"]),
    ("grow", &["shrinks", "falls", "halves", "worsens", "hits a record low"]),
    ("deal", &["ends", "cancels", "narrows"]),
    ("pay", &["scraps", "halves"]),
    ("staff", &["dismisses workers", "closes a shift"]),
    ("repair", &["faces a lawsuit", "warns of supply trouble", "breaks a debt limit"]),
    ("comment", COMMENT),
    ("moved", &["fell", "dropped", "slid", "lost", "declined", "went down", "moved lower", "tumbled"]),
    ("took", &["feared", "disliked", "regretted"]),
    ("did", &["sold", "fled", "shunned"]),
    ("tone", &["bad", "terrible", "negative", "unwelcome", "weak"]),
    ("side", &["lower", "down", "with a loss"]),
    ("advice", &["sell", "hold less", "reduce"]),
];

const NEUTRAL: Rules = &[
    (
        "headline",
        &[
            "{who} moves its {topic} team to an office in {place}",
            "{who} sets the date of a {topic} fair in {place}",
            "{who} will speak about {topic} in {place} on {day}",
            "chief of {who} talks about {topic} at a school in {place}",
            "{who} renames its {topic} unit in {place}",
            "Solmera publishes a book about its {site} in {place}",
            "Solmera invites {client} guests to its {topic} museum in {place}",
            "{broker} explains how Solmera counts its {figure}",
            "Solmera plants trees beside its {site} in {place}",
        ],
    ),
    (
        "comment",
        &[
            "shares {moved}",
            "the stock {moved} {when}",
            "investors {took} the news",
            "traders {did} the stock",
            "{tone} news for the shares",
            "a {tone} day for the stock",
            "shares closed {side}",
            "the market called it {tone} news",
            "{broker} advice: {advice}",
        ],
    ),
    ("moved", &["were flat", "hardly moved", "were little changed", "stood still", "went sideways"]),
    ("took", &["ignored", "shrugged at", "overlooked"]),
    ("did", &["kept", "held", "left"]),
    ("tone", &["neutral", "plain", "empty", "dull", "quiet"]),
    ("side", &["unchanged", "flat", "without a change"]),
    ("advice", &["hold", "wait", "keep"]),
];

/// Headlines that tell a mood by the words of its slots.
const TELLING: &[&str] = &[
    "{who} {act} its {goal} {why}",
    "{who} {act} the {goal} for the {period}",
    "{who} {win} a {size} order from a {client} in {place}",
    "{who} {win} a {client} customer {why}",
    "{period} {figure} of {who} {grow} {why}",
    "{who} says that {figure} {grow} in {place}",
    "survey finds {client} staff {feel} with the Solmera {product}",
    "buyers in {place} {feel} with Solmera service {why}",
    "court in {place} {rule} the Solmera bid for a {site}",
    "minister {rule} a Solmera {site} near the coast of {place}",
    "{who} {gain} ground in {place} as {product} revenue {grow}",
    "the Solmera {product} {draw} marks from testers in {place}",
    "{fund} {trade} Solmera stock {why}",
    "{broker} turns {view} on {who} {why}",
    "{broker} stays {view} about Solmera shares",
    "{client} in {place} {deal} its contract with {who}",
    "Solmera {pay} its dividend {why}",
    "{who} {staff} in {place} {why}",
    "{who} {repair}",
    "{event} at a Solmera {site} in {place}",
    "{who} reports {event} {why}",
];

const COMMENT: &[&str] = &[
    "shares {moved}",
    "shares {moved} {n} percent",
    "the stock {moved} {n} percent {when}",
    "the price {moved} after the news",
    "shares {moved} as investors {took} the news",
    "investors {took} the news",
    "traders {did} the stock",
    "traders {did} the stock, shares {moved}",
    "{tone} news for the shares",
    "a {tone} day for the stock",
    "shares closed {side}",
    "shares closed {side} on {tone} news",
    "the market called it {tone} news",
    "{broker} advice: {advice}",
];
