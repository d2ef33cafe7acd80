//! Bars and news from the JSON files of the INVESTOR-BENCH repository.
//!
//! A file is an object from ISO dates to `{"prices": number, "news": [text, ...]}`; other keys of a day (10-K and
//! 10-Q filings) are left out.

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

use plugin::BuildError;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::input::{self, invalid};
use crate::{BarSeries, Columns};

/// An object's entries in the file's order, duplicates included: a map type would drop them silently.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object from dates to prices and news")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}

/// Reads one asset. `path` is for errors; they name the line for syntax, the date for everything else.
pub(crate) fn parse(
    path: &Path,
    text: &str,
    symbol: &str,
    periods_per_year: Option<f64>,
) -> Result<BarSeries, BuildError> {
    let Entries(days) = serde_json::from_str(text).map_err(|e| invalid(path, json_problem(&e)))?;
    if days.len() < 2 {
        return Err(invalid(path, format_args!("found {} dates, expected at least 2", days.len())));
    }
    let mut columns = Columns::default();
    for (key, day) in &days {
        let wrong = |problem: String| invalid(path, format_args!("{key}: {problem}"));
        let date = Some(key.as_str()).filter(|k| k.len() == 10).and_then(|k| input::date(k, ""));
        let date = date.ok_or_else(|| {
            invalid(path, format_args!("found the key {key:?}, expected a date such as \"2018-12-31\""))
        })?;
        if let Some(previous) = columns.date.last() {
            if date == *previous {
                return Err(wrong("found the date again, expected each date once".to_owned()));
            }
            if date < *previous {
                return Err(wrong(format!("found the date after {previous}, expected ascending dates")));
            }
        }
        let price = match day.get("prices") {
            Some(Value::Number(n)) => n.as_f64().filter(|p| p.is_finite() && *p > 0.0),
            _ => None,
        };
        let price = price.ok_or_else(|| {
            wrong(format!("`prices`: found {}, expected a finite number > 0", shown(day.get("prices"))))
        })?;
        let news = match day.get("news") {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::Array(texts)) => texts.iter().map(|t| t.as_str().map(str::to_owned)).collect(),
            Some(_) => None,
        };
        let news = news.ok_or_else(|| {
            wrong(format!("`news`: found {}, expected a list of texts", shown(day.get("news"))))
        })?;
        columns.date.push(date);
        columns.close.push(price);
        columns.news.push(news);
    }
    let news = std::mem::take(&mut columns.news);
    let columns = Columns { news, ..Columns::of_closes(columns.date, columns.close) };
    BarSeries::from_columns(symbol, periods_per_year, columns).map_err(|e| invalid(path, e))
}

/// `line N: ...` without serde_json's own position at the end.
fn json_problem(e: &serde_json::Error) -> String {
    let text = e.to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
    format!("line {}: not the expected JSON: {text} (column {})", e.line(), e.column())
}

fn shown(value: Option<&Value>) -> String {
    const LONGEST: usize = 40;
    let Some(value) = value else { return "nothing".to_owned() };
    let text = value.to_string();
    let cut: String = text.chars().take(LONGEST).collect();
    if cut.len() < text.len() { format!("{cut}...") } else { cut }
}
