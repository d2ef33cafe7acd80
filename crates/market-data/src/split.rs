//! The `[split]` section: parts of a series by date, each without any later bar.

#[cfg(test)]
mod tests;
mod walk_forward;

use std::ops::Range;
use std::sync::Arc;

use chrono::NaiveDate;
use plugin::{BuildError, ParamError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{BarSeries, Segment, Shuffle};
pub use walk_forward::WalkForward;

/// First and last date of a part, both inclusive; neither needs to have a bar.
pub type DateRange = [NaiveDate; 2];

/// The `[split]` section: one `train` and one `test` part, or `walk_forward`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SplitSpec {
    /// First and last date that PPO may learn from, both inclusive (`YYYY-MM-DD`). Needed without `walk_forward`.
    #[serde(default)]
    #[schemars(with = "Option<[String; 2]>")]
    pub train: Option<DateRange>,
    /// First and last date of the part for selection, both inclusive; absent: no validation.
    #[serde(default)]
    #[schemars(with = "Option<[String; 2]>")]
    pub valid: Option<DateRange>,
    /// First and last date of the part that is scored, both inclusive. Needed without `walk_forward`.
    #[serde(default)]
    #[schemars(with = "Option<[String; 2]>")]
    pub test: Option<DateRange>,
    /// Bars that must lie before a part's first decision, as look-back. They may belong to an earlier part; where
    /// the data begin too late for that, the first decision moves to a later bar.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100000))]
    pub warmup: usize,
    /// Bars left out between the end of a part and the first bar of the next; taken from the end of the earlier.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100000))]
    pub purge: usize,
    /// A control: what is put into random order within each part, by a stream of the run's seed; absent: nothing.
    #[serde(default)]
    pub shuffle: Option<Shuffle>,
    /// Windows that step through the data, each with parts of its own, instead of `train`, `valid` and `test`: those of a
    /// file that this one extends count no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-instead-of" = ["train", "valid", "test"]))]
    pub walk_forward: Option<WalkForward>,
}

/// The parts of a series.
#[derive(Debug, Clone)]
pub struct Splits {
    /// For learning.
    pub train: Segment,
    /// For selection.
    pub valid: Option<Segment>,
    /// For scores.
    pub test: Segment,
}

impl SplitSpec {
    /// The section's name in experiment files.
    pub const SECTION: &'static str = "split";

    /// Checks a `[split]` value beyond its schema: dates exist, each range runs forward, `train`, `valid`, `test`
    /// follow each other without a common date; with `walk_forward` its spans are spans and no part has dates of its
    /// own. Keys are relative to the section. Wrong types are left to the schema.
    pub fn check(value: &Value) -> Vec<ParamError> {
        if let Some(windows) = value.get("walk_forward").filter(|w| !w.is_null()) {
            return walk_forward::check(value, windows);
        }
        let is_missing = |name: &&str| value.get(*name).is_none_or(Value::is_null);
        let missing = ["train", "test"].into_iter().filter(is_missing);
        let expected = "first and last date, or split.walk_forward";
        let missing: Vec<ParamError> = missing.map(|name| ParamError::missing(name, expected)).collect();
        if !missing.is_empty() {
            return missing;
        }
        let mut errors = Vec::new();
        let mut parts: Vec<(&str, DateRange)> = Vec::new();
        for name in ["train", "valid", "test"] {
            let Some(ends) = value.get(name).and_then(Value::as_array) else { continue };
            let dates: Vec<Option<NaiveDate>> = ends.iter().map(|end| parse(end.as_str()?)).collect();
            for end in ends.iter().zip(&dates).filter(|(_, date)| date.is_none()).map(|(end, _)| end) {
                errors.push(ParamError {
                    key: name.to_owned(),
                    found: end.to_string(),
                    expected: "dates such as \"2018-12-31\"".to_owned(),
                });
            }
            if let [Some(from), Some(to)] = dates[..] {
                parts.push((name, [from, to]));
            }
        }
        for (name, [from, to]) in &parts {
            if from > to {
                errors.push(ParamError {
                    key: (*name).to_owned(),
                    found: format!("[\"{from}\", \"{to}\"]"),
                    expected: "the earlier date first".to_owned(),
                });
            }
        }
        for pair in parts.windows(2) {
            let ((earlier, [_, end]), (later, [from, to])) = (pair[0], pair[1]);
            if from <= end {
                errors.push(ParamError {
                    key: later.to_owned(),
                    found: format!("[\"{from}\", \"{to}\"]"),
                    expected: format!("dates after {end}, the end of `{earlier}`"),
                });
            }
        }
        errors
    }

    /// Cuts `series`. Every part holds its own bars and up to `warmup` earlier ones, and nothing later: a test bar
    /// cannot reach training.
    ///
    /// # Errors
    /// When the ranges are out of order or overlap, or a part has fewer than two bars for decisions.
    pub fn apply(&self, series: &BarSeries) -> Result<Splits, BuildError> {
        let value = serde_json::to_value(self).expect("invariant: a split has only JSON types");
        if let Some(error) = Self::check(&value).into_iter().next() {
            return Err(BuildError::Invalid(format!("split.{error}")));
        }
        let (Some(train_dates), Some(test_dates)) = (self.train, self.test) else {
            return Err(BuildError::Invalid(
                "split.walk_forward: expected the dates of one window (`SplitSpec::windows` has them)"
                    .to_owned(),
            ));
        };
        let bars = |[from, to]: DateRange| series.between(from, to);
        let test = bars(test_dates);
        let valid = self.valid.map(bars);
        let after_train = valid.as_ref().unwrap_or(&test).start;
        let train = self.purged(bars(train_dates), after_train);
        let valid = valid.map(|valid| self.purged(valid, test.start));
        Ok(Splits {
            train: self.segment(series, "train", train_dates, train)?,
            valid: match (self.valid, valid) {
                (Some(range), Some(bars)) => Some(self.segment(series, "valid", range, bars)?),
                _ => None,
            },
            test: self.segment(series, "test", test_dates, test)?,
        })
    }

    /// `part` without the bars that lie fewer than `purge` bars before bar `next`.
    fn purged(&self, part: Range<usize>, next: usize) -> Range<usize> {
        let end = part.end.min(next.saturating_sub(self.purge));
        part.start..end.max(part.start)
    }

    fn segment(
        &self,
        series: &BarSeries,
        name: &str,
        [from, to]: DateRange,
        bars: Range<usize>,
    ) -> Result<Segment, BuildError> {
        let first = bars.start.max(self.warmup);
        let found = bars.end.saturating_sub(first);
        if found < 2 {
            let [head, tail] = [series.date(0), series.date(series.len() - 1)];
            let (warmup, purge) = (self.warmup, self.purge);
            return Err(BuildError::Invalid(format!(
                "split.{name}: expected at least 2 bars from {from} to {to}, found {found} \
                 (warmup = {warmup}, purge = {purge}; the data of {} have {} bars, {head} to {tail})",
                series.symbol(),
                series.len(),
            )));
        }
        let part = series.slice(first - self.warmup..bars.end);
        let part = part.map_err(|e| BuildError::Invalid(format!("split.{name}: {e}")))?;
        Ok(Segment { series: Arc::new(part), first: self.warmup })
    }
}

fn parse(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}
