//! Tests of Parquet bars.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray};

use super::{ColumnNames, read, write_batch};
use crate::formats::csv::{CsvFormat, Order, parse};

fn saved(columns: Vec<(&str, ArrayRef)>) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    write_batch(
        &path,
        &RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap(),
    )
    .unwrap();
    (dir, path)
}

fn dates(texts: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(texts.to_vec()))
}

#[test]
fn csv_and_parquet_of_the_same_content_have_the_same_fingerprint() {
    let text = "date,open,high,low,close,volume,news\n2024-01-01,1.1,1.3,1.0,1.2,100,first\n\
                2024-01-02,1.2,1.4,1.15,1.25,90,\"[\"\"a\"\",\"\"b\"\"]\"\n2024-01-03,1.2,1.4,1.15,1.25,0,\n";
    let names = ColumnNames::default();
    let path = std::path::Path::new("x.csv");
    let format = CsvFormat { columns: &names, date_format: "", order: Order::Auto };
    let from_csv = parse(path, text, &format).unwrap().into_series(path, "X", None).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    write_batch(&path, from_csv.batch()).unwrap();
    let from_parquet = read(&path, "X", None, &names).unwrap();
    assert_eq!(from_csv.fingerprint(), from_parquet.fingerprint());
    assert_eq!(from_csv.columns(0..3), from_parquet.columns(0..3));
    assert!(write_batch(&path, from_csv.batch()).is_err(), "an existing file stays");
}

#[test]
fn other_types_and_names_are_read() {
    let (_dir, path) = saved(vec![
        ("day", dates(&["2024-01-01", "2024-01-02"])),
        ("px", Arc::new(Float32Array::from(vec![1.5, 2.5]))),
        ("volume", Arc::new(Int64Array::from(vec![Some(7), None]))),
        ("news", dates(&["one", "two"])),
    ]);
    let names = ColumnNames { date: "day".into(), close: "px".into(), ..ColumnNames::default() };
    let s = read(&path, "X", None, &names).unwrap();
    assert_eq!(s.closes(), [1.5, 2.5]);
    assert_eq!(s.columns(0..2).volume, [Some(7.0), None]);
    assert_eq!(s.news(1).collect::<Vec<_>>(), ["two"]);
}

#[test]
fn every_bad_input_is_named() {
    let two = || dates(&["2024-01-01", "2024-01-02"]);
    let close = |values: Vec<Option<f64>>| Arc::new(Float64Array::from(values)) as ArrayRef;
    let good = || close(vec![Some(1.0), Some(2.0)]);
    for (columns, expected) in [
        (vec![("date", two())], "found the columns date, expected a column `close`"),
        (vec![("date", two()), ("close", close(vec![Some(1.0), None]))], "row 2: column `close`: found null"),
        (
            vec![("date", two()), ("close", close(vec![Some(1.0), Some(f64::NAN)]))],
            "row 2: 2024-01-02: `close` is NaN",
        ),
        (
            vec![("date", two()), ("close", close(vec![Some(0.0), Some(1.0)]))],
            "row 1: 2024-01-01: `close` is 0",
        ),
        (
            vec![("date", dates(&["2024-01-01", "soon"])), ("close", good())],
            "row 2: column `date`: found a value",
        ),
        (
            vec![("date", dates(&["2024-01-02", "2024-01-02"])), ("close", good())],
            "row 2: date 2024-01-02 twice",
        ),
        (
            vec![("date", dates(&["2024-01-02", "2024-01-01"])), ("close", good())],
            "row 2: date 2024-01-01 after",
        ),
        (
            vec![("date", dates(&["2024-01-02"])), ("close", close(vec![Some(1.0)]))],
            "found 1 bars, expected at least 2",
        ),
    ] {
        let (_dir, path) = saved(columns);
        let error = read(&path, "X", None, &ColumnNames::default()).unwrap_err().to_string();
        let expected = format!("{}: {expected}", path.display());
        assert!(error.starts_with(&expected), "{expected}: {error}");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    std::fs::write(&path, "date,close\n").unwrap();
    let error = read(&path, "X", None, &ColumnNames::default()).unwrap_err().to_string();
    assert!(error.contains("cannot be read as Parquet"), "{error}");
}
