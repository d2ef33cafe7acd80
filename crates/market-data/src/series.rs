//! [`BarSeries`]: validated bars of one asset on Arrow columns, and [`History`], its view up to a bar.

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Float64Array, ListArray, ListBuilder, RecordBatch, StringArray,
    StringBuilder,
};
use arrow::datatypes::{DataType, Field, Schema};
use chrono::{Datelike, NaiveDate};
use plugin::BuildError;
use sha2::{Digest, Sha256};

use crate::{Periods, SeriesError, UNIX_EPOCH_FROM_CE};

/// Share of a price by which open and close may lie outside of low and high: vendors round adjusted prices.
const RANGE_TOLERANCE: f64 = 1e-4;

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

/// Columns of equal length, one entry per bar: what a source hands over for validation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Columns {
    /// Dates of the closes, strictly ascending.
    pub date: Vec<NaiveDate>,
    /// Opening prices, > 0.
    pub open: Vec<Option<f64>>,
    /// Highest prices, at least `low`, `open` and `close`.
    pub high: Vec<Option<f64>>,
    /// Lowest prices, > 0.
    pub low: Vec<Option<f64>>,
    /// Closing prices, > 0.
    pub close: Vec<f64>,
    /// Traded volumes, >= 0.
    pub volume: Vec<Option<f64>>,
    /// Texts known at each close, in the source's order.
    pub news: Vec<Vec<String>>,
}

impl Columns {
    /// Columns of dates and closes only.
    pub fn of_closes(date: Vec<NaiveDate>, close: Vec<f64>) -> Self {
        let n = date.len();
        let none = vec![None; n];
        Self {
            date,
            open: none.clone(),
            high: none.clone(),
            low: none.clone(),
            close,
            volume: none,
            news: vec![Vec::new(); n],
        }
    }
}

/// Validated daily bars of one asset with the news known at each close. Cheap to clone.
///
/// Dates ascend strictly; prices are finite and > 0; `low <= open, close <= high` where they are present; there
/// are at least two bars.
#[derive(Debug, Clone)]
pub struct BarSeries {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    symbol: String,
    periods_per_year: f64,
    batch: RecordBatch,
    // Typed handles to the columns of `batch` that an environment step reads.
    dates: Vec<NaiveDate>,
    open: Float64Array,
    close: Float64Array,
    news: ListArray,
    texts: StringArray,
    fingerprint: OnceLock<String>,
}

impl BarSeries {
    /// Validates columns. Without `periods_per_year`: what follows from the dates ([`Periods::of`]).
    ///
    /// # Errors
    /// The first bar, in order, that breaks a rule of the type.
    pub fn from_columns(
        symbol: &str,
        periods_per_year: Option<f64>,
        columns: Columns,
    ) -> Result<Self, SeriesError> {
        validate(&columns)?;
        let periods_per_year = periods_per_year.unwrap_or_else(|| Periods::of(&columns.date).per_year);
        if !(periods_per_year.is_finite() && periods_per_year > 0.0) {
            return Err(SeriesError::PeriodsPerYear { value: periods_per_year });
        }

        let days = columns.date.iter().map(|d| d.num_days_from_ce() - UNIX_EPOCH_FROM_CE);
        let mut news = ListBuilder::new(StringBuilder::new());
        for texts in &columns.news {
            texts.iter().for_each(|text| news.values().append_value(text));
            news.append(true);
        }
        let news = news.finish();
        let open = Float64Array::from(columns.open);
        let close = Float64Array::from(columns.close);
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(Date32Array::from_iter_values(days)),
            Arc::new(open.clone()),
            Arc::new(Float64Array::from(columns.high)),
            Arc::new(Float64Array::from(columns.low)),
            Arc::new(close.clone()),
            Arc::new(Float64Array::from(columns.volume)),
            Arc::new(news.clone()),
        ];
        let batch = RecordBatch::try_new(schema(), arrays)
            .expect("invariant: columns have the schema's types and one length");
        Ok(Self {
            inner: Arc::new(Inner {
                symbol: symbol.to_owned(),
                periods_per_year,
                batch,
                dates: columns.date,
                open,
                close,
                texts: news.values().as_string::<i32>().clone(),
                news,
                fingerprint: OnceLock::new(),
            }),
        })
    }

    /// Number of bars.
    pub fn len(&self) -> usize {
        self.inner.dates.len()
    }

    /// Never true: a validated series has at least two bars.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Name of the asset, for example `MSFT`.
    pub fn symbol(&self) -> &str {
        &self.inner.symbol
    }

    /// Periods per year: as the data set's metadata or the experiment says, else by [`Periods::of`].
    pub fn periods_per_year(&self) -> f64 {
        self.inner.periods_per_year
    }

    /// Periods per year with what they were derived from.
    pub fn periods(&self) -> Periods {
        Periods::given(self.periods_per_year(), self.dates())
    }

    /// The columns `date`, `open`, `high`, `low`, `close`, `volume`, `news`; one row per bar.
    pub fn batch(&self) -> &RecordBatch {
        &self.inner.batch
    }

    /// Bar `i`.
    ///
    /// # Panics
    /// When `i` is not below [`Self::len`]; so do the other methods that take an index.
    #[inline]
    pub fn bar(&self, i: usize) -> Bar {
        Bar { date: self.inner.dates[i], open: self.open(i), close: self.inner.close.values()[i] }
    }

    /// Closing prices, one per bar, all > 0.
    #[inline]
    pub fn closes(&self) -> &[f64] {
        self.inner.close.values()
    }

    /// Opening price of bar `i`, where there is one.
    #[inline]
    pub fn open(&self, i: usize) -> Option<f64> {
        self.inner.open.is_valid(i).then(|| self.inner.open.value(i))
    }

    /// Date of bar `i`.
    #[inline]
    pub fn date(&self, i: usize) -> NaiveDate {
        self.inner.dates[i]
    }

    /// Dates, one per bar, strictly ascending.
    pub fn dates(&self) -> &[NaiveDate] {
        &self.inner.dates
    }

    /// News known at the close of bar `i`, in the source's order.
    pub fn news(&self, i: usize) -> impl Iterator<Item = &str> {
        let offsets = self.inner.news.value_offsets();
        (offsets[i] as usize..offsets[i + 1] as usize).map(|k| self.inner.texts.value(k))
    }

    /// Number of news texts over all bars.
    pub fn news_count(&self) -> usize {
        self.inner.texts.len()
    }

    /// Indices of the bars with `from <= date <= to`.
    pub fn between(&self, from: NaiveDate, to: NaiveDate) -> Range<usize> {
        let start = self.inner.dates.partition_point(|d| *d < from);
        let end = self.inner.dates.partition_point(|d| *d <= to);
        start..end.max(start)
    }

    /// A copy of the bars in `range` that holds no other bar, not even in a shared buffer. Symbol and periods per
    /// year stay.
    ///
    /// # Errors
    /// When `range` has fewer than two bars.
    ///
    /// # Panics
    /// When `range` reaches beyond the series.
    pub fn slice(&self, range: Range<usize>) -> Result<Self, SeriesError> {
        Self::from_columns(self.symbol(), Some(self.periods_per_year()), self.columns(range))
    }

    /// A copy of the bars in `range` as plain columns.
    ///
    /// # Panics
    /// When `range` reaches beyond the series.
    pub fn columns(&self, range: Range<usize>) -> Columns {
        let optional = |name: &str| -> Vec<Option<f64>> {
            let column = self.float_column(name);
            range.clone().map(|i| column.is_valid(i).then(|| column.value(i))).collect()
        };
        Columns {
            date: self.inner.dates[range.clone()].to_vec(),
            open: optional("open"),
            high: optional("high"),
            low: optional("low"),
            close: self.closes()[range.clone()].to_vec(),
            volume: optional("volume"),
            news: range.clone().map(|i| self.news(i).map(str::to_owned).collect()).collect(),
        }
    }

    /// The same bars under another name and, where given, with other periods per year.
    pub(crate) fn renamed(&self, symbol: &str, periods_per_year: Option<f64>) -> Result<Self, BuildError> {
        let periods_per_year = periods_per_year.unwrap_or(self.periods_per_year());
        if symbol == self.symbol() && periods_per_year == self.periods_per_year() {
            return Ok(self.clone());
        }
        let columns = self.columns(0..self.len());
        Self::from_columns(symbol, Some(periods_per_year), columns)
            .map_err(|e| BuildError::Invalid(format!("{symbol}: {e}")))
    }

    /// sha256 (hex) over symbol, periods per year and all columns: the content, not the path or format it came
    /// from. Computed once.
    pub fn fingerprint(&self) -> String {
        self.inner.fingerprint.get_or_init(|| self.digest()).clone()
    }

    /// What was known at the close of bar `t`: bars `0..=t`.
    ///
    /// # Panics
    /// When `t` is not below [`Self::len`].
    #[inline]
    pub fn until(&self, t: usize) -> History<'_> {
        assert!(t < self.len(), "bar {t} of a series of {} bars", self.len());
        History { series: self, t }
    }

    fn float_column(&self, name: &str) -> &Float64Array {
        self.inner.batch.column_by_name(name).expect("invariant: column of the schema").as_primitive()
    }

    /// Every variable-length part is preceded by its length, so that no two contents give the same bytes.
    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let text = |hash: &mut Sha256, s: &str| {
            hash.update((s.len() as u64).to_le_bytes());
            hash.update(s);
        };
        text(&mut hash, "flaglab bar series 1");
        text(&mut hash, self.symbol());
        hash.update(self.periods_per_year().to_le_bytes());
        hash.update((self.len() as u64).to_le_bytes());
        for date in self.dates() {
            hash.update(date.num_days_from_ce().to_le_bytes());
        }
        for name in ["open", "high", "low", "close", "volume"] {
            for value in self.float_column(name) {
                match value {
                    Some(value) => {
                        hash.update([1]);
                        hash.update(value.to_le_bytes());
                    }
                    None => hash.update([0]),
                }
            }
        }
        for i in 0..self.len() {
            hash.update((self.news(i).count() as u64).to_le_bytes());
            self.news(i).for_each(|s| text(&mut hash, s));
        }
        crate::hex(&hash.finalize())
    }
}

/// Arrow schema of a series; the field metadata `unit` says what the numbers mean.
pub(crate) fn schema() -> Arc<Schema> {
    let field = |name: &str, kind: DataType, nullable: bool, unit: &str| {
        Field::new(name, kind, nullable).with_metadata([("unit".to_owned(), unit.to_owned())])
    };
    let texts = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    Arc::new(Schema::new(vec![
        field("date", DataType::Date32, false, "day of the close"),
        field("open", DataType::Float64, true, "price"),
        field("high", DataType::Float64, true, "price"),
        field("low", DataType::Float64, true, "price"),
        field("close", DataType::Float64, false, "price"),
        field("volume", DataType::Float64, true, "units traded"),
        field("news", texts, false, "texts known at the close"),
    ]))
}

fn validate(c: &Columns) -> Result<(), SeriesError> {
    let expected = c.date.len();
    let lengths = [
        ("open", c.open.len()),
        ("high", c.high.len()),
        ("low", c.low.len()),
        ("close", c.close.len()),
        ("volume", c.volume.len()),
        ("news", c.news.len()),
    ];
    if let Some(&(column, found)) = lengths.iter().find(|(_, found)| *found != expected) {
        return Err(SeriesError::Length { column, found, expected });
    }
    for bar in 0..expected {
        validate_bar(c, bar)?;
    }
    if expected < 2 {
        return Err(SeriesError::TooFewBars { found: expected });
    }
    Ok(())
}

fn validate_bar(c: &Columns, bar: usize) -> Result<(), SeriesError> {
    let date = c.date[bar];
    if bar > 0 {
        let previous = c.date[bar - 1];
        if date == previous {
            return Err(SeriesError::DuplicateDate { bar, date });
        }
        if date < previous {
            return Err(SeriesError::UnsortedDate { bar, date, previous });
        }
    }
    let prices =
        [("open", c.open[bar]), ("high", c.high[bar]), ("low", c.low[bar]), ("close", Some(c.close[bar]))];
    for (column, value) in prices {
        if let Some(value) = value.filter(|v| !(v.is_finite() && *v > 0.0)) {
            return Err(SeriesError::Value { bar, date, column, value, expected: "a finite price > 0" });
        }
    }
    if let Some(value) = c.volume[bar].filter(|v| !(v.is_finite() && *v >= 0.0)) {
        return Err(SeriesError::Value {
            bar,
            date,
            column: "volume",
            value,
            expected: "a finite number >= 0",
        });
    }
    let low = c.low[bar].unwrap_or(0.0);
    let high = c.high[bar].unwrap_or(f64::INFINITY);
    if high < low {
        return Err(SeriesError::Range { bar, date, column: "high", value: high, low, high });
    }
    for (column, value) in [("open", c.open[bar]), ("close", Some(c.close[bar]))] {
        let outside = |v: &f64| *v < low * (1.0 - RANGE_TOLERANCE) || *v > high * (1.0 + RANGE_TOLERANCE);
        if let Some(value) = value.filter(outside) {
            return Err(SeriesError::Range { bar, date, column, value, low, high });
        }
    }
    Ok(())
}

/// What was known at the close of one bar: no method reaches a later one.
#[derive(Debug, Clone, Copy)]
pub struct History<'a> {
    series: &'a BarSeries,
    t: usize,
}

impl<'a> History<'a> {
    /// Index of the last known bar in its series.
    pub fn t(&self) -> usize {
        self.t
    }

    /// Number of known bars, `t + 1`.
    pub fn len(&self) -> usize {
        self.t + 1
    }

    /// Never true: at least one bar is known.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Name of the asset.
    pub fn symbol(&self) -> &'a str {
        self.series.symbol()
    }

    /// Periods per year.
    pub fn periods_per_year(&self) -> f64 {
        self.series.periods_per_year()
    }

    /// The last known bar.
    #[inline]
    pub fn bar(&self) -> Bar {
        self.series.bar(self.t)
    }

    /// The last known bar's date.
    pub fn date(&self) -> NaiveDate {
        self.series.date(self.t)
    }

    /// Closes of the last `n` bars, oldest first (fewer at the start of the data).
    pub fn closes(&self, n: usize) -> &'a [f64] {
        &self.series.closes()[self.from(n)..=self.t]
    }

    /// Dates of the last `n` bars, oldest first (fewer at the start of the data).
    pub fn dates(&self, n: usize) -> &'a [NaiveDate] {
        &self.series.dates()[self.from(n)..=self.t]
    }

    /// News known at the last bar.
    pub fn news(&self) -> impl Iterator<Item = &'a str> + 'a {
        self.series.news(self.t)
    }

    /// News of the last `n` bars, newest bar first: `(bars ago, text)`.
    pub fn recent_news(&self, n: usize) -> impl Iterator<Item = (usize, &'a str)> + 'a {
        let (series, t) = (self.series, self.t);
        (0..n.min(t + 1)).flat_map(move |ago| series.news(t - ago).map(move |text| (ago, text)))
    }

    /// The bar `n` bars before the last known one (`0`: the last one itself), where there is one.
    pub fn bar_before(&self, n: usize) -> Option<Bar> {
        self.t.checked_sub(n).map(|i| self.series.bar(i))
    }

    fn from(&self, n: usize) -> usize {
        (self.t + 1).saturating_sub(n)
    }
}
