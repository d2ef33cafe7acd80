//! Small CSV files with a `date` column: every problem at its physical line.

use std::path::Path;

use chrono::NaiveDate;
use market_data::{CsvRow, csv_rows};

use crate::ScoreError;

/// One data row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// Physical line, the header being line 1.
    pub(crate) line: usize,
    pub(crate) date: NaiveDate,
    /// The cell of the value column.
    pub(crate) value: String,
}

/// Rows of a CSV file with the columns `date` (strictly increasing) and `value_column`; other columns are left alone.
pub(crate) fn read(path: &Path, value_column: &'static str) -> Result<Vec<Row>, ScoreError> {
    let bytes =
        std::fs::read(path).map_err(|e| ScoreError::Read { path: path.to_owned(), reason: e.to_string() })?;
    parse(path, &bytes, value_column)
}

/// A wrong line.
pub(crate) fn wrong(
    path: &Path,
    line: usize,
    found: impl Into<String>,
    expected: impl Into<String>,
) -> ScoreError {
    ScoreError::Line { path: path.to_owned(), line, found: found.into(), expected: expected.into() }
}

/// A cell as an error shows it: quoted, and short however long it is.
pub(crate) fn shown(cell: &str) -> String {
    if cell.is_empty() {
        return "an empty cell".to_owned();
    }
    let short: String = cell.chars().take(40).collect();
    let rest = if short.len() < cell.len() { "..." } else { "" };
    format!("{:?}{rest}", short)
}

fn parse(path: &Path, bytes: &[u8], value_column: &'static str) -> Result<Vec<Row>, ScoreError> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let good = &bytes[..e.valid_up_to()];
        let line = 1 + good.iter().filter(|b| **b == b'\n').count();
        let column = 1 + good.iter().rev().take_while(|b| **b != b'\n').count();
        wrong(path, line, format!("another byte at column {column}"), "UTF-8 text")
    })?;
    let mut rows = csv_rows(text).map_err(|e| wrong(path, e.line, e.found, e.expected))?;
    while rows.last().is_some_and(is_blank) {
        rows.pop();
    }

    let Some((header, rows)) = rows.split_first() else {
        return Err(ScoreError::NoRows { path: path.to_owned() });
    };
    let header = cells(header);
    let position = |name: &str| {
        let mut positions = header.iter().enumerate().filter(|(_, cell)| **cell == name).map(|(i, _)| i);
        let expected = || format!("a header with one column `date` and one `{value_column}`");
        match (positions.next(), positions.next()) {
            (Some(i), None) => Ok(i),
            _ => Err(wrong(path, 1, shown(&header.join(",")), expected())),
        }
    };
    let (date_at, value_at) = (position("date")?, position(value_column)?);
    if rows.is_empty() {
        return Err(ScoreError::NoRows { path: path.to_owned() });
    }

    let mut table: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        let line = row.line;
        if is_blank(row) {
            return Err(wrong(path, line, "an empty line", fields(header.len())));
        }
        let row = cells(row);
        if row.len() != header.len() {
            return Err(wrong(path, line, fields(row.len()), fields(header.len())));
        }
        let date = iso_date(row[date_at]).ok_or_else(|| {
            wrong(path, line, shown(row[date_at]), "a date such as 2020-12-31 in column `date`")
        })?;
        if let Some(previous) = table.last().map(|row| row.date).filter(|previous| date <= *previous) {
            let found = if date == previous { format!("{date} again") } else { date.to_string() };
            return Err(wrong(path, line, found, format!("a date after {previous} of the row above")));
        }
        table.push(Row { line, date, value: row[value_at].to_owned() });
    }
    Ok(table)
}

fn fields(n: usize) -> String {
    if n == 1 { "1 field".to_owned() } else { format!("{n} fields") }
}

/// Cells without the spaces around them, and without quotes that follow such a space.
fn cells(row: &CsvRow) -> Vec<&str> {
    row.cells.iter().map(|cell| cell.trim()).map(|cell| unquoted(cell).unwrap_or(cell)).collect()
}

fn is_blank(row: &CsvRow) -> bool {
    matches!(&row.cells[..], [cell] if cell.trim().is_empty())
}

fn unquoted(cell: &str) -> Option<&str> {
    cell.strip_prefix('"')?.strip_suffix('"')
}

/// `YYYY-MM-DD` and nothing else.
fn iso_date(text: &str) -> Option<NaiveDate> {
    let digits = |range: std::ops::Range<usize>| {
        text.as_bytes().get(range)?.iter().all(u8::is_ascii_digit).then_some(())
    };
    if text.len() != 10 {
        return None;
    }
    digits(0..4).and(digits(5..7)).and(digits(8..10))?;
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

#[cfg(test)]
mod tests;
