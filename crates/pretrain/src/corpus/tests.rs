use std::collections::HashSet;

use market_data::synth::headlines::{MOOD_SLOTS, wordings};

use super::*;

fn documents(n: usize) -> Vec<String> {
    Corpus::new(3, "test").take(n).collect()
}

#[test]
fn every_rule_that_is_named_exists() {
    assert_eq!(Grammar::new().missing_rules(), Vec::<String>::new());
}

#[test]
fn the_same_seed_writes_the_same_text() {
    assert_eq!(documents(50), documents(50));
    assert_ne!(Corpus::new(4, "test").take(50).collect::<Vec<_>>(), documents(50));
    assert_ne!(Corpus::new(3, "other").take(50).collect::<Vec<_>>(), documents(50));
}

#[test]
fn texts_are_whole() {
    for document in documents(2000) {
        assert!(document.ends_with('\n') && !document.contains("{who}"), "{document}");
        // The only braces are those of records.
        let braces = document.matches('{').count();
        assert_eq!(braces, document.matches("{\"").count(), "{document}");
        let first = document.chars().next().unwrap();
        assert!(first.is_ascii_uppercase(), "{document}");
    }
}

/// The question of the trading task occurs, without an answer.
#[test]
fn no_document_answers_the_trading_task() {
    let all = documents(3000).join("");
    let keys = all.matches("{\"Action\": \"").count();
    let tasks = all.matches("Answer: {\"Action\": \"...\"}").count();
    assert!(tasks > 100);
    assert_eq!(keys, tasks);
}

/// Every wording of the RL data sets, those of validation and test included, stands in news of its own mood and never
/// in news of the opposite one.
#[test]
fn every_wording_of_the_data_sets_stands_in_news_of_its_mood() {
    let writer = Writer::new();
    let mut rng = init::stream(1, "test");
    let mut news = |mood| -> String {
        (0..8000)
            .flat_map(|_| writer.headlines(mood, COMPANY, &mut rng))
            .map(|h| format!(" {h} \n"))
            .collect()
    };
    let (good, bad) = (news(Mood::Good), news(Mood::Bad));
    for slot in MOOD_SLOTS {
        for (mood, own, other) in [(Mood::Good, &good, &bad), (Mood::Bad, &bad, &good)] {
            for wording in wordings(slot, mood) {
                let words = format!(" {} ", wording.split('{').next().unwrap().trim());
                let times = own.matches(&words).count();
                assert!(times > 40, "{slot} {mood:?}{words}: {times} times");
                assert!(!other.contains(&words), "{slot} {mood:?}{words}");
            }
        }
    }
}

#[test]
fn comments_and_records_of_two_moods_share_no_text() {
    let writer = Writer::new();
    let mut rng = init::stream(2, "test");
    let mut texts = |mood| -> HashSet<String> {
        let comment = (0..3000).map(|_| writer.comment(mood, COMPANY, &mut rng)).collect::<Vec<_>>();
        let records = (0..300).map(|_| record(mood, &mut rng)).collect::<Vec<_>>();
        comment.into_iter().chain(records).collect()
    };
    let [good, bad, neutral] = MOODS.map(&mut texts);
    for (a, b) in [(&good, &bad), (&good, &neutral), (&bad, &neutral)] {
        assert!(a.is_disjoint(b), "{:?}", a.intersection(b).next());
        assert!(a.len() > 100);
    }
}

#[test]
fn documents_are_of_every_kind_and_mood() {
    let documents = documents(4000);
    let share =
        |part: &str| documents.iter().filter(|d| d.contains(part)).count() as f64 / documents.len() as f64;
    for (part, low, high) in [
        ("Trade one asset", 0.025, 0.055),
        ("News:\n", 0.53, 0.63),
        ("Words: ", 0.12, 0.18),
        ("Prices:", 0.004, 0.02),
        ("Solmera", 0.4, 0.6),
        ("\"Buy\"", 0.02, 0.15),
        ("\"Sell\"", 0.02, 0.15),
        ("\"Hold\"", 0.01, 0.1),
    ] {
        let found = share(part);
        assert!((low..high).contains(&found), "{part}: {found}");
    }
}
