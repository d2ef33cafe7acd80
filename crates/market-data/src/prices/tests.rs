//! Tests of prices for scoring.

use proptest::prelude::*;

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

#[test]
fn a_damaged_parquet_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let good = load("a.csv", b"date,close\n2024-01-01,1\n2024-01-02,2\n").unwrap();
    let path = dir.path().join("a.parquet");
    crate::formats::parquet::write_batch(&path, good.batch()).unwrap();
    assert_eq!(load_prices(&path).unwrap().closes(), [1.0, 2.0]);
    let bytes = std::fs::read(&path).unwrap();
    for keep in [4, 20, bytes.len() / 2, bytes.len() - 1] {
        let error = load("a.parquet", &bytes[..keep]).unwrap_err();
        assert!(error.starts_with("a.parquet: cannot be read as Parquet"), "{error}");
    }
}

proptest! {
    #[test]
    fn no_file_panics(
        mut text in prop_oneof![
            Just("date,open,close\n2024-01-01,1,2\n2024-01-02,1,\"2\"\n".to_owned()),
            Just("{\"2024-01-01\": {\"prices\": 1}, \"2024-01-02\": {\"prices\": 2, \"news\": [\"a\"]}}".to_owned()),
        ],
        edits in prop::collection::vec((any::<prop::sample::Index>(), "[\u{0}-\u{7f}\u{e9}\u{feff}]{0,3}"), 0..4),
        cut: prop::sample::Index,
        tail: Vec<u8>,
    ) {
        for (at, inserted) in edits {
            let places: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
            text.insert_str(*at.get(&places), &inserted);
        }
        let mut bytes = text.into_bytes();
        bytes.truncate(cut.index(bytes.len()) + 1);
        bytes.extend(tail.iter().take(3));
        if let Err(error) = load("file", &bytes) {
            prop_assert!(error.starts_with("file: ") && error.lines().count() == 1, "{error}");
        }
    }
}
