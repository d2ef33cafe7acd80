//! Rows of a CSV text with their physical lines.

#[cfg(test)]
mod tests;

use std::path::Path;

use plugin::BuildError;

use crate::input::invalid_line;

/// One row of a CSV text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvRow {
    /// Physical line at which it begins, from 1.
    pub line: usize,
    /// Cells without their quotes, at least one.
    pub cells: Vec<String>,
}

/// A quote that RFC 4180 does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found {found}, expected {expected}")]
pub struct CsvError {
    /// Physical line, from 1.
    pub line: usize,
    /// What was found.
    pub found: &'static str,
    /// What is accepted.
    pub expected: &'static str,
}

/// Splits RFC 4180 text (LF or CRLF, with or without a byte-order mark) into rows of any number of cells. Empty lines
/// at the end are left out; an empty line elsewhere is a row of one empty cell.
///
/// # Errors
/// A quote that is never closed, or text between a closing quote and the next comma.
pub fn csv_rows(text: &str) -> Result<Vec<CsvRow>, CsvError> {
    // Without a mark the reader skips none, so that its positions are those of `text`.
    let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r']);
    // `Terminator::CRLF` would end a row before its `\n`, and at a lone `\r`.
    let terminator = csv::Terminator::Any(b'\n');
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .terminator(terminator)
        .from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    let mut rows = Vec::new();
    let (mut start, mut line) = (0, 1);
    while reader
        .read_record(&mut record)
        .expect("invariant: text in memory is read, is UTF-8 and may have rows of any length")
    {
        let end = reader.position().byte() as usize;
        // The reader passes over empty lines without a word.
        let mut raw = &text[start..end];
        while let Some(rest) = raw.strip_prefix('\n') {
            rows.push(CsvRow { line, cells: vec![String::new()] });
            line += 1;
            raw = rest;
        }
        let mut row = CsvRow { line, cells: record.iter().map(str::to_owned).collect() };
        line += raw.matches('\n').count();
        start = end;
        raw = raw.strip_suffix('\n').unwrap_or(raw);
        if let (Some(rest), Some(last)) = (raw.strip_suffix('\r'), row.cells.last_mut()) {
            raw = rest;
            last.pop();
        }
        check_quotes(raw, &row)?;
        rows.push(row);
    }
    Ok(rows)
}

/// [`csv_rows`] with the file in the error.
pub(crate) fn rows(path: &Path, text: &str) -> Result<Vec<CsvRow>, BuildError> {
    csv_rows(text).map_err(|e| invalid_line(path, e.line, e))
}

/// Compares the cells with the text they were read from: the reader takes `"a"b` for `ab`, and the end of the text
/// for a closing quote.
fn check_quotes(raw: &str, row: &CsvRow) -> Result<(), CsvError> {
    let mut rest = raw;
    let mut line = row.line;
    for cell in &row.cells {
        let newlines = cell.matches('\n').count();
        rest = match rest.strip_prefix('"') {
            None => rest.split_once(',').map_or("", |(_, rest)| rest),
            Some(quoted) => {
                let tail = quoted.strip_prefix(&cell.replace('"', "\"\""));
                if tail == Some("") {
                    return Err(CsvError { line, found: "a quote that is never closed", expected: "`\"`" });
                }
                match tail.and_then(|t| t.strip_prefix('"')) {
                    Some("") => "",
                    Some(tail) if tail.starts_with(',') => &tail[1..],
                    _ => {
                        return Err(CsvError {
                            line: line + newlines,
                            found: "text after a closing quote",
                            expected: "a comma or the line's end",
                        });
                    }
                }
            }
        };
        line += newlines;
    }
    Ok(())
}
