//! Rows of a CSV text with their physical lines.
//!
//! The `csv` crate gives the line at which it began to look for a record, which is not the record's own after
//! empty lines or CRLF; errors here must name the physical line.

#[cfg(test)]
mod tests;

use std::path::Path;

use plugin::BuildError;

use crate::input::invalid_line;

/// One row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Physical line at which it begins, from 1.
    pub line: usize,
    /// Cells without their quotes.
    pub cells: Vec<String>,
}

/// Splits RFC 4180 text (LF or CRLF). Empty lines at the end are left out; an empty line elsewhere is a row of one
/// empty cell.
pub(crate) fn rows(path: &Path, text: &str) -> Result<Vec<Row>, BuildError> {
    let mut rows = Vec::new();
    let mut rest = text.trim_end_matches(['\n', '\r']);
    let mut line = 1;
    while !rest.is_empty() {
        let mut row = Row { line, cells: Vec::new() };
        loop {
            let (cell, tail) = cell(path, row.line, rest)?;
            line += cell.matches('\n').count();
            row.cells.push(cell);
            match tail.strip_prefix(',') {
                Some(tail) => rest = tail,
                None => {
                    rest = tail;
                    break;
                }
            }
        }
        rows.push(row);
        rest = rest.strip_prefix('\r').unwrap_or(rest);
        rest = rest.strip_prefix('\n').unwrap_or(rest);
        line += 1;
    }
    Ok(rows)
}

/// The cell at the start of `text`, and what follows it: a comma, a line end, or nothing.
fn cell<'a>(path: &Path, line: usize, text: &'a str) -> Result<(String, &'a str), BuildError> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', '\n']).unwrap_or(text.len());
        let end = if text[..end].ends_with('\r') { end - 1 } else { end };
        return Ok((text[..end].to_owned(), &text[end..]));
    };
    let mut cell = String::new();
    loop {
        let Some(end) = rest.find('"') else {
            return Err(invalid_line(path, line, "found a quote that is never closed, expected `\"`"));
        };
        cell.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(tail) => {
                cell.push('"');
                rest = tail;
            }
            None => break,
        }
    }
    if rest.is_empty() || rest.starts_with([',', '\n']) || rest.starts_with("\r\n") {
        return Ok((cell, rest));
    }
    let line = line + cell.matches('\n').count();
    Err(invalid_line(path, line, "found text after a closing quote, expected a comma or the line's end"))
}
