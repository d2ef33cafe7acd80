//! The plugins of the `data` section.

mod csv;
mod investor_bench;
mod parquet;
mod synthetic_news;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use plugin::{Files, ParamError, Plugin};
use serde_json::Value;

use crate::SourceKind;

pub use csv::{CsvFile, CsvParams};
pub use investor_bench::{InvestorBench, InvestorBenchParams, investor_bench_file};
pub use parquet::{ParquetFile, ParquetParams};
pub use synthetic_news::{SyntheticNews, SyntheticNewsParams};

/// All sources, in the order in which listings show them.
pub const SOURCES: &[&dyn Plugin<SourceKind>] = &[&SyntheticNews, &InvestorBench, &CsvFile, &ParquetFile];

/// Where a stated path is: a relative one starts from the workspace and, where nothing is there, from the folder of
/// real data.
fn locate(path: &str, files: &Files) -> PathBuf {
    let path = Path::new(path);
    let first = files.resolve(path);
    match &files.data {
        Some(data) if !first.exists() && data.join(path).exists() => data.join(path),
        _ => first,
    }
}

/// An error when the text `key` is empty.
fn need_text(params: &Value, key: &str, expected: &str) -> Option<ParamError> {
    let empty = params.get(key).and_then(Value::as_str).is_some_and(|s| s.trim().is_empty());
    empty.then(|| ParamError { key: key.to_owned(), found: "\"\"".to_owned(), expected: expected.to_owned() })
}

/// An error when `periods_per_year` is given and no positive number.
fn need_periods(params: &Value) -> Option<ParamError> {
    let periods = params.get("periods_per_year").and_then(Value::as_f64)?;
    let bad = !(periods.is_finite() && periods > 0.0);
    bad.then(|| ParamError {
        key: "periods_per_year".to_owned(),
        found: periods.to_string(),
        expected: "a number > 0".to_owned(),
    })
}

/// The errors there are, as a check's result.
fn all_or(errors: impl IntoIterator<Item = ParamError>) -> Result<(), Vec<ParamError>> {
    let errors: Vec<ParamError> = errors.into_iter().collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}
