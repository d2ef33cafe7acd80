//! The seam types: [`BarSeries`] on Arrow columns, [`History`] up to a bar, [`Segment`] of a split.

use std::sync::Arc;

use chrono::NaiveDate;

/// One bar as plain numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// Date of the bar's close.
    pub date: NaiveDate,
    /// Opening price, where the source has one.
    pub open: Option<f64>,
    /// Closing price, > 0.
    pub close: f64,
}

/// Validated daily bars of one asset with the news known at each close. Cheap to clone (Arrow columns inside).
#[derive(Debug, Clone)]
pub struct BarSeries {
    // Arrow RecordBatch: date Date32, open/high/low Float64 (nullable), close Float64, volume Float64 (nullable),
    // news List<Utf8>; plus symbol and periods per year.
}

#[allow(unused_variables)]
impl BarSeries {
    /// Number of bars.
    pub fn len(&self) -> usize { todo!() }
    /// Whether there is no bar (a validated series has at least two).
    pub fn is_empty(&self) -> bool { todo!() }
    /// Name of the asset, for example `MSFT`.
    pub fn symbol(&self) -> &str { todo!() }
    /// Periods per year: 252, 365, or as the data set's metadata says.
    pub fn periods_per_year(&self) -> f64 { todo!() }
    /// Bar `i`.
    pub fn bar(&self, i: usize) -> Bar { todo!() }
    /// Closing prices, one per bar, all > 0.
    pub fn closes(&self) -> &[f64] { todo!() }
    /// Opening price of bar `i`, where there is one.
    pub fn open(&self, i: usize) -> Option<f64> { todo!() }
    /// Date of bar `i`.
    pub fn date(&self, i: usize) -> NaiveDate { todo!() }
    /// News known at the close of bar `i`, in the source's order.
    pub fn news(&self, i: usize) -> impl Iterator<Item = &str> { std::iter::empty() }
    /// sha256 (hex) over symbol, periods per year and all columns: the content, not the path or format it came from.
    pub fn fingerprint(&self) -> String { todo!() }
    /// What was known at the close of bar `t`: bars `0..=t`.
    pub fn until(&self, t: usize) -> History<'_> { todo!() }
}

/// What was known at the close of one bar: no method reaches a later one.
#[derive(Debug, Clone, Copy)]
pub struct History<'a> {
    series: &'a BarSeries,
    t: usize,
}

#[allow(unused_variables)]
impl<'a> History<'a> {
    /// Index of the last known bar in its series.
    pub fn t(&self) -> usize { self.t }
    /// Name of the asset.
    pub fn symbol(&self) -> &'a str { self.series.symbol() }
    /// The last known bar.
    pub fn bar(&self) -> Bar { self.series.bar(self.t) }
    /// The last known bar's date.
    pub fn date(&self) -> NaiveDate { self.series.date(self.t) }
    /// Closes of the last `n` bars, oldest first (fewer at the start of the data).
    pub fn closes(&self, n: usize) -> &'a [f64] { todo!() }
    /// News known at the last bar.
    pub fn news(&self) -> impl Iterator<Item = &'a str> + 'a { self.series.news(self.t) }
    /// News of the last `n` bars, newest bar first: `(bars ago, text)`.
    pub fn recent_news(&self, n: usize) -> impl Iterator<Item = (usize, &'a str)> + 'a { std::iter::empty() }
    /// Digest of everything in this history that a prompt may show besides the account: equal digests, equal text.
    pub fn bar_before(&self, n: usize) -> Option<Bar> { todo!() }
}

/// One part of a split: its bars and the look-back before them, and nothing after its end.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Bars up to the segment's last one; bars before `first` are look-back only.
    pub series: Arc<BarSeries>,
    /// Index of the first bar at which a decision may be taken.
    pub first: usize,
}

impl Segment {
    /// Bars of the segment itself, `N`; decisions are possible at all but the last.
    pub fn n_bars(&self) -> usize { self.series.len() - self.first }
}
