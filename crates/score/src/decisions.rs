//! Lists of decisions, from `date,action` files or from a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use trading_env::Action;

use crate::ScoreError;
use crate::table::{read, shown, wrong};

/// One action per date.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decisions {
    by_date: BTreeMap<NaiveDate, Entry>,
    file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Entry {
    action: Action,
    /// Line of the file, where there is one.
    line: Option<usize>,
}

impl FromIterator<(NaiveDate, Action)> for Decisions {
    /// The last of several actions on one date counts.
    fn from_iter<I: IntoIterator<Item = (NaiveDate, Action)>>(decisions: I) -> Self {
        let entry = |(date, action)| (date, Entry { action, line: None });
        Self { by_date: decisions.into_iter().map(entry).collect(), file: None }
    }
}

impl Decisions {
    /// The action of `date`.
    pub fn get(&self, date: NaiveDate) -> Option<Action> {
        self.by_date.get(&date).map(|entry| entry.action)
    }

    /// Dates and actions in order.
    pub fn iter(&self) -> impl Iterator<Item = (NaiveDate, Action)> + '_ {
        self.by_date.iter().map(|(date, entry)| (*date, entry.action))
    }

    /// Number of decisions.
    pub fn len(&self) -> usize {
        self.by_date.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_date.is_empty()
    }

    /// The decisions with `from <= date <= to`; none when `to` is before `from`.
    pub(crate) fn dates_between(
        &self,
        from: NaiveDate,
        to: NaiveDate,
    ) -> impl Iterator<Item = NaiveDate> + '_ {
        self.by_date.keys().copied().filter(move |date| (from..=to).contains(date))
    }

    /// Where the decision of `date` stands, or where decisions stand: for messages.
    pub(crate) fn origin(&self, date: Option<NaiveDate>) -> String {
        let line = date.and_then(|d| self.by_date.get(&d)).and_then(|entry| entry.line);
        match (&self.file, line) {
            (Some(file), Some(line)) => format!("{}:{line}", file.display()),
            (Some(file), None) => file.display().to_string(),
            (None, _) => "decisions".to_owned(),
        }
    }
}

/// Reads a CSV file with the columns `date` (ISO, strictly increasing) and `action` (buy, sell, hold or 1, -1, 0).
///
/// # Errors
/// The first line that is not so, with what was found and what is accepted.
pub fn read_actions_csv(path: &Path) -> Result<Decisions, ScoreError> {
    let mut by_date = BTreeMap::new();
    for row in read(path, "action")? {
        let expected = "buy, sell, hold or 1, -1, 0 in column `action`";
        let action =
            parse_action(&row.value).ok_or_else(|| wrong(path, row.line, shown(&row.value), expected))?;
        by_date.insert(row.date, Entry { action, line: Some(row.line) });
    }
    Ok(Decisions { by_date, file: Some(path.to_owned()) })
}

fn parse_action(cell: &str) -> Option<Action> {
    match cell.to_ascii_lowercase().as_str() {
        "buy" | "1" => Some(Action::Buy),
        "sell" | "-1" => Some(Action::Sell),
        "hold" | "0" => Some(Action::Hold),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
