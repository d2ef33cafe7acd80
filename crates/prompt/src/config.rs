//! The `agent.prompt` section.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a prompt shows and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PromptConfig {
    /// Wording: `compact` for small models, `full` with the paper's sentences and JSON state.
    pub style: Style,
    /// Bars of price history shown, newest last; 0 shows none.
    #[schemars(range(min = 0, max = 1000))]
    pub history: usize,
    /// Whether the history is returns (basis points, the same at any price level) or closing prices.
    pub prices: PriceView,
    /// Most news items shown, newest first; 0 shows none.
    #[schemars(range(min = 0, max = 1000))]
    pub news_items: usize,
    /// Bars back to which news are shown; 1 is the news of the last bar alone.
    #[schemars(range(min = 1, max = 1000))]
    pub news_bars: usize,
    /// Longest news item in words; what is longer is cut.
    #[schemars(range(min = 1, max = 10000))]
    pub news_words: usize,
    /// Whether the asset's name is shown. News may still name it.
    pub symbol: bool,
    /// Whether the date is shown.
    pub date: bool,
    /// Whether the account is shown: cash, shares, value, and the last rewards, values and actions (`env.memory`).
    /// Without it all accounts at one bar read the same prompt, and a model whose layers are frozen reads every bar
    /// once per sweep.
    pub account: bool,
    /// Whether the prompt is put into the chat format of an instruct model: the `chat_template` of its
    /// `tokenizer_config.json`, or its `chat_template.jinja`. The task becomes the system message (where the template
    /// knows none, the beginning of the user's), market and account the user's message, and the model's answer begins
    /// after the generation prompt. Off: plain text.
    pub chat_template: bool,
    /// Most tokens of what precedes the account: task, date, prices and news; absent: as many as the model's longest
    /// sequence allows. A longer prompt loses its oldest news first, then its oldest prices; the account is never cut.
    /// The manifest counts shortened prompts, and the report marks the arms that have any.
    #[schemars(range(min = 16, max = 100000))]
    pub max_tokens: Option<usize>,
}

impl Default for PromptConfig {
    fn default() -> Self {
        Self {
            style: Style::Compact,
            history: 10,
            prices: PriceView::Returns,
            news_items: 3,
            news_bars: 1,
            news_words: 30,
            symbol: true,
            date: true,
            account: true,
            chat_template: false,
            max_tokens: None,
        }
    }
}

/// Wording of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// Few words and whole numbers.
    Compact,
    /// Sentences and JSON, as in the paper.
    Full,
}

/// How the price history is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PriceView {
    /// Simple returns in basis points, rounded.
    Returns,
    /// Closing prices, cut to 6 characters as in the paper.
    Closes,
}
