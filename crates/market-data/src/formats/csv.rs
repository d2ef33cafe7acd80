//! Bars from CSV text with named columns.

#[cfg(test)]
mod tests;

use std::path::Path;

use chrono::NaiveDate;
use plugin::BuildError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::csv_rows::{CsvRow, rows};
use crate::input::{self, invalid, invalid_line, quoted};
use crate::{BarSeries, Columns};

/// Which column of a file holds what.
///
/// `date` and `close` are needed. The others are read where the file has a column of the name; a name other than
/// the default must exist; an empty name leaves the column out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnNames {
    /// Column of the bars' dates.
    pub date: String,
    /// Column of opening prices; empty: none.
    pub open: String,
    /// Column of highest prices; empty: none.
    pub high: String,
    /// Column of lowest prices; empty: none.
    pub low: String,
    /// Column of closing prices.
    pub close: String,
    /// Column of traded volumes; empty: none.
    pub volume: String,
    /// Column of news, a text or a JSON list of texts per bar; empty: none.
    pub news: String,
}

impl Default for ColumnNames {
    fn default() -> Self {
        let [date, open, high, low, close, volume, news] =
            ["date", "open", "high", "low", "close", "volume", "news"].map(str::to_owned);
        Self { date, open, high, low, close, volume, news }
    }
}

/// Order of a file's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Ascending, unless the last date is before the first.
    Auto,
    /// Oldest bar first.
    Ascending,
    /// Newest bar first.
    Descending,
}

/// How to read a CSV file.
#[derive(Debug, Clone)]
pub(crate) struct CsvFormat<'a> {
    pub columns: &'a ColumnNames,
    /// `strftime` format, empty for ISO dates.
    pub date_format: &'a str,
    pub order: Order,
}

/// Columns of a file, oldest bar first, with the physical line of every bar.
pub(crate) struct CsvBars {
    pub columns: Columns,
    pub lines: Vec<usize>,
}

impl CsvBars {
    /// Validates; errors name the line.
    pub fn into_series(
        self,
        path: &Path,
        symbol: &str,
        periods_per_year: Option<f64>,
    ) -> Result<BarSeries, BuildError> {
        BarSeries::from_columns(symbol, periods_per_year, self.columns).map_err(|e| match e.bar() {
            Some(bar) => invalid_line(path, self.lines[bar], e),
            None => invalid(path, e),
        })
    }
}

/// Position of a field among a row's cells, and its name in the file.
struct Field<'a> {
    index: usize,
    name: &'a str,
}

/// Reads bars from CSV text. `path` is for errors.
pub(crate) fn parse(path: &Path, text: &str, format: &CsvFormat<'_>) -> Result<CsvBars, BuildError> {
    let rows = rows(path, text)?;
    let Some((header, rows)) = rows.split_first() else {
        return Err(invalid(path, "found an empty file, expected a header line and at least 2 rows"));
    };
    let defaults = ColumnNames::default();
    let names = format.columns;
    let date = need(path, header, field(path, header, &names.date, "")?, "date")?;
    let close = need(path, header, field(path, header, &names.close, "")?, "close")?;
    let open = field(path, header, &names.open, &defaults.open)?;
    let high = field(path, header, &names.high, &defaults.high)?;
    let low = field(path, header, &names.low, &defaults.low)?;
    let volume = field(path, header, &names.volume, &defaults.volume)?;
    let news = field(path, header, &names.news, &defaults.news)?;
    if rows.len() < 2 {
        return Err(invalid(
            path,
            format_args!("found {} rows after the header, expected at least 2", rows.len()),
        ));
    }

    let mut columns = Columns::default();
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        if row.cells.len() != header.cells.len() {
            let (found, expected) = (row.cells.len(), header.cells.len());
            let problem = format!("found {found} fields, expected {expected} as in the header");
            return Err(invalid_line(path, row.line, problem));
        }
        let price = |field: &Option<Field<'_>>| match field {
            Some(field) => positive(path, row, field).map(Some),
            None => Ok(None),
        };
        columns.date.push(date_cell(path, row, &date, format.date_format)?);
        columns.open.push(price(&open)?);
        columns.high.push(price(&high)?);
        columns.low.push(price(&low)?);
        columns.close.push(positive(path, row, &close)?);
        columns.volume.push(match &volume {
            Some(field) => Some(cell_number(path, row, field, "a finite number >= 0", |v| v >= 0.0)?),
            None => None,
        });
        columns.news.push(match &news {
            Some(field) => news_cell(path, row, field)?,
            None => Vec::new(),
        });
        lines.push(row.line);
    }
    if descends(path, &columns.date, &lines, format.order)? {
        columns.date.reverse();
        columns.open.reverse();
        columns.high.reverse();
        columns.low.reverse();
        columns.close.reverse();
        columns.volume.reverse();
        columns.news.reverse();
        lines.reverse();
    }
    Ok(CsvBars { columns, lines })
}

/// The column called `name`, in this spelling or else in another case. A column of the default name may be
/// missing.
fn field<'a>(
    path: &Path,
    header: &CsvRow,
    name: &'a str,
    default: &str,
) -> Result<Option<Field<'a>>, BuildError> {
    if name.is_empty() {
        return Ok(None);
    }
    let positions = |same: fn(&str, &str) -> bool| -> Vec<usize> {
        (0..header.cells.len()).filter(|i| same(header.cells[*i].trim(), name)).collect()
    };
    let mut found = positions(|a, b| a == b);
    if found.is_empty() {
        found = positions(|a, b| a.eq_ignore_ascii_case(b));
    }
    match found[..] {
        [index] => Ok(Some(Field { index, name })),
        [] if name == default => Ok(None),
        [] => Err(missing(path, header, name)),
        _ => {
            let problem = format!("found {} columns `{name}`, expected one", found.len());
            Err(invalid_line(path, header.line, problem))
        }
    }
}

fn need<'a>(
    path: &Path,
    header: &CsvRow,
    field: Option<Field<'a>>,
    meaning: &str,
) -> Result<Field<'a>, BuildError> {
    field.ok_or_else(|| missing(path, header, meaning))
}

fn missing(path: &Path, header: &CsvRow, name: &str) -> BuildError {
    const MOST: usize = 12;
    let mut known: Vec<String> =
        header.cells.iter().take(MOST).map(|c| c.trim().escape_debug().to_string()).collect();
    if header.cells.len() > MOST {
        known.push("...".to_owned());
    }
    let near = plugin::did_you_mean(name, header.cells.iter().map(String::as_str));
    let problem = format!("found the columns {}, expected a column `{name}`{near}", known.join(", "));
    invalid_line(path, header.line, problem)
}

fn date_cell(path: &Path, row: &CsvRow, field: &Field<'_>, format: &str) -> Result<NaiveDate, BuildError> {
    let cell = &row.cells[field.index];
    input::date(cell, format).ok_or_else(|| {
        let expected = match format {
            "" => "a date such as 2018-12-31".to_owned(),
            format => format!("a date in the format {format:?}"),
        };
        bad_cell(path, row, field, &expected)
    })
}

fn positive(path: &Path, row: &CsvRow, field: &Field<'_>) -> Result<f64, BuildError> {
    cell_number(path, row, field, "a finite price > 0", |v| v > 0.0)
}

fn cell_number(
    path: &Path,
    row: &CsvRow,
    field: &Field<'_>,
    expected: &str,
    accept: fn(f64) -> bool,
) -> Result<f64, BuildError> {
    let value = input::number(&row.cells[field.index]).filter(|v| accept(*v));
    value.ok_or_else(|| bad_cell(path, row, field, expected))
}

/// One text, a JSON list of texts, or nothing.
fn news_cell(path: &Path, row: &CsvRow, field: &Field<'_>) -> Result<Vec<String>, BuildError> {
    let cell = row.cells[field.index].trim();
    if !cell.starts_with('[') {
        return Ok(if cell.is_empty() { Vec::new() } else { vec![cell.to_owned()] });
    }
    serde_json::from_str(cell).map_err(|_| bad_cell(path, row, field, "a text or a JSON list of texts"))
}

fn bad_cell(path: &Path, row: &CsvRow, field: &Field<'_>, expected: &str) -> BuildError {
    let found = quoted(&row.cells[field.index]);
    invalid_line(path, row.line, format_args!("column `{}`: found {found}, expected {expected}", field.name))
}

/// Whether the rows run from the newest to the oldest. An error names the second row of the first pair out of order.
fn descends(path: &Path, dates: &[NaiveDate], lines: &[usize], order: Order) -> Result<bool, BuildError> {
    let descending = match order {
        Order::Auto => dates.last() < dates.first(),
        Order::Ascending => false,
        Order::Descending => true,
    };
    for i in 1..dates.len() {
        let (previous, date) = (dates[i - 1], dates[i]);
        if date == previous {
            let problem = format!("found the date {date} again, expected each date once");
            return Err(invalid_line(path, lines[i], problem));
        }
        if (date < previous) != descending {
            let word = if descending { "descending" } else { "ascending" };
            let problem = format!("found the date {date} after {previous}, expected {word} dates");
            return Err(invalid_line(path, lines[i], problem));
        }
    }
    Ok(descending)
}
