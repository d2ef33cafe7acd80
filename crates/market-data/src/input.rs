//! Text input: reading, and errors that say where.

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::path::Path;

use chrono::NaiveDate;
use plugin::{BuildError, did_you_mean_path};

/// `FILE: problem`.
pub(crate) fn invalid(path: &Path, problem: impl Display) -> BuildError {
    BuildError::Invalid(format!("{}: {problem}", path.display()))
}

/// `FILE: line N: problem`.
pub(crate) fn invalid_line(path: &Path, line: usize, problem: impl Display) -> BuildError {
    invalid(path, format_args!("line {line}: {problem}"))
}

/// The bytes of a file.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, BuildError> {
    if path.is_dir() {
        return Err(invalid(path, "expected a file, found a folder"));
    }
    std::fs::read(path).map_err(|e| {
        let near = if path.exists() { String::new() } else { did_you_mean_path(path, Path::is_file) };
        invalid(path, format_args!("cannot be read: {e}{near}"))
    })
}

/// The text of a UTF-8 file, without a byte-order mark.
pub(crate) fn read_text(path: &Path) -> Result<String, BuildError> {
    decode(path, read_bytes(path)?)
}

/// UTF-8 text without a byte-order mark.
pub(crate) fn decode(path: &Path, bytes: Vec<u8>) -> Result<String, BuildError> {
    let text = String::from_utf8(bytes).map_err(|e| {
        let good = e.utf8_error().valid_up_to();
        let line = 1 + e.as_bytes()[..good].iter().filter(|b| **b == b'\n').count();
        let byte = e.as_bytes()[good];
        invalid_line(path, line, format_args!("found byte 0x{byte:02x}, expected UTF-8 text"))
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// A finite number, written with a decimal point and without separators or units.
pub(crate) fn number(cell: &str) -> Option<f64> {
    let value: f64 = cell.trim().parse().ok()?;
    // `-0` reads as a negative zero, whose bits would change a fingerprint.
    value.is_finite().then_some(value + 0.0)
}

/// A cell as it stands in an error message: quoted, cut to a readable length.
pub(crate) fn quoted(cell: &str) -> String {
    const LONGEST: usize = 40;
    if cell.is_empty() {
        return "an empty cell".to_owned();
    }
    let cut: String = cell.chars().take(LONGEST).collect();
    if cut.len() < cell.len() { format!("{cut:?}...") } else { format!("{cut:?}") }
}

/// A date in one `strftime` format, or in ISO format (`YYYY-MM-DD`, a time of day after `T` or a space is left
/// out) when `format` is empty.
pub(crate) fn date(cell: &str, format: &str) -> Option<NaiveDate> {
    let cell = cell.trim();
    if !format.is_empty() {
        return NaiveDate::parse_from_str(cell, format).ok();
    }
    let day = match cell.find(['T', ' ']) {
        Some(end) => {
            let time = cell[end + 1..].trim_end_matches('Z');
            let time = time.split(['+', '-']).next().unwrap_or(time);
            chrono::NaiveTime::parse_from_str(time, "%H:%M:%S%.f")
                .or_else(|_| chrono::NaiveTime::parse_from_str(time, "%H:%M"))
                .ok()?;
            &cell[..end]
        }
        None => cell,
    };
    // `%Y-%m-%d` alone would take `2024-1-2` and `+2024-01-02` as well.
    let digits = day.len() == 10 && day.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    digits.then(|| NaiveDate::parse_from_str(day, "%Y-%m-%d").ok())?
}

/// Name of the asset of a file without a better one: the file's name in capitals.
pub(crate) fn symbol_of(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().to_uppercase()).unwrap_or_default()
}
