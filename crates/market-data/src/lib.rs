//! Market data: files in, validated [`BarSeries`] with news per bar out; splits by date; the synthetic generator.
//!
//! Invariant: nobody outside this crate can read a bar later than the one a [`History`] ends at, and a
//! [`Segment`] holds no bar after its own end.

mod error;
mod segment;
mod series;
mod split;

pub use error::SeriesError;
pub use segment::Segment;
pub use series::{Bar, BarSeries, Columns, History};
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

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
