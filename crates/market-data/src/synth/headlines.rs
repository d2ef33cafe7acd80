//! Headlines of the synthetic market: a grammar with three moods and words that appear only late.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// What a headline says about the return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mood {
    /// The price will rise.
    Good,
    /// The price will fall.
    Bad,
    /// Nothing.
    Neutral,
}

/// Shares of the bars at which the second and the third wave of wordings begin: with a training split that ends
/// before the first and a validation split that ends before the second, validation and test hold wordings that
/// training never saw.
pub const WAVE_STARTS: [f64; 2] = [0.75, 0.875];

/// The last wave: from then on every wording may appear.
pub const LAST_WAVE: usize = WAVE_STARTS.len();

/// Name of the company in all headlines, also part of longer names.
pub const COMPANY: &str = "Solmera";

/// How often a sentence is of a later wave, where there is one, and how often a word is, unless told otherwise.
pub const LATE_SHARE: f64 = 0.35;

/// Wordings by the wave in which they appear.
type Waves = [&'static [&'static str]; 3];

/// Number of late waves that have begun at bar `t` of `bars`.
pub(super) fn wave(t: usize, bars: usize) -> usize {
    WAVE_STARTS.iter().filter(|start| t as f64 >= **start * bars as f64).count()
}

/// One headline of 8 to 14 words; words of a later wave are taken with probability `late_share`.
///
/// # Panics
/// When `wave` is above [`LAST_WAVE`] or `late_share` not a probability.
pub fn headline(mood: Mood, wave: usize, late_share: f64, rng: &mut ChaCha8Rng) -> String {
    let sentences = if mood == Mood::Neutral { &NEUTRAL } else { &TELLING };
    let mut pick = |waves, late_share| pick(waves, wave, late_share, rng);
    let mut rest = pick(sentences, LATE_SHARE);
    let mut text = String::new();
    while let Some((head, tail)) = rest.split_once('{') {
        let (name, tail) = tail.split_once('}').expect("invariant: braces of a sentence are closed");
        text.push_str(head);
        let filled = pick(slot(name, mood), late_share);
        // A filling may have one slot of its own, which has none.
        match filled.split_once("{place}") {
            Some((before, after)) => {
                text.push_str(before);
                text.push_str(pick(&PLACE, late_share));
                text.push_str(after);
            }
            None => text.push_str(filled),
        }
        rest = tail;
    }
    text.push_str(rest);
    text[..1].make_ascii_uppercase();
    text
}

fn pick(waves: &'static Waves, wave: usize, late_share: f64, rng: &mut ChaCha8Rng) -> &'static str {
    let late: usize = waves[1..=wave].iter().map(|w| w.len()).sum();
    let mut choose = |n: usize| rng.random_range(0..n as u64) as usize;
    if late == 0 {
        return waves[0][choose(waves[0].len())];
    }
    // Both draws are made in any case, so that a choice does not move the later ones.
    let (old, new) = (choose(waves[0].len()), choose(late));
    if !rng.random_bool(late_share) {
        return waves[0][old];
    }
    waves[1..].iter().flat_map(|w| w.iter()).nth(new).expect("invariant: below the number of late wordings")
}

const TELLING: Waves = [
    &[
        "{who} {act} its {goal} {why}",
        "analysts turn {view} on Solmera stock {why}",
        "{who} {win} a {size} contract from a {client} in {place}",
        "regulator in {place} {rule} the Solmera plan for a new {site}",
        "{who} {gain} market share in {place} {why}",
        "new Solmera {product} {draw} reviews from buyers in {place}",
    ],
    &["big fund manager {trade} Solmera shares {why}"],
    &["survey calls {client} customers {feel} with every Solmera {product} {why}"],
];

const NEUTRAL: Waves = [
    &[
        "{who} will speak at the {topic} conference in {place} next month",
        "Solmera names a new head of {topic} for its {place} office",
        "{who} sets the date of its annual meeting in {place}",
        "Solmera publishes its yearly report on {topic} for readers in {place}",
    ],
    &["museum in {place} opens a show about the history of Solmera"],
    &["Solmera paints the front of its {topic} building in {place}"],
];

fn slot(name: &str, mood: Mood) -> &'static Waves {
    let by_mood = |good: &'static Waves, bad: &'static Waves| if mood == Mood::Good { good } else { bad };
    match name {
        "who" => &WHO,
        "goal" => &GOAL,
        "size" => &SIZE,
        "client" => &CLIENT,
        "place" => &PLACE,
        "site" => &SITE,
        "product" => &PRODUCT,
        "topic" => &TOPIC,
        "act" => by_mood(&ACT_GOOD, &ACT_BAD),
        "why" => by_mood(&WHY_GOOD, &WHY_BAD),
        "view" => by_mood(&VIEW_GOOD, &VIEW_BAD),
        "win" => by_mood(&WIN_GOOD, &WIN_BAD),
        "rule" => by_mood(&RULE_GOOD, &RULE_BAD),
        "gain" => by_mood(&GAIN_GOOD, &GAIN_BAD),
        "draw" => by_mood(&DRAW_GOOD, &DRAW_BAD),
        "trade" => by_mood(&TRADE_GOOD, &TRADE_BAD),
        "feel" => by_mood(&FEEL_GOOD, &FEEL_BAD),
        _ => unreachable!("invariant: sentences name only slots of this list"),
    }
}

const WHO: Waves = [
    &["Solmera", "Solmera Corp", "Solmera's chip unit", "Solmera's cloud unit", "Solmera's battery arm"],
    &["Solmera's sensor business", "Solmera Holdings"],
    &["Solmera's robotics division", "Solmera's optics branch"],
];
const GOAL: Waves = [
    &["full year profit target", "quarterly sales target", "annual revenue goal", "operating margin goal"],
    &["order intake plan"],
    &["free cash flow aim"],
];
const SIZE: Waves = [&["large", "major", "key", "long"], &["sizeable"], &["flagship"]];
const CLIENT: Waves = [&["carmaker", "hospital", "retailer", "bank"], &["airline"], &["shipyard"]];
const PLACE: Waves =
    [&["Asia", "Europe", "Brazil", "Canada", "Japan"], &["India", "Norway"], &["Mexico", "Kenya"]];
const SITE: Waves = [&["factory", "laboratory", "warehouse"], &["foundry"], &["campus"]];
const PRODUCT: Waves = [&["sensor", "battery", "processor", "camera"], &["router"], &["headset"]];
const TOPIC: Waves = [&["energy", "software", "logistics", "safety"], &["recycling"], &["archive"]];

const ACT_GOOD: Waves =
    [&["raises", "lifts", "beats", "tops"], &["boosts", "exceeds"], &["surpasses", "hikes"]];
const ACT_BAD: Waves =
    [&["cuts", "lowers", "misses", "trails"], &["slashes", "undershoots"], &["trims", "fails"]];
const WHY_GOOD: Waves = [
    &[
        "on strong demand",
        "as orders surge",
        "after record deliveries",
        "thanks to falling costs",
        "on solid growth in {place}",
    ],
    &["amid brisk bookings", "as margins widen"],
    &["on buoyant sales in {place}", "as backlog swells"],
];
const WHY_BAD: Waves = [
    &[
        "on weak demand",
        "as orders slump",
        "after delayed deliveries",
        "because of rising costs",
        "on slow growth in {place}",
    ],
    &["amid sluggish bookings", "as margins shrink"],
    &["on sinking sales in {place}", "as backlog melts"],
];
const VIEW_GOOD: Waves = [&["positive", "optimistic", "upbeat"], &["bullish"], &["enthusiastic"]];
const VIEW_BAD: Waves = [&["negative", "pessimistic", "gloomy"], &["bearish"], &["wary"]];
const WIN_GOOD: Waves = [&["wins", "secures"], &["lands"], &["clinches"]];
const WIN_BAD: Waves = [&["loses", "forfeits"], &["squanders"], &["bungles"]];
const RULE_GOOD: Waves = [&["approves", "clears"], &["welcomes"], &["endorses"]];
const RULE_BAD: Waves = [&["rejects", "blocks"], &["halts"], &["vetoes"]];
const GAIN_GOOD: Waves = [&["gains", "wins"], &["captures"], &["seizes"]];
const GAIN_BAD: Waves = [&["loses", "cedes"], &["sheds"], &["surrenders"]];
const DRAW_GOOD: Waves = [&["earns great", "gets glowing"], &["enjoys rave"], &["attracts stellar"]];
const DRAW_BAD: Waves = [&["gets poor", "earns harsh"], &["suffers damning"], &["meets dismal"]];
const TRADE_GOOD: Waves = [&["collects", "favours"], &["hoards"], &["accumulates"]];
const TRADE_BAD: Waves = [&["dumps", "avoids"], &["unloads"], &["discards"]];
const FEEL_GOOD: Waves = [&["happy", "pleased"], &["satisfied"], &["delighted"]];
const FEEL_BAD: Waves = [&["unhappy", "annoyed"], &["frustrated"], &["disappointed"]];

/// Slots of a sentence whose wordings tell the mood.
pub const MOOD_SLOTS: [&str; 9] = ["act", "why", "view", "win", "rule", "gain", "draw", "trade", "feel"];

/// Slots of a sentence whose wordings say nothing about the return.
pub const PLAIN_SLOTS: [&str; 8] = ["who", "goal", "size", "client", "place", "site", "product", "topic"];

/// All wordings of a slot, of every wave. A wording may hold the slot `{place}`.
///
/// # Panics
/// When `name` is none of [`MOOD_SLOTS`] and [`PLAIN_SLOTS`].
pub fn wordings(name: &str, mood: Mood) -> impl Iterator<Item = &'static str> {
    slot(name, mood).iter().flat_map(|w| w.iter().copied())
}

/// What a headline of this grammar says; neutral for any other text.
pub fn mood(headline: &str) -> Mood {
    let words: Vec<&str> = headline.split_whitespace().collect();
    let says = |mood| MOOD_SLOTS.iter().flat_map(|slot| wordings(slot, mood)).any(|w| holds(&words, w));
    match (says(Mood::Good), says(Mood::Bad)) {
        (true, false) => Mood::Good,
        (false, true) => Mood::Bad,
        _ => Mood::Neutral,
    }
}

/// Whether `words` hold a wording, up to its slot where it has one.
fn holds(words: &[&str], wording: &str) -> bool {
    let fixed = wording.split('{').next().unwrap_or(wording);
    let fixed: Vec<&str> = fixed.split_whitespace().collect();
    words.windows(fixed.len()).any(|window| window == fixed)
}
