use super::*;

use crate::testing::{Own, columns, series};
use crate::{Style, train_bpe};

fn tokenizer(config: &PromptConfig) -> Tokenizer {
    let series = series(columns());
    let own = Own::holding();
    let texts: Vec<String> = (0..12)
        .flat_map(|t| {
            let parts = config.render(&own.observe(&series, t));
            [parts.shared, parts.own]
        })
        .collect();
    Tokenizer::from_bytes(train_bpe(texts.iter(), 400).unwrap().as_bytes()).unwrap()
}

fn encoder(config: PromptConfig) -> Encoder {
    let tokenizer = tokenizer(&config);
    Encoder::new(config, tokenizer)
}

fn base() -> PromptConfig {
    PromptConfig { news_bars: 2, news_items: 4, max_tokens: 10_000, ..PromptConfig::default() }
}

#[test]
fn parts_are_encoded_separately() {
    let encoder = encoder(base());
    let series = series(columns());
    let own = Own::holding();
    let observation = own.observe(&series, 8);
    let encoded = encoder.encode(&observation).unwrap();
    let text = encoder.config().render(&observation);
    assert_eq!(encoder.tokenizer().decode(&encoded.shared).unwrap(), text.shared);
    assert_eq!(encoder.tokenizer().decode(&encoded.own).unwrap(), text.own);
    assert_eq!((encoded.dropped_news, encoded.dropped_history), (0, 0));
}

#[test]
fn the_oldest_news_go_first_then_prices_and_never_the_account() {
    for style in [Style::Compact, Style::Full] {
        let series = series(columns());
        let own = Own::holding();
        let observation = own.observe(&series, 11);
        let unlimited = encoder(PromptConfig { style, ..base() });
        let all = unlimited.encode(&observation).unwrap();
        let limited = |max_tokens| {
            let config = PromptConfig { max_tokens, style, ..base() };
            Encoder::new(config, unlimited.tokenizer().clone()).encode(&observation)
        };
        let text = |ids: &[u32]| unlimited.tokenizer().decode(ids).unwrap();

        // One token too few: the last of the four items, which is the older bar's, is gone.
        let one = limited(all.shared.len() - 1).unwrap();
        assert_eq!((one.dropped_news, one.dropped_history), (1, 0));
        assert!(text(&one.shared).contains("(1 bar ago) Acme raises target 10"));
        assert!(!text(&one.shared).contains("Acme opens office 10"));

        let mut last = (0, 0);
        for max_tokens in (16..all.shared.len()).rev() {
            match limited(max_tokens) {
                Ok(encoded) => {
                    assert!(encoded.shared.len() <= max_tokens);
                    assert_eq!(encoded.own, all.own);
                    let dropped = (encoded.dropped_news, encoded.dropped_history);
                    assert!(dropped >= last, "less room never shows more");
                    assert!(dropped.1 == 0 || dropped.0 == 4, "prices go after all news");
                    last = dropped;
                }
                Err(error) => {
                    let found = error.to_string();
                    assert!(found.starts_with("prompt.max_tokens: expected at least "), "{found}");
                    assert_eq!(last, (4, 10), "everything that may go is gone first");
                }
            }
        }
        assert_eq!(last, (4, 10));
    }
}

#[test]
fn accounts_at_one_bar_share_their_ids_even_when_cut() {
    let encoder = encoder(PromptConfig { max_tokens: 90, ..base() });
    let series = series(columns());
    let (fresh, holding) = (Own::fresh(), Own::holding());
    let a = encoder.encode(&fresh.observe(&series, 8)).unwrap();
    let b = encoder.encode(&holding.observe(&series, 8)).unwrap();
    assert_eq!(a.shared, b.shared);
    assert!(a.own.len() < b.own.len());
}
