//! Tests of prices for scoring.

use super::load_prices;
use crate::BarSeries;

fn load(name: &str, text: &[u8]) -> Result<BarSeries, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    let shown = dir.path().display().to_string() + "/";
    load_prices(&path).map_err(|e| e.to_string().replace(&shown, ""))
}

#[test]
fn the_content_decides() {
    let csv = b"date,open,high,low,close,volume\n2024-01-01,1,2,1,2,0\n2024-01-02,2,3,1,3,0\n";
    let s = load("msft.csv", csv).unwrap();
    assert_eq!((s.symbol(), s.open(1), s.closes()), ("MSFT", Some(2.0), &[2.0, 3.0][..]));
    let json = br#" {"2024-01-01": {"prices": 2.0}, "2024-01-02": {"prices": 3}}"#;
    assert_eq!(load("msft.txt", json).unwrap().closes(), [2.0, 3.0]);
    assert_eq!(load("msft.csv", json).unwrap().closes(), [2.0, 3.0]);
}

#[test]
fn ranges_are_checked_and_left_out() {
    // An adjusted close below the unadjusted low.
    let s = load("a.csv", b"date,high,low,close\n2024-01-01,5,4,3\n2024-01-02,5,4,3\n").unwrap();
    assert_eq!(s.columns(0..1).high, [None]);
    let error = load("a.csv", b"date,high,low,close\n2024-01-01,5,4,3\n2024-01-02,3,4,3\n").unwrap_err();
    assert_eq!(error, "a.csv: line 3: column `high`: found 3, expected at least `low` (4)");
    let error = load("a.csv", b"date,high,low,close\n2024-01-01,5,x,3\n2024-01-02,3,4,3\n").unwrap_err();
    assert_eq!(error, "a.csv: line 2: column `low`: found \"x\", expected a finite price > 0");
}

#[test]
fn rows_must_ascend() {
    let error = load("a.csv", b"date,close\n2024-01-02,1\n2024-01-01,1\n").unwrap_err();
    assert_eq!(error, "a.csv: line 3: found the date 2024-01-01 after 2024-01-02, expected ascending dates");
}

#[test]
fn unreadable_files_are_named() {
    assert!(load("a.csv", b"").unwrap_err().starts_with("a.csv: found an empty file"));
    assert!(load("a.csv", b"date,close\n\xfe\n").unwrap_err().starts_with("a.csv: line 2: found byte 0xfe"));
    let error = load_prices(std::path::Path::new("/nowhere/a.csv")).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/a.csv: cannot be read: "), "{error}");
}
