//! Results on stdout.

use std::io::Write;

use clap::ValueEnum;
use serde::Serialize;

/// How a command prints its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For readers.
    Text,
    /// For programs.
    Json,
}

/// Writes `text` with a line end. A reader that has gone away (`| head`) is no error.
pub(crate) fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{}", text.trim_end_matches('\n'));
    let _ = stdout.flush();
}

/// Writes `value` as JSON in one line.
pub(crate) fn print_line(value: &impl Serialize) {
    print(&serde_json::to_string(value).expect("invariant: results have string keys and finite numbers"));
}

/// Writes `value` as indented JSON.
pub(crate) fn print_json(value: &impl Serialize) {
    print(
        &serde_json::to_string_pretty(value).expect("invariant: results have string keys and finite numbers"),
    );
}

/// Rows with columns as wide as their longest cell, the first `left` of them aligned to the left.
pub(crate) fn table(rows: &[Vec<String>], left: usize) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let length = |cell: &String| cell.chars().count();
    let widths: Vec<usize> =
        (0..columns).map(|column| rows.iter().map(|row| length(&row[column])).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(i, (cell, width))| match i < left {
            true => format!("{cell:<width$}"),
            false => format!("{cell:>width$}"),
        });
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}
