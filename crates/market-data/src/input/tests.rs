//! Tests of cells and text.

use std::path::Path;

use chrono::NaiveDate;

use super::{date, decode, number, quoted};

#[test]
fn numbers_are_plain_and_finite() {
    assert_eq!(number("1.2e-05"), Some(1.2e-5));
    assert_eq!(number(" 42 "), Some(42.0));
    assert_eq!(number("-0").map(f64::to_bits), Some(0));
    for bad in ["", "NaN", "nan", "inf", "-inf", "1e999", "1.2%", "0,012", "1 000", "0x10", "1_000", "$5"] {
        assert_eq!(number(bad), None, "{bad}");
    }
}

#[test]
fn dates_are_iso_or_follow_the_format() {
    let second = NaiveDate::from_ymd_opt(2024, 1, 2);
    assert_eq!(date("2024-01-02", ""), second);
    assert_eq!(date("2024-01-02T00:00:00", ""), second);
    assert_eq!(date("2024-01-02 16:00:00.5+00:00", ""), second);
    assert_eq!(date("02/01/2024", "%d/%m/%Y"), second);
    assert_eq!(date("Jan 2, 2024", "%b %d, %Y"), second);
    for bad in ["", "2024-1-2", "20240102", "2024-02-30", "+2024-01-02", "2024-01-02 noon", "02/01/2024"] {
        assert_eq!(date(bad, ""), None, "{bad}");
    }
}

#[test]
fn bytes_that_are_not_utf8_have_a_line() {
    let bytes = b"date,close\n2024-01-01,1\n2024-01-02,\xff\n".to_vec();
    let error = decode(Path::new("p.csv"), bytes).unwrap_err().to_string();
    assert_eq!(error, "p.csv: line 3: found byte 0xff, expected UTF-8 text");
    assert_eq!(decode(Path::new("p"), b"\xef\xbb\xbfa".to_vec()).unwrap(), "a");
}

#[test]
fn long_cells_are_cut_between_characters() {
    assert_eq!(quoted(""), "an empty cell");
    assert_eq!(quoted("1.2%"), "\"1.2%\"");
    let long = "\u{e9}".repeat(50);
    assert_eq!(quoted(&long), format!("\"{}\"...", "\u{e9}".repeat(40)));
}
