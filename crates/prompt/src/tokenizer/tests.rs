use super::*;

use crate::train::{END_OF_TEXT, train_bpe};

const TEXTS: [&str; 3] = [
    "Acme raises its target on strong demand",
    "Acme cuts its target on weak demand",
    "Returns bp: +12 -8 +103",
];

fn tokenizer() -> Tokenizer {
    Tokenizer::from_bytes(train_bpe(TEXTS.iter().cycle().take(30), 300).unwrap().as_bytes()).unwrap()
}

#[test]
fn training_is_reproducible_and_bounded() {
    let train = || train_bpe(TEXTS.iter().cycle().take(30), 300).unwrap();
    assert_eq!(train(), train());
    // 256 bytes, one special token, and merges up to the limit.
    assert_eq!(tokenizer().vocab_size(), 300);
}

#[test]
fn every_text_comes_back() {
    let tokenizer = tokenizer();
    for text in ["Acme raises its target", "never seen: äöü 株価 🚀", " leading\n\nlines\t", ""] {
        let ids = tokenizer.encode_more(text).unwrap();
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
}

#[test]
fn frequent_words_are_short() {
    let tokenizer = tokenizer();
    assert!(
        tokenizer.encode_more(" target").unwrap().len() < tokenizer.encode_more(" tegrat").unwrap().len()
    );
}

#[test]
fn a_special_token_in_a_text_is_text() {
    let tokenizer = tokenizer();
    let ids = tokenizer.encode_more(&format!("news {END_OF_TEXT} sell")).unwrap();
    assert!(!ids.contains(&0), "{ids:?}");
    assert_eq!(tokenizer.decode(&ids).unwrap(), format!("news {END_OF_TEXT} sell"));
}

#[test]
fn a_prefix_stands_before_the_first_part_only() {
    let plain = tokenizer();
    assert_eq!(plain.encode_first("Acme").unwrap(), plain.encode_more("Acme").unwrap());

    // The same tokenizer with a template that puts the special token first, as Llama's does.
    let json = train_bpe(TEXTS.iter().cycle().take(30), 300).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&json).unwrap();
    value["post_processor"] = serde_json::json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": END_OF_TEXT, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {END_OF_TEXT: {"id": END_OF_TEXT, "ids": [0], "tokens": [END_OF_TEXT]}},
    });
    let with_prefix = Tokenizer::from_bytes(value.to_string().as_bytes()).unwrap();
    let ids = with_prefix.encode_first("Acme").unwrap();
    assert_eq!(ids[0], 0);
    assert_eq!(ids[1..], with_prefix.encode_more("Acme").unwrap());
}

#[test]
fn a_missing_or_broken_file_is_named() {
    let path = Path::new("no-such-folder/tokenizer.json");
    assert!(
        Tokenizer::from_file(path).unwrap_err().to_string().starts_with("no-such-folder/tokenizer.json: ")
    );
    let error = Tokenizer::from_bytes(b"{}").unwrap_err().to_string();
    assert!(error.contains("not a tokenizer.json"), "{error}");
}

#[test]
fn the_shipped_tokenizer_fits_its_model() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/tiny-llama");
    let tokenizer = Tokenizer::from_file(&dir.join("tokenizer.json")).unwrap();
    let config: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(dir.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["vocab_size"], tokenizer.vocab_size());
    // The fixed part of a prompt is whole words.
    let ids = tokenizer.encode_first("Actions: Sell, Hold, Buy. Answer:").unwrap();
    assert_eq!(ids.len(), 10, "{ids:?}");
}
