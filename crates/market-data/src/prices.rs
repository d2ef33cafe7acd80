//! Prices for the scoring of decisions, from whatever file a user has.

#[cfg(test)]
mod tests;

use std::path::Path;

use plugin::{BuildError, did_you_mean_path};

use crate::formats::csv::{ColumnNames, CsvFormat, Order};
use crate::formats::{csv, investor_bench, parquet};
use crate::input::{self, invalid, invalid_line, symbol_of};
use crate::{BarSeries, dataset};

/// Loads the prices at `path`: an InvestorBench JSON file, a CSV file with the columns `date`, `close` and, where
/// it has them, `open`, `high`, `low`, `volume`; a Parquet file with these columns; or the folder of a canonical
/// data set. The content decides, not the name. CSV rows ascend.
///
/// Scores use opens and closes. Highs and lows of a CSV file are checked as prices with `high >= low` and then left
/// out, so that a vendor's adjusted closes beside unadjusted ranges can be scored.
///
/// # Errors
/// Names file, line (CSV, syntax of JSON), row (Parquet) or date (JSON), what was found and what is accepted.
pub fn load_prices(path: &Path) -> Result<BarSeries, BuildError> {
    if path.is_dir() {
        return dataset::load(path);
    }
    let symbol = symbol_of(path);
    let bytes = input::read_bytes(path)?;
    if bytes.starts_with(b"PAR1") {
        return parquet::read(path, &symbol, None, &ColumnNames::default());
    }
    let text = input::decode(path, bytes)?;
    let json = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
    if json || text.trim_start().starts_with(['{', '[']) {
        return investor_bench::parse(path, &text, &symbol, None);
    }
    let columns = ColumnNames { news: String::new(), ..ColumnNames::default() };
    let format = CsvFormat { columns: &columns, date_format: "", order: Order::Ascending };
    let mut bars = csv::parse(path, &text, &format)?;
    let ranges = bars.columns.high.iter_mut().zip(&mut bars.columns.low);
    for ((high, low), line) in ranges.zip(&bars.lines) {
        if let (Some(high), Some(low)) = (high.take(), low.take())
            && high < low
        {
            let problem = format!("column `high`: found {high}, expected at least `low` ({low})");
            return Err(invalid_line(path, *line, problem));
        }
    }
    bars.into_series(path, &symbol, None)
}

/// What [`load_prices`] needs to find, as an error when it is not there.
pub(crate) fn must_exist(path: &Path, what: &str) -> Result<(), BuildError> {
    if path.exists() {
        return Ok(());
    }
    let near = did_you_mean_path(path, Path::exists);
    Err(invalid(path, format_args!("not found, expected {what}{near}")))
}
