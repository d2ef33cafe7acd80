//! Bars in Parquet files.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::Path;

use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{
    DataType, Date32Type, Field, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use chrono::{DateTime, NaiveDate};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use plugin::BuildError;

use super::csv::ColumnNames;
use crate::input::{self, invalid, quoted};
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

/// Reads bars: dates may be dates, time stamps (their day in their own zone), ISO texts or whole numbers such as
/// 20240102; numbers of any numeric type; news a list of texts or a text. Rows ascend by date. Only `date` and `close`
/// may not be null.
pub(crate) fn read(
    path: &Path,
    symbol: &str,
    periods_per_year: Option<f64>,
    names: &ColumnNames,
) -> Result<BarSeries, BuildError> {
    let batch = read_batch(path)?;
    let defaults = ColumnNames::default();
    let texts = DataType::List(Field::new_list_field(DataType::Utf8, true).into());
    let date = find(path, &batch, &names.date, "")?;
    let close = column(path, &batch, &names.close, "", &DataType::Float64)?;
    let (Some(date), Some(close)) = (date, close) else {
        return Err(invalid(
            path,
            "expected the columns `date` and `close`, found an empty name for one of them",
        ));
    };
    for (column, name) in [(date, &names.date), (&close, &names.close)] {
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
        date: days(path, &names.date, date)?,
    };
    BarSeries::from_columns(symbol, periods_per_year, columns).map_err(|e| match e.bar() {
        Some(row) => invalid_row(path, row, &e.to_string()),
        None => invalid(path, e),
    })
}

/// What a column of dates may hold.
const DATES: &str = "a date, a time stamp, ISO text (2024-01-02) or a whole number such as 20240102";

/// The dates of a column without nulls.
///
/// # Errors
/// For a value that is none. A whole number is never taken for days since 1970: a cast would make 20240102 a day in the
/// year 57385.
fn days(path: &Path, name: &str, column: &ArrayRef) -> Result<Vec<NaiveDate>, BuildError> {
    let kind = column.data_type();
    let wrong = |row: usize, found: String| {
        invalid_row(path, row, &format!("column `{name}`: found {found}, expected {DATES}"))
    };
    let to = |kind: &DataType| {
        cast(column, kind).map_err(|_| {
            invalid(
                path,
                format_args!("column `{name}`: found type {}, expected {DATES}", column.data_type()),
            )
        })
    };
    let rows = 0..column.len();
    match kind {
        DataType::Date32 | DataType::Date64 => {
            let found = to(&DataType::Date32)?;
            let found = found.as_primitive::<Date32Type>();
            let day = |row| {
                let days = found.value(row);
                Date32Type::to_naive_date_opt(days).ok_or_else(|| wrong(row, format!("day {days}")))
            };
            rows.map(day).collect()
        }
        DataType::Timestamp(_, zone) => {
            let found = to(&DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
            let found = found.as_primitive::<TimestampMicrosecondType>();
            let zone = zone.as_deref().map(|zone| {
                zone.parse::<Tz>().map_err(|_| {
                    invalid(path, format_args!("column `{name}`: found the unknown time zone `{zone}`"))
                })
            });
            let zone = zone.transpose()?;
            let day = |row| {
                let micros = found.value(row);
                let time = DateTime::from_timestamp_micros(micros)
                    .ok_or_else(|| wrong(row, format!("{micros} microseconds since 1970")))?;
                Ok(zone.map_or_else(|| time.date_naive(), |zone| time.with_timezone(&zone).date_naive()))
            };
            rows.map(day).collect()
        }
        kind if kind.is_integer() => {
            let found = to(&DataType::Int64)?;
            let found = found.as_primitive::<Int64Type>();
            let day = |row| {
                let value = found.value(row);
                let digits = (value >= 10_000_101).then(|| value.to_string());
                let day = digits.filter(|d| d.len() == 8);
                let day = day.and_then(|d| NaiveDate::parse_from_str(&d, "%Y%m%d").ok());
                day.ok_or_else(|| wrong(row, number(value)))
            };
            rows.map(day).collect()
        }
        kind if kind.is_string() || matches!(kind, DataType::Dictionary(_, of) if of.is_string()) => {
            let found = to(&DataType::Utf8)?;
            let found = found.as_string::<i32>();
            let day = |row| {
                let text = found.value(row);
                input::date(text, "").ok_or_else(|| wrong(row, quoted(text)))
            };
            rows.map(day).collect()
        }
        kind => Err(invalid(path, format_args!("column `{name}`: found type {kind}, expected {DATES}"))),
    }
}

/// A whole number that is no date, with what it may be.
fn number(value: i64) -> String {
    // From 2001 to 2286.
    let unit = match value {
        1_000_000_000..10_000_000_000 => "s",
        1_000_000_000_000..10_000_000_000_000 => "ms",
        1_000_000_000_000_000..10_000_000_000_000_000 => "us",
        1_000_000_000_000_000_000.. => "ns",
        _ => return value.to_string(),
    };
    format!(
        "{value} ({unit} since 1970? pandas makes a time stamp of it: `pd.to_datetime(column, unit=\"{unit}\")`)"
    )
}

/// The column of that name as `kind`; a missing column of the default name is `None`.
fn column(
    path: &Path,
    batch: &RecordBatch,
    name: &str,
    default: &str,
    kind: &DataType,
) -> Result<Option<ArrayRef>, BuildError> {
    let Some(found) = find(path, batch, name, default)? else { return Ok(None) };
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

/// The column of that name as it is; a missing column of the default name is `None`.
fn find<'a>(
    path: &Path,
    batch: &'a RecordBatch,
    name: &str,
    default: &str,
) -> Result<Option<&'a ArrayRef>, BuildError> {
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
    Ok(Some(found))
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
