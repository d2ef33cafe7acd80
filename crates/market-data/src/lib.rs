//! Market data: files in, validated [`BarSeries`] with news per bar out; splits by date; the synthetic generator.
//!
//! Invariant: nobody outside this crate can read a bar later than the one a [`History`] ends at, and a
//! [`Segment`] holds no bar after its own end.

pub mod dataset;
mod error;
mod formats;
mod input;
mod prices;
mod segment;
mod series;
mod sources;
mod split;
pub mod synth;

pub use error::SeriesError;
pub use formats::csv::{ColumnNames, Order};
pub use prices::load_prices;
pub use segment::Segment;
pub use series::{Bar, BarSeries, Columns, History};
pub use sources::{
    CsvFile, CsvParams, InvestorBench, InvestorBenchParams, ParquetFile, ParquetParams, SOURCES,
    SyntheticNews, SyntheticNewsParams,
};
pub use split::{DateRange, SplitSpec, Splits};

use plugin::{BuildError, Files, Kind};

/// Plugins that load a [`BarSeries`]: the `data` section.
pub enum SourceKind {}

impl Kind for SourceKind {
    const SECTION: &'static str = "data";
    type Context<'a> = &'a Files;
    type Output = Box<dyn DataSource>;
}

/// Something that loads one asset's bars and news.
pub trait DataSource: Send + Sync {
    /// Reads and validates. An error names file, line or date, what was found and what is accepted.
    fn load(&self) -> Result<BarSeries, BuildError>;
}

/// Days from 0001-01-01 (day 1) to 1970-01-01, the day 0 of Arrow's `Date32`.
const UNIX_EPOCH_FROM_CE: i32 = 719_163;

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
