//! Windows that step through a series: train, then test on what follows, then move on.

#[cfg(test)]
mod tests;

use std::ops::Range;

use chrono::{Days, Months, NaiveDate};
use plugin::{BuildError, ParamError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DateRange, SplitSpec};
use crate::BarSeries;

/// More windows than this are a mistake.
const MOST_WINDOWS: usize = 1_000;

/// The `split.walk_forward` table. Spans are a number with `y`, `m`, `w` or `d` (calendar years, months, weeks, days).
///
/// The test part of window k begins k steps after the first one's. It holds the bars of its span and, to mark the last
/// decision, the next bar: where `step` equals `test`, every return between the first test day and the last is scored
/// once, in one window. The training part (and before the test part a validation part) ends where the next part begins,
/// less `purge` bars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WalkForward {
    /// Span of each training part, such as `"1y"`.
    pub train: String,
    /// Span of the part for selection, between training and test; absent: no validation.
    #[serde(default)]
    pub valid: Option<String>,
    /// Span of each test part, such as `"3m"`.
    pub test: String,
    /// From the beginning of a test part to that of the next; absent: as long as `test`. Shorter is an error: a day would
    /// be scored twice.
    #[serde(default)]
    pub step: Option<String>,
    /// Bars left out at the beginning of the validation and the test part, where features still reach into the part
    /// before.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100000))]
    pub embargo: usize,
    /// Whether every training part begins with the data, so that it grows, or is as long as `train`.
    #[serde(default)]
    pub expanding: bool,
    /// First day of the first test part (`YYYY-MM-DD`); absent: as early as the spans before it allow.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub from: Option<NaiveDate>,
}

/// A stretch of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    Months(u32),
    Days(u64),
}

impl Span {
    /// `"1y"`, `"3m"`, `"2w"`, `"10d"`.
    fn parse(text: &str) -> Option<Self> {
        let unit = text.chars().last()?;
        let digits = text.strip_suffix(unit)?;
        let is_number = digits.bytes().all(|b| b.is_ascii_digit());
        let n: u32 = digits.parse().ok().filter(|n| is_number && (1..=12_000).contains(n))?;
        match unit {
            'y' => Some(Span::Months(12 * n)),
            'm' => Some(Span::Months(n)),
            'w' => Some(Span::Days(7 * u64::from(n))),
            'd' => Some(Span::Days(n.into())),
            _ => None,
        }
    }

    /// `date` moved on by `times` spans, at once: the 31st stays the 31st wherever a month has one.
    fn after(self, date: NaiveDate, times: u32) -> Option<NaiveDate> {
        match self {
            Span::Months(n) => date.checked_add_months(Months::new(n.checked_mul(times)?)),
            Span::Days(n) => date.checked_add_days(Days::new(n.checked_mul(times.into())?)),
        }
    }

    fn before(self, date: NaiveDate) -> Option<NaiveDate> {
        match self {
            Span::Months(n) => date.checked_sub_months(Months::new(n)),
            Span::Days(n) => date.checked_sub_days(Days::new(n)),
        }
    }

    /// Days, where a month has a twelfth of a year: to compare spans only.
    fn days(self) -> f64 {
        match self {
            Span::Months(n) => f64::from(n) * 365.25 / 12.0,
            Span::Days(n) => n as f64,
        }
    }
}

/// What a schema cannot say of a split with windows. `windows` is its `walk_forward`.
pub(super) fn check(split: &Value, windows: &Value) -> Vec<ParamError> {
    let mut errors = Vec::new();
    for name in ["train", "valid", "test"] {
        if let Some(dates) = split.get(name).filter(|dates| !dates.is_null()) {
            errors.push(ParamError {
                key: name.to_owned(),
                found: plugin::toml_text(dates),
                expected: "\"none\" beside split.walk_forward, which has its own parts".to_owned(),
            });
        }
    }
    let mut span = |name: &str| {
        let text = windows.get(name)?.as_str()?;
        let span = Span::parse(text);
        if span.is_none() {
            errors.push(ParamError {
                key: format!("walk_forward.{name}"),
                found: format!("{text:?}"),
                expected: "a span such as \"1y\", \"3m\", \"2w\" or \"10d\"".to_owned(),
            });
        }
        span
    };
    let [_, _, test, step] = ["train", "valid", "test", "step"].map(&mut span);
    if let (Some(test), Some(step)) = (test, step)
        && step.days() < test.days()
    {
        let text = |name: &str| windows[name].as_str().unwrap_or_default().to_owned();
        errors.push(ParamError {
            key: "walk_forward.step".to_owned(),
            found: format!("{:?}", text("step")),
            expected: format!(
                "at least {:?}, the span of `test`: with less, days would be scored twice",
                text("test")
            ),
        });
    }
    if let Some(from) = windows.get("from").and_then(Value::as_str)
        && super::parse(from).is_none()
    {
        errors.push(ParamError {
            key: "walk_forward.from".to_owned(),
            found: format!("{from:?}"),
            expected: "a date such as \"2018-12-31\"".to_owned(),
        });
    }
    errors
}

impl SplitSpec {
    /// The windows of `walk_forward` on `series` in their order, each a split with dates of its own; `None` without
    /// `walk_forward`. A last window that the data end in is kept where they fill at least half of its test span.
    ///
    /// # Errors
    /// When the spans are none, or the data hold no window.
    pub fn windows(&self, series: &BarSeries) -> Result<Option<Vec<SplitSpec>>, BuildError> {
        let Some(windows) = &self.walk_forward else { return Ok(None) };
        let value = serde_json::to_value(self).expect("invariant: a split has only JSON types");
        if let Some(error) = Self::check(&value).into_iter().next() {
            return Err(BuildError::Invalid(format!("split.{error}")));
        }
        Walk::new(windows, self.purge, series)?.windows().map(|parts| {
            let split = |[train, valid, test]: [Option<DateRange>; 3]| SplitSpec {
                train,
                valid,
                test,
                walk_forward: None,
                ..self.clone()
            };
            Some(parts.into_iter().map(split).collect())
        })
    }
}

/// The calendar of the windows on one series.
struct Walk<'a> {
    series: &'a BarSeries,
    train: Span,
    valid: Option<Span>,
    test: Span,
    step: Span,
    /// First day of the first test part.
    origin: NaiveDate,
    expanding: bool,
    purge: usize,
    embargo: usize,
}

impl<'a> Walk<'a> {
    fn new(windows: &WalkForward, purge: usize, series: &'a BarSeries) -> Result<Self, BuildError> {
        let span = |text: &str| Span::parse(text).expect("invariant: spans were checked");
        let train = span(&windows.train);
        let valid = windows.valid.as_deref().map(span);
        let test = span(&windows.test);
        let first = series.date(0);
        let origin = valid.iter().try_fold(train.after(first, 1), |day, valid| Some(valid.after(day?, 1)));
        let earliest = origin.flatten().ok_or_else(|| none(series, "the spans leave the calendar"))?;
        let origin = windows.from.unwrap_or(earliest);
        if origin < earliest {
            return Err(BuildError::Invalid(format!(
                "split.walk_forward.from: expected {earliest} or later (the data of {} begin {first}), found {origin}",
                series.symbol()
            )));
        }
        let step = windows.step.as_deref().map_or(test, span);
        let (expanding, embargo) = (windows.expanding, windows.embargo);
        Ok(Self { series, train, valid, test, step, origin, expanding, purge, embargo })
    }

    /// `[train, valid, test]` of each window.
    fn windows(&self) -> Result<Vec<[Option<DateRange>; 3]>, BuildError> {
        let last = self.series.date(self.series.len() - 1);
        let mut windows = Vec::new();
        for k in 0.. {
            let [begin, next] = [k, k + 1].map(|k| self.step.after(self.origin, k));
            let (Some(begin), Some(next)) = (begin, next) else { break };
            if begin > last {
                break;
            }
            // Where one follows the other, a window ends where the next begins, however long the months between are.
            let end = if self.step == self.test { Some(next) } else { self.test.after(begin, 1) };
            let Some(end) = end else { break };
            if end > next && next <= last {
                return Err(BuildError::Invalid(format!(
                    "split.walk_forward.step: expected at least the span of `test`, or days would be scored twice: the test \
                     that begins {begin} ends after {next}, where the next begins"
                )));
            }
            // `end` is the first day after the span.
            let filled = (last - begin).num_days() + 1;
            if end > last && 2 * filled < (end - begin).num_days() {
                break;
            }
            if windows.len() == MOST_WINDOWS {
                return Err(none(self.series, &format!("the spans make more than {MOST_WINDOWS} windows")));
            }
            match self.parts(begin, end, windows.len() + 1) {
                // What the data leave of it may be the embargo alone.
                Err(_) if end > last && !windows.is_empty() => break,
                parts => windows.push(parts?),
            }
            if end > last {
                break;
            }
        }
        if windows.is_empty() {
            let text = format!("the first test part would begin {}", self.origin);
            return Err(none(self.series, &text));
        }
        Ok(windows)
    }

    /// The parts of the window whose test span is `begin` to the day before `end`.
    fn parts(
        &self,
        begin: NaiveDate,
        end: NaiveDate,
        window: usize,
    ) -> Result<[Option<DateRange>; 3], BuildError> {
        let before = |span: Span, day: NaiveDate| {
            span.before(day).ok_or_else(|| none(self.series, "the spans leave the calendar"))
        };
        let valid_begin = self.valid.map(|span| before(span, begin)).transpose()?;
        let train_end = valid_begin.unwrap_or(begin);
        let train_begin = match self.expanding {
            true => self.series.date(0),
            false => before(self.train, train_end)?,
        };
        let dates = self.series.dates();
        let bar = |day: NaiveDate| dates.partition_point(|date| *date < day);
        // The bar after the span marks the last decision.
        let test = bar(begin) + self.embargo..(bar(end) + 1).min(dates.len());
        let train = bar(train_begin)..bar(train_end).saturating_sub(self.purge);
        let valid = valid_begin.map(|day| bar(day) + self.embargo..bar(begin).saturating_sub(self.purge));
        let range = |part: &str, bars: Range<usize>| {
            if bars.len() < 2 {
                return Err(BuildError::Invalid(format!(
                    "split.walk_forward.{part}: expected at least 2 bars in each window, found {} in window {window}, \
                     which tests from {begin} (embargo = {}, purge = {})",
                    bars.len(),
                    self.embargo,
                    self.purge,
                )));
            }
            Ok(Some([dates[bars.start], dates[bars.end - 1]]))
        };
        let valid = valid.map(|bars| range("valid", bars)).transpose()?.flatten();
        Ok([range("train", train)?, valid, range("test", test)?])
    }
}

fn none(series: &BarSeries, why: &str) -> BuildError {
    let [first, last] = [series.date(0), series.date(series.len() - 1)];
    BuildError::Invalid(format!(
        "split.walk_forward: expected spans that fit the data of {} ({first} to {last}), but {why}",
        series.symbol()
    ))
}
