//! Market data: files in, validated [`BarSeries`] with news per bar out; splits by date; the synthetic generator.
//!
//! Invariant: nobody outside this crate can read a bar later than the one a [`History`] ends at, and a
//! [`Segment`] holds no bar after its own end. The crate never prints and never overwrites a file.
//!
//! ```
//! use market_data::{SplitSpec, synth};
//!
//! let market = synth::generate(&synth::SynthParams { bars: 500, ..Default::default() })?;
//! let split = SplitSpec {
//!     train: Some(["2010-01-01".parse()?, "2010-12-31".parse()?]),
//!     test: Some(["2011-01-01".parse()?, "2011-12-31".parse()?]),
//!     warmup: 20,
//!     ..SplitSpec::default()
//! };
//! let parts = split.apply(&market.series)?;
//! let first_decision = parts.test.series.until(parts.test.first);
//! assert_eq!(first_decision.date().to_string(), "2011-01-03");
//! assert_eq!(first_decision.closes(20).len(), 20);
//! assert!(parts.train.last_date() < parts.test.first_date());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod contract;
pub mod dataset;
mod error;
mod formats;
mod input;
mod periods;
mod prices;
mod segment;
mod series;
mod sources;
mod split;
pub mod synth;

pub use error::SeriesError;
pub use formats::csv::{ColumnNames, Order};
pub use formats::csv_rows::{CsvError, CsvRow, csv_rows};
pub use periods::Periods;
pub use prices::load_prices;
pub use segment::{Segment, Shuffle};
pub use series::{Bar, BarSeries, Columns, History};
pub use sources::{
    CsvFile, CsvParams, InvestorBench, InvestorBenchParams, ParquetFile, ParquetParams, SOURCES,
    SyntheticNews, SyntheticNewsParams, investor_bench_file,
};
pub use split::{DateRange, SplitSpec, Splits, WalkForward};

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
