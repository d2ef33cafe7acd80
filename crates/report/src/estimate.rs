//! A mean over seeds with its interval, as numbers and as text.

use serde::Serialize;
use stats::{Interval, SeedScores};

use crate::metric::Unit;
use crate::numbers::{rounded, significant};

/// Level of every interval on the page.
pub(crate) const LEVEL: f64 = 0.95;

/// Resamples of the seeds for aggregates, as many as `SeedScores::interval` takes.
pub(crate) const RESAMPLES: usize = 2_000;

/// A cell of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Cell {
    /// Heading, for narrow pages where a row becomes a card.
    pub label: &'static str,
    /// Mean over seeds; a dash where undefined.
    pub mean: String,
    /// `low to high`; absent for fewer than 3 seeds.
    pub interval: Option<String>,
    /// How many seeds have no value, where some have.
    pub missing: Option<String>,
    /// What the table is sorted by; absent where undefined.
    pub value: Option<f64>,
}

impl Cell {
    pub(crate) fn new(label: &'static str, unit: Unit, scores: &SeedScores) -> Self {
        let missing = (scores.missing() > 0 && !scores.is_empty()).then(|| {
            format!("undefined for {} of {} seeds", scores.missing(), scores.missing() + scores.len())
        });
        Self { missing, ..Self::of(label, unit, scores.mean(), scores.interval(LEVEL)) }
    }

    /// Any number with its interval.
    pub(crate) fn of(
        label: &'static str,
        unit: Unit,
        value: Option<f64>,
        interval: Option<Interval>,
    ) -> Self {
        let write = |v| unit.write(Some(v));
        let interval = interval.map(|i| format!("{} to {}", write(i.low), write(i.high)));
        Self { interval, ..Self::plain(label, unit.write(value), value) }
    }

    /// A number that has been written already.
    pub(crate) fn plain(label: &'static str, text: String, value: Option<f64>) -> Self {
        let value = value.filter(|v| v.is_finite()).map(|v| significant(v, 6));
        Self { label, mean: text, interval: None, missing: None, value }
    }
}

/// A point of an effect chart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Point {
    pub mean: Option<f64>,
    /// `[low, high]`; absent for fewer than 3 seeds.
    pub interval: Option<[f64; 2]>,
    /// Every seed's value, ascending.
    pub seeds: Vec<f64>,
}

impl Point {
    pub(crate) fn new(scores: &SeedScores) -> Self {
        Self {
            mean: scores.mean().map(|v| rounded(v, 6)),
            interval: scores.interval(LEVEL).map(|i| [rounded(i.low, 6), rounded(i.high, 6)]),
            seeds: scores.sorted().iter().map(|v| rounded(*v, 6)).collect(),
        }
    }
}
