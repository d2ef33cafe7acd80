use super::*;

use proptest::prelude::*;

use crate::testing::{Own, columns, same_as_snapshot, series};

fn whole(config: &PromptConfig, own: &Own, t: usize) -> String {
    let series = series(columns());
    let PromptParts { shared, own } = config.render(&own.observe(&series, t));
    format!("{shared}~~~\n{own}")
}

fn full() -> PromptConfig {
    PromptConfig { style: Style::Full, prices: PriceView::Closes, ..PromptConfig::default() }
}

#[test]
fn compact_prompt() {
    same_as_snapshot(
        "src/render/snapshots/compact_prompt.txt",
        &whole(&PromptConfig::default(), &Own::holding(), 5),
    );
}

#[test]
fn compact_prompt_at_the_first_bar() {
    same_as_snapshot(
        "src/render/snapshots/compact_prompt_at_the_first_bar.txt",
        &whole(&PromptConfig::default(), &Own::fresh(), 0),
    );
}

#[test]
fn full_prompt() {
    same_as_snapshot(
        "src/render/snapshots/full_prompt.txt",
        &whole(&PromptConfig { news_bars: 2, ..full() }, &Own::holding(), 5),
    );
}

#[test]
fn prompts_without_the_account() {
    for (name, config) in [("compact", PromptConfig::default()), ("full", full())] {
        same_as_snapshot(
            &format!("src/render/snapshots/{name}_prompt_without_the_account.txt"),
            &whole(&PromptConfig { account: false, ..config }, &Own::holding(), 5),
        );
    }
}

#[test]
fn the_shared_part_knows_no_account() {
    let series = series(columns());
    for config in [PromptConfig::default(), full()] {
        let (fresh, holding) = (Own::fresh(), Own::holding());
        let a = config.render(&fresh.observe(&series, 7));
        let b = config.render(&holding.observe(&series, 7));
        assert_eq!(a.shared, b.shared);
        assert_ne!(a.own, b.own);
        // And the own part knows no market.
        assert_eq!(b.own, config.render(&holding.observe(&series, 3)).own);
    }
}

#[test]
fn every_setting_changes_the_prompt() {
    let base = PromptConfig { news_bars: 2, ..PromptConfig::default() };
    let text = |config: &PromptConfig| whole(config, &Own::holding(), 9);
    let variants = [
        PromptConfig { style: Style::Full, ..base },
        PromptConfig { history: 3, ..base },
        PromptConfig { prices: PriceView::Closes, ..base },
        PromptConfig { news_items: 1, ..base },
        PromptConfig { news_bars: 1, ..base },
        PromptConfig { news_words: 2, ..base },
        PromptConfig { symbol: false, ..base },
        PromptConfig { date: false, ..base },
        PromptConfig { account: false, ..base },
    ];
    for variant in variants {
        assert_ne!(text(&variant), text(&base), "{variant:?}");
    }
}

#[test]
fn news_are_one_line_each_and_quoted_in_json() {
    let mut columns = columns();
    columns.news[4] = vec!["a\nb  \"c\" \\ d".to_owned()];
    let series = series(columns);
    let own = Own::fresh();
    let compact = PromptConfig::default().render(&own.observe(&series, 4)).shared;
    assert!(compact.contains("\na b \"c\" \\ d\n"), "{compact}");
    let text = full().render(&own.observe(&series, 4));
    let state = format!("{{{}{}", text.shared.split_once("State: {").unwrap().1, text.own);
    let state: serde_json::Value =
        serde_json::from_str(state.strip_suffix(&format!("\n{CUE}")).unwrap()).unwrap();
    assert_eq!(state["news"][0], "a b \"c\" \\ d");
    assert_eq!(state["account_status"]["cash_balance"], 1000);
}

#[test]
fn returns_by_hand() {
    // Closes 100, 101, 99.5: +1% is 100 basis points, 99.5 / 101 - 1 = -0.0148515 is -149.
    let series = series(columns());
    let text = PromptConfig::default().render(&Own::fresh().observe(&series, 2)).shared;
    assert!(text.contains("\nReturns bp: +100 -149\n"), "{text}");
}

#[test]
fn the_section_refuses_unknown_keys() {
    let config: PromptConfig = serde_json::from_str(r#"{"style": "full", "history": 5}"#).unwrap();
    assert_eq!((config.style, config.history), (Style::Full, 5));
    assert!(serde_json::from_str::<PromptConfig>(r#"{"histroy": 5}"#).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_after_the_bar_changes_the_prompt(
        t in 0usize..11,
        factor in 0.5..2.0f64,
        days in 1usize..40,
        full_style in any::<bool>(),
        news in "\\PC{0,20}",
    ) {
        let config = PromptConfig { news_bars: 5, news_items: 9, history: 20, ..PromptConfig::default() };
        let config = if full_style { PromptConfig { style: Style::Full, ..config } } else { config };
        let known = columns();
        let mut other = columns();
        for i in t + 1..12 {
            other.close[i] *= factor;
            other.date[i] = other.date[i] + chrono::Days::new(days as u64);
            other.news[i] = vec![news.clone(), news.clone(), news.clone()];
        }
        let (known, other) = (series(known), series(other));
        let own = Own::holding();
        prop_assert_eq!(config.render(&own.observe(&known, t)), config.render(&own.observe(&other, t)));
    }

    #[test]
    fn what_is_known_does_change_it(t in 1usize..12, factor in 1.01..2.0f64) {
        let config = PromptConfig::default();
        let mut other = columns();
        other.close[t] *= factor;
        let (known, other) = (series(columns()), series(other));
        let own = Own::holding();
        prop_assert_ne!(config.render(&own.observe(&known, t)), config.render(&own.observe(&other, t)));
    }
}
