//! Small CSV files with a `date` column: every problem at its physical line.

use std::path::Path;

use chrono::NaiveDate;

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
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut lines = Vec::new();
    for (i, line) in bytes.split(|b| *b == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = std::str::from_utf8(line).map_err(|e| {
            wrong(path, i + 1, format!("another byte at column {}", e.valid_up_to() + 1), "UTF-8 text")
        })?;
        lines.push(text);
    }
    // The end of the last line, or blank ones after it.
    while lines.last().is_some_and(|l| l.trim().is_empty()) {
        lines.pop();
    }

    let Some((header, rows)) = lines.split_first() else {
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
    for (i, text) in rows.iter().enumerate() {
        let line = i + 2;
        let row = cells(text);
        if text.trim().is_empty() {
            return Err(wrong(path, line, "an empty line", fields(header.len())));
        }
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

/// The cells of a line. None of our columns holds a comma, so quotes are taken off and mean nothing more.
fn cells(line: &str) -> Vec<&str> {
    line.split(',').map(str::trim).map(|cell| unquoted(cell).unwrap_or(cell)).collect()
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
