//! Observations as text, in the paper's structure and our own words.

#[cfg(test)]
mod tests;

use std::fmt::Write;

use trading_env::{Action, Observation};

use crate::number::{basis_points, cut};
use crate::{PriceView, PromptConfig, Style};

/// The two parts of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptParts {
    /// Task, legal actions, answer format, asset, date, prices, news: equal for all accounts at one bar.
    pub shared: String,
    /// Account, recent rewards, values and actions, and the cue for the answer; without the account the cue alone.
    pub own: String,
}

/// How much of what may be cut is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// News items.
    pub news: usize,
    /// Bars of price history.
    pub history: usize,
}

const COMPACT_TASK: &str = "Trade one asset for long-run return at low risk.\n\
     Actions: Sell, Hold, Buy. Answer: {\"Action\": \"...\"}\n";

const FULL_TASK: &str = "You run a trading account that holds cash and one asset. Aim for a high return over the long \
     run and keep the risk under control.\n\
     Sell when prices weaken or the risk has grown too large. Hold when there is no clear reason to act. Buy when \
     prices strengthen. Follow momentum and keep trading costs low.\n\
     Legal actions: \"Sell\", \"Hold\", \"Buy\".\n\
     Answer with a JSON object whose single key is \"Action\" and whose value is one of the legal actions.\n";

/// Beginning of the answer.
pub(crate) const CUE: &str = "{\"Action\": \"";

impl PromptConfig {
    /// The prompt without a limit on its length.
    pub fn render(&self, observation: &Observation<'_>) -> PromptParts {
        let extent = Extent { news: self.news_items, history: self.history };
        PromptParts {
            shared: self.task().to_owned() + &self.market(observation, extent),
            own: format!("{}\n{CUE}", self.account(observation)),
        }
    }

    /// What is to be done: task, legal actions, answer format. Ends with a line end.
    pub(crate) fn task(&self) -> &'static str {
        match self.style {
            Style::Compact => COMPACT_TASK,
            Style::Full => FULL_TASK,
        }
    }

    /// What all accounts at one bar share: asset, date, prices, news. The account continues the text, where it is shown.
    pub(crate) fn market(&self, observation: &Observation<'_>, extent: Extent) -> String {
        match self.style {
            Style::Compact => self.market_compact(observation, extent),
            Style::Full => self.market_full(observation, extent),
        }
    }

    /// What is the account's own: holdings, recent rewards, values and actions; empty where it is not shown.
    pub(crate) fn account(&self, observation: &Observation<'_>) -> String {
        match self.style {
            _ if !self.account => String::new(),
            Style::Compact => account_compact(observation),
            Style::Full => account_full(observation),
        }
    }

    /// What follows the cue for each action, in the order of the policy's logits: for scoring words under the
    /// language model head.
    pub fn answers(&self) -> [&'static str; 3] {
        Action::ALL.map(answer)
    }

    /// Number of news items that there are to show.
    pub(crate) fn n_news(&self, observation: &Observation<'_>) -> usize {
        observation.history.recent_news(self.news_bars).take(self.news_items).count()
    }

    /// Number of prices or returns that there are to show.
    pub(crate) fn n_history(&self, observation: &Observation<'_>) -> usize {
        let known = observation.history.len();
        self.history.min(match self.prices {
            PriceView::Closes => known,
            PriceView::Returns => known - 1,
        })
    }

    fn market_compact(&self, observation: &Observation<'_>, extent: Extent) -> String {
        let history = &observation.history;
        let mut text = String::new();
        let mut head = Vec::new();
        if self.symbol {
            head.push(plain(history.symbol()));
        }
        if self.date {
            head.push(history.date().to_string());
        }
        if !head.is_empty() {
            text.push_str(&head.join(" "));
            text.push('\n');
        }
        let prices = self.prices(observation, extent);
        if !prices.is_empty() {
            let label = match self.prices {
                PriceView::Returns => "Returns bp:",
                PriceView::Closes => "Prices:",
            };
            let _ = writeln!(text, "{label} {}", prices.join(" "));
        }
        let news = self.news(observation, extent);
        if !news.is_empty() {
            text.push_str("News:\n");
            for item in news {
                text.push_str(&item);
                text.push('\n');
            }
        }
        if !self.account {
            text.truncate(text.trim_end().len());
        }
        text
    }

    fn market_full(&self, observation: &Observation<'_>, extent: Extent) -> String {
        let history = &observation.history;
        let mut text = "State: {".to_owned();
        if self.symbol {
            let _ = write!(text, "\"asset\": {}, ", quoted(&plain(history.symbol())));
        }
        if self.date {
            let _ = write!(text, "\"date\": \"{}\", ", history.date());
        }
        let label = match self.prices {
            PriceView::Returns => "historical_returns_bp",
            PriceView::Closes => "historical_prices",
        };
        let _ = write!(text, "\"{label}\": [{}], ", self.prices(observation, extent).join(", "));
        let news: Vec<_> = self.news(observation, extent).iter().map(|item| quoted(item)).collect();
        let _ = write!(text, "\"news\": [{}]", news.join(", "));
        text.push(if self.account { ',' } else { '}' });
        text
    }

    /// The last `extent.history` returns or closes, oldest first.
    fn prices(&self, observation: &Observation<'_>, extent: Extent) -> Vec<String> {
        let history = &observation.history;
        match self.prices {
            _ if extent.history == 0 => Vec::new(),
            PriceView::Closes => history.closes(extent.history).iter().map(|p| cut(*p, 6)).collect(),
            PriceView::Returns => {
                let closes = history.closes(extent.history + 1);
                closes.windows(2).map(|pair| basis_points(pair[1] / pair[0] - 1.0)).collect()
            }
        }
    }

    /// The newest `extent.news` items, each on one line, older ones with their age.
    fn news(&self, observation: &Observation<'_>, extent: Extent) -> Vec<String> {
        let item = |(ago, text): (usize, &str)| {
            let mut words = text.split_whitespace();
            let mut item: Vec<&str> = words.by_ref().take(self.news_words).collect();
            if words.next().is_some() {
                item.push("...");
            }
            let item = item.join(" ");
            match ago {
                0 => item,
                1 => format!("(1 bar ago) {item}"),
                _ => format!("({ago} bars ago) {item}"),
            }
        };
        observation.history.recent_news(self.news_bars).take(extent.news).map(item).collect()
    }
}

fn account_compact(observation: &Observation<'_>) -> String {
    let account = observation.account;
    let equity = account.equity();
    let mut text =
        format!("Cash {} shares {} value {}", cut(account.cash, 6), cut(account.shares, 6), cut(equity, 6));
    if !observation.actions.is_empty() {
        let rewards: Vec<_> = observation.rewards.iter().map(|r| basis_points(*r)).collect();
        // Relative to the account now: the path that led here, at any size of the account.
        let values: Vec<_> = observation.equities.iter().map(|e| basis_points(e / equity - 1.0)).collect();
        let actions: Vec<_> = observation.actions.iter().map(|a| answer(*a)).collect();
        let _ = write!(
            text,
            "\nRewards 1e-4: {}\nValues bp: {}\nActions: {}",
            rewards.join(" "),
            values.join(" "),
            actions.join(" ")
        );
    }
    text
}

fn account_full(observation: &Observation<'_>) -> String {
    let account = observation.account;
    let list = |items: Vec<String>| items.join(", ");
    let rewards = list(observation.rewards.iter().map(|r| cut(*r, 6)).collect());
    let values = list(observation.equities.iter().map(|e| cut(*e, 10)).collect());
    let actions = list(observation.actions.iter().map(|a| quoted(answer(*a))).collect());
    format!(
        "\"account_status\": {{\"cash_balance\": {}, \"asset_position\": {}, \"total_account_value\": {}}}, \
         \"previous_decision_metrics\": {{\"recent_rewards\": [{rewards}], \"net_values\": [{values}], \
         \"actions\": [{actions}]}}}}",
        cut(account.cash, 10),
        cut(account.shares, 10),
        cut(account.equity(), 10),
    )
}

fn answer(action: Action) -> &'static str {
    ["Sell", "Hold", "Buy"][action.index()]
}

/// One line: whitespace of any kind becomes single spaces.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
