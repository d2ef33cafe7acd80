//! Bars in Parquet files.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Date32Type, Field, Float64Type};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use plugin::BuildError;

use super::csv::ColumnNames;
use crate::input::invalid;
use crate::{BarSeries, Columns};

/// The rows of a Parquet file.
pub(crate) fn read_batch(path: &Path) -> Result<RecordBatch, BuildError> {
    let wrong = |e: &dyn std::fmt::Display| invalid(path, format_args!("cannot be read as Parquet: {e}"));
    if path.is_dir() {
        return Err(invalid(path, "expected a Parquet file, found a folder"));
    }
    let file = File::open(path).map_err(|e| invalid(path, format_args!("cannot be read: {e}")))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| wrong(&e))?;
    let schema = builder.schema().clone();
    let reader = builder.build().map_err(|e| wrong(&e))?;
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|e| wrong(&e))?;
    concat_batches(&schema, &batches).map_err(|e| wrong(&e))
}

/// Writes rows, compressed by zstd, to a file that must not exist.
pub(crate) fn write_batch(path: &Path, batch: &RecordBatch) -> Result<(), BuildError> {
    let wrong = |e: &dyn std::fmt::Display| invalid(path, format_args!("cannot be written: {e}"));
    let level = ZstdLevel::try_new(9).map_err(|e| wrong(&e))?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    let file = File::create_new(path).map_err(|e| wrong(&e))?;
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).map_err(|e| wrong(&e))?;
    writer.write(batch).map_err(|e| wrong(&e))?;
    writer.close().map_err(|e| wrong(&e))?;
    Ok(())
}

/// Reads bars: dates may be dates, timestamps or ISO texts; numbers of any numeric type; news a list of texts or a
/// text. Rows ascend by date. Only `date` and `close` may not be null.
pub(crate) fn read(
    path: &Path,
    symbol: &str,
    periods_per_year: Option<f64>,
    names: &ColumnNames,
) -> Result<BarSeries, BuildError> {
    let batch = read_batch(path)?;
    let defaults = ColumnNames::default();
    let texts = DataType::List(Field::new_list_field(DataType::Utf8, true).into());
    let date = column(path, &batch, &names.date, "", &DataType::Date32)?;
    let close = column(path, &batch, &names.close, "", &DataType::Float64)?;
    let (Some(date), Some(close)) = (date, close) else {
        return Err(invalid(
            path,
            "expected the columns `date` and `close`, found an empty name for one of them",
        ));
    };
    for (column, name) in [(&date, &names.date), (&close, &names.close)] {
        if let Some(row) = (0..column.len()).find(|i| column.is_null(*i)) {
            return Err(invalid_row(path, row, &format!("column `{name}`: found null, expected a value")));
        }
    }
    let optional = |name: &str, default: &str| -> Result<Vec<Option<f64>>, BuildError> {
        Ok(match column(path, &batch, name, default, &DataType::Float64)? {
            Some(values) => values.as_primitive::<Float64Type>().iter().collect(),
            None => vec![None; batch.num_rows()],
        })
    };
    let news = column(path, &batch, &names.news, &defaults.news, &texts)?;
    let columns = Columns {
        open: optional(&names.open, &defaults.open)?,
        high: optional(&names.high, &defaults.high)?,
        low: optional(&names.low, &defaults.low)?,
        volume: optional(&names.volume, &defaults.volume)?,
        close: close.as_primitive::<Float64Type>().values().to_vec(),
        news: (0..batch.num_rows())
            .map(|row| news.as_ref().map_or_else(Vec::new, |n| texts_of(n, row)))
            .collect(),
        date: date
            .as_primitive::<Date32Type>()
            .values()
            .iter()
            .enumerate()
            .map(|(row, days)| {
                Date32Type::to_naive_date_opt(*days).ok_or_else(|| {
                    invalid_row(path, row, &format!("column `{}`: found day {days}", names.date))
                })
            })
            .collect::<Result<_, _>>()?,
    };
    BarSeries::from_columns(symbol, periods_per_year, columns).map_err(|e| match e.bar() {
        Some(row) => invalid_row(path, row, &e.to_string()),
        None => invalid(path, e),
    })
}

/// The column of that name as `kind`; a missing column of the default name is `None`.
fn column(
    path: &Path,
    batch: &RecordBatch,
    name: &str,
    default: &str,
    kind: &DataType,
) -> Result<Option<ArrayRef>, BuildError> {
    if name.is_empty() {
        return Ok(None);
    }
    let Some(found) = batch.column_by_name(name) else {
        if name == default {
            return Ok(None);
        }
        let schema = batch.schema();
        let known: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        let problem = format!("found the columns {}, expected a column `{name}`", known.join(", "));
        return Err(invalid(path, problem));
    };
    let values = cast(found, kind).map_err(|_| {
        let problem = format!("column `{name}`: found type {}, expected {kind}", found.data_type());
        invalid(path, problem)
    })?;
    match (0..found.len()).find(|i| values.is_null(*i) && !found.is_null(*i)) {
        Some(row) => {
            Err(invalid_row(path, row, &format!("column `{name}`: found a value that is no {kind}")))
        }
        None => Ok(Some(values)),
    }
}

fn texts_of(news: &ArrayRef, row: usize) -> Vec<String> {
    if news.is_null(row) {
        return Vec::new();
    }
    let texts = news.as_list::<i32>().value(row);
    texts.as_string::<i32>().iter().flatten().map(str::to_owned).collect()
}

/// `FILE: row N: problem`, from 1.
fn invalid_row(path: &Path, row: usize, problem: &str) -> BuildError {
    invalid(path, format_args!("row {}: {problem}", row + 1))
}
