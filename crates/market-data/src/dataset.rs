//! Canonical data sets: a folder with `bars.parquet` and `metadata.json`.
//!
//! A synthetic one also has `signal.parquet`, which no source reads: what the headlines of each bar say about the
//! return that they are about.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Date32Array, Int8Array, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Field, Int8Type, Schema};
use chrono::{Datelike, NaiveDate};
use plugin::{BuildError, did_you_mean_path};
use serde::{Deserialize, Serialize};

use crate::formats::csv::{ColumnNames, CsvFormat, Order};
use crate::formats::{csv, investor_bench, parquet};
use crate::input::{self, invalid, symbol_of};
use crate::prices::must_exist;
use crate::synth::{self, SynthParams};
use crate::{BarSeries, Periods, UNIX_EPOCH_FROM_CE};

const BARS: &str = "bars.parquet";
const METADATA: &str = "metadata.json";
const SIGNAL: &str = "signal.parquet";

const TIMESTAMP: &str = "date of the bar's close; the news of a bar were known at its close";

/// `metadata.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Name of the data set, its folder's.
    pub name: String,
    /// Name of the asset.
    pub symbol: String,
    /// Where the data come from.
    pub source: String,
    /// Under which terms they may be used.
    pub licence: String,
    /// [`BarSeries::fingerprint`] of the content.
    pub sha256: String,
    /// What a price is: currency, adjusted or not.
    pub price_meaning: String,
    /// What the date of a bar stands for.
    pub bar_timestamp: String,
    /// Periods per year.
    pub periods_per_year: f64,
    /// Date of the first bar.
    pub first_date: NaiveDate,
    /// Date of the last bar.
    pub last_date: NaiveDate,
    /// Number of bars.
    pub bars: usize,
    /// Number of news texts.
    pub news: usize,
    /// Parameters of the generator, for synthetic data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator: Option<SynthParams>,
}

/// What the file that is imported does not say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImportOptions {
    /// Name of the asset; empty: the file's name in capitals.
    pub symbol: String,
    /// Where the data come from.
    pub source: String,
    /// Under which terms they may be used.
    pub licence: String,
    /// What a price is: currency, adjusted or not.
    pub price_meaning: String,
    /// Periods per year; absent: what follows from the dates.
    pub periods_per_year: Option<f64>,
    /// Columns of a CSV or Parquet file.
    pub columns: ColumnNames,
    /// `strftime` format of a CSV file's dates; empty: ISO.
    pub date_format: String,
    /// Order of a CSV file's rows.
    pub order: Option<Order>,
}

/// What [`check`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The data set's metadata, as they stand.
    pub metadata: Metadata,
    /// Its periods per year, with what its dates say of them.
    pub periods: Periods,
    /// One sentence per problem; none: the data set is sound.
    pub problems: Vec<String>,
}

/// A folder that [`list`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The folder.
    pub dir: PathBuf,
    /// Its metadata, or why they cannot be read.
    pub metadata: Result<Metadata, BuildError>,
}

/// Reads `metadata.json` of the data set in `dir`.
///
/// # Errors
/// When the file is not there or does not have the fields of [`Metadata`].
pub fn metadata(dir: &Path) -> Result<Metadata, BuildError> {
    let path = dir.join(METADATA);
    must_exist(
        &path,
        "the metadata of a canonical data set (`dataset import` and `dataset synth` make one)",
    )?;
    let text = input::read_text(&path)?;
    serde_json::from_str(&text).map_err(|e| invalid(&path, format_args!("line {}: {e}", e.line())))
}

/// Loads the data set in `dir` and compares it with its metadata.
///
/// # Errors
/// When a file is missing or wrong, or the content is not the one that the metadata name.
pub fn load(dir: &Path) -> Result<BarSeries, BuildError> {
    let metadata = metadata(dir)?;
    let series = bars(dir, &metadata)?;
    let found = series.fingerprint();
    if found != metadata.sha256 {
        let expected = &metadata.sha256;
        let problem = format!("found content with sha256 {found}, expected {expected} as in {METADATA}");
        return Err(invalid(&dir.join(BARS), problem));
    }
    Ok(series)
}

fn bars(dir: &Path, metadata: &Metadata) -> Result<BarSeries, BuildError> {
    let path = dir.join(BARS);
    must_exist(&path, "the bars of a canonical data set")?;
    parquet::read(&path, &metadata.symbol, Some(metadata.periods_per_year), &ColumnNames::default())
}

/// What the headlines of each bar of a synthetic data set say: 1 up, -1 down.
///
/// # Errors
/// When the data set has no signal, or the file is wrong.
pub fn signal(dir: &Path) -> Result<Vec<(NaiveDate, i8)>, BuildError> {
    let path = dir.join(SIGNAL);
    must_exist(&path, "the signal of a synthetic data set")?;
    let batch = parquet::read_batch(&path)?;
    let dates = batch.column_by_name("date").and_then(|c| c.as_primitive_opt::<Date32Type>());
    let signs = batch.column_by_name("signal").and_then(|c| c.as_primitive_opt::<Int8Type>());
    let (Some(dates), Some(signs)) = (dates, signs) else {
        return Err(invalid(&path, "expected the columns `date` (Date32) and `signal` (Int8)"));
    };
    let rows = dates.values().iter().zip(signs.values());
    rows.map(|(days, sign)| Some((Date32Type::to_naive_date_opt(*days)?, *sign)))
        .collect::<Option<_>>()
        .ok_or_else(|| invalid(&path, "found a date out of range"))
}

/// Generates a synthetic market into the new folder `dir`.
///
/// # Errors
/// When `dir` exists, cannot be written, or the parameters are out of range.
pub fn synth(params: &SynthParams, dir: &Path) -> Result<Metadata, BuildError> {
    let market = synth::generate(params)?;
    let describe = Describe {
        source: "generated by `dataset synth`".to_owned(),
        licence: "MIT OR Apache-2.0".to_owned(),
        price_meaning: "currency units per share, two decimals; no dividends or splits".to_owned(),
        generator: Some(*params),
    };
    write(dir, &market.series, describe, Some(&market.signal))
}

/// Turns a CSV, InvestorBench JSON or Parquet file into a canonical data set in the new folder `dir`.
///
/// # Errors
/// When `dir` exists or cannot be written, or the file is wrong (named with line, row or date).
pub fn import(file: &Path, options: &ImportOptions, dir: &Path) -> Result<Metadata, BuildError> {
    must_be_new(dir)?;
    let symbol = if options.symbol.is_empty() { symbol_of(file) } else { options.symbol.clone() };
    let periods = options.periods_per_year;
    let bytes = input::read_bytes(file)?;
    let series = if bytes.starts_with(b"PAR1") {
        parquet::read(file, &symbol, periods, &options.columns)?
    } else {
        let text = input::decode(file, bytes)?;
        if text.trim_start().starts_with(['{', '[']) {
            investor_bench::parse(file, &text, &symbol, periods)?
        } else {
            let format = CsvFormat {
                columns: &options.columns,
                date_format: &options.date_format,
                order: options.order.unwrap_or(Order::Auto),
            };
            csv::parse(file, &text, &format)?.into_series(file, &symbol, periods)?
        }
    };
    let describe = Describe {
        source: options.source.clone(),
        licence: options.licence.clone(),
        price_meaning: options.price_meaning.clone(),
        generator: None,
    };
    write(dir, &series, describe, None)
}

/// Checks the data set in `dir`: content and metadata agree; a synthetic one is what its parameters generate.
///
/// # Errors
/// When the metadata or the bars cannot be read at all.
pub fn check(dir: &Path) -> Result<Report, BuildError> {
    let metadata = metadata(dir)?;
    let series = bars(dir, &metadata)?;
    let mut problems = Vec::new();
    let mut compare = |what: &str, stated: String, found: String| {
        if stated != found {
            problems.push(format!("`{what}`: {METADATA} says {stated}, found {found}"));
        }
    };
    let folder =
        dir.canonicalize().ok().and_then(|d| d.file_name().map(|n| n.to_string_lossy().into_owned()));
    if let Some(folder) = folder {
        compare("name", metadata.name.clone(), folder);
    }
    compare("sha256", metadata.sha256.clone(), series.fingerprint());
    compare("bars", metadata.bars.to_string(), series.len().to_string());
    compare("news", metadata.news.to_string(), series.news_count().to_string());
    compare("first_date", metadata.first_date.to_string(), series.date(0).to_string());
    compare("last_date", metadata.last_date.to_string(), series.date(series.len() - 1).to_string());
    let empty = [
        ("source", &metadata.source),
        ("licence", &metadata.licence),
        ("price_meaning", &metadata.price_meaning),
    ];
    for (key, _) in empty.iter().filter(|(_, text)| text.trim().is_empty()) {
        problems.push(format!("`{key}`: {METADATA} has an empty text, expected a statement"));
    }
    if let Some(params) = &metadata.generator {
        let market = synth::generate(params)?;
        if market.series.fingerprint() != series.fingerprint() {
            problems.push(
                "`generator`: its parameters generate other bars or news than the folder holds".to_owned(),
            );
        }
        let expected: Vec<_> = market.series.dates().iter().copied().zip(market.signal).collect();
        if signal(dir)? != expected {
            problems.push(format!("`generator`: its parameters generate another signal than {SIGNAL} holds"));
        }
    }
    Ok(Report { metadata, periods: series.periods(), problems })
}

/// The data sets in the folders directly below `root`, by folder name; a folder without `metadata.json` is none.
///
/// # Errors
/// When `root` cannot be listed.
pub fn list(root: &Path) -> Result<Vec<Listed>, BuildError> {
    let wrong = |e: std::io::Error| {
        let near = if root.exists() { String::new() } else { did_you_mean_path(root, Path::is_dir) };
        invalid(root, format_args!("cannot be listed: {e}{near}"))
    };
    let mut dirs = Vec::new();
    for entry in std::fs::read_dir(root).map_err(wrong)? {
        let dir = entry.map_err(wrong)?.path();
        if dir.join(METADATA).is_file() {
            dirs.push(dir);
        }
    }
    dirs.sort();
    Ok(dirs.into_iter().map(|dir| Listed { metadata: metadata(&dir), dir }).collect())
}

/// What the bars themselves do not say.
struct Describe {
    source: String,
    licence: String,
    price_meaning: String,
    generator: Option<SynthParams>,
}

/// Writes all files into a hidden folder beside `dir` and renames it: a data set is there as a whole or not at all.
fn write(
    dir: &Path,
    series: &BarSeries,
    describe: Describe,
    signal: Option<&[i8]>,
) -> Result<Metadata, BuildError> {
    must_be_new(dir)?;
    let name = dir.file_name().map(|n| n.to_string_lossy().into_owned());
    let name = name.ok_or_else(|| invalid(dir, "expected a path that ends with the data set's name"))?;
    let metadata = Metadata {
        symbol: series.symbol().to_owned(),
        source: describe.source,
        licence: describe.licence,
        sha256: series.fingerprint(),
        price_meaning: describe.price_meaning,
        bar_timestamp: TIMESTAMP.to_owned(),
        periods_per_year: series.periods_per_year(),
        first_date: series.date(0),
        last_date: series.date(series.len() - 1),
        bars: series.len(),
        news: series.news_count(),
        generator: describe.generator,
        name,
    };
    let parent = dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = parent.join(format!(".{}.tmp-{}", metadata.name, std::process::id()));
    let failed = |e: std::io::Error| invalid(dir, format_args!("cannot be written: {e}"));
    std::fs::create_dir_all(parent).map_err(failed)?;
    std::fs::create_dir(&temporary).map_err(failed)?;
    let written = write_files(&temporary, series, &metadata, signal)
        .and_then(|()| must_be_new(dir))
        .and_then(|()| std::fs::rename(&temporary, dir).map_err(failed));
    if let Err(error) = written {
        // The first error is the one to tell.
        let _ = std::fs::remove_dir_all(&temporary);
        return Err(error);
    }
    Ok(metadata)
}

fn write_files(
    dir: &Path,
    series: &BarSeries,
    metadata: &Metadata,
    signal: Option<&[i8]>,
) -> Result<(), BuildError> {
    parquet::write_batch(&dir.join(BARS), series.batch())?;
    if let Some(signal) = signal {
        parquet::write_batch(&dir.join(SIGNAL), &signal_batch(series.dates(), signal))?;
    }
    let path = dir.join(METADATA);
    let text = serde_json::to_string_pretty(metadata).expect("invariant: metadata have only JSON types");
    std::fs::write(&path, text + "\n").map_err(|e| invalid(&path, format_args!("cannot be written: {e}")))
}

fn signal_batch(dates: &[NaiveDate], signal: &[i8]) -> RecordBatch {
    let unit = |name: &str, kind: DataType, unit: &str| {
        Field::new(name, kind, false).with_metadata([("unit".to_owned(), unit.to_owned())])
    };
    let schema = Schema::new(vec![
        unit("date", DataType::Date32, "day of the close"),
        unit("signal", DataType::Int8, "1 up, -1 down"),
    ]);
    let days = dates.iter().map(|d| d.num_days_from_ce() - UNIX_EPOCH_FROM_CE);
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Date32Array::from_iter_values(days)), Arc::new(Int8Array::from(signal.to_vec()))];
    RecordBatch::try_new(Arc::new(schema), columns).expect("invariant: one sign per date")
}

fn must_be_new(dir: &Path) -> Result<(), BuildError> {
    if dir.symlink_metadata().is_ok() {
        return Err(invalid(dir, "exists already, expected a new path: data sets are never overwritten"));
    }
    Ok(())
}
