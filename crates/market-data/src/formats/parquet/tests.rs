//! Tests of Parquet bars.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Date64Array, DictionaryArray, Float32Array, Float64Array,
    Int32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray, TimestampNanosecondArray,
};
use arrow::datatypes::Int32Type;

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

fn read_dates(column: ArrayRef) -> Result<Vec<String>, String> {
    let n = column.len();
    let (_dir, path) = saved(vec![("date", column), ("close", Arc::new(Float64Array::from(vec![1.0; n])))]);
    let series = read(&path, "X", None, &ColumnNames::default()).map_err(|e| e.to_string())?;
    Ok(series.dates().iter().map(ToString::to_string).collect())
}

#[test]
fn a_date_is_the_same_day_in_every_type_that_can_say_it() {
    let day = 86_400_000;
    let (first, second) = (19_724 * day, 19_725 * day);
    let columns: [ArrayRef; 10] = [
        Arc::new(Date32Array::from(vec![19_724, 19_725])),
        Arc::new(Date64Array::from(vec![first, second])),
        Arc::new(Int64Array::from(vec![20_240_102, 20_240_103])),
        Arc::new(Int32Array::from(vec![20_240_102, 20_240_103])),
        dates(&["2024-01-02", "2024-01-03"]),
        // Midnight in Seoul is still the day before in UTC.
        dates(&["2024-01-02T00:00:00+09:00", "2024-01-03T00:00:00+09:00"]),
        Arc::new(vec!["2024-01-02", "2024-01-03"].into_iter().collect::<DictionaryArray<Int32Type>>()),
        Arc::new(TimestampMillisecondArray::from(vec![first + 57_600_000, second])),
        Arc::new(
            TimestampMillisecondArray::from(vec![first - 9 * 3_600_000, second - 9 * 3_600_000])
                .with_timezone("Asia/Seoul"),
        ),
        // 19:00 and 23:59 in New York, at UTC's next day.
        Arc::new(
            TimestampNanosecondArray::from(vec![second * 1_000_000, (second + day + 17_940_000) * 1_000_000])
                .with_timezone("America/New_York"),
        ),
    ];
    for column in columns {
        let kind = column.data_type().clone();
        assert_eq!(read_dates(column), Ok(vec!["2024-01-02".to_owned(), "2024-01-03".to_owned()]), "{kind}");
    }
}

#[test]
fn numbers_that_are_no_date_are_refused_with_what_they_may_be() {
    let refused = |column: ArrayRef| read_dates(column).unwrap_err();
    for (value, unit) in [
        (1_704_153_600_i64, "s"),
        (1_704_153_600_000, "ms"),
        (1_704_153_600_000_000, "us"),
        (1_704_153_600_000_000_000, "ns"),
    ] {
        let error = refused(Arc::new(Int64Array::from(vec![value, value + 1])));
        let expected = format!("row 1: column `date`: found {value} ({unit} since 1970? pandas");
        assert!(error.contains(&expected) && error.contains("20240102"), "{error}");
    }
    // Days since 1970, a month 13, a time of day.
    for value in [19_724_i64, 20_241_301, -20_240_102, 202_401_021] {
        let error = refused(Arc::new(Int64Array::from(vec![value, value + 1])));
        assert!(error.contains(&format!("column `date`: found {value}, expected a date")), "{error}");
    }
    let error = refused(Arc::new(BooleanArray::from(vec![false, true])));
    assert!(error.contains("column `date`: found type Boolean, expected a date"), "{error}");
    let stamps = TimestampMillisecondArray::from(vec![0, 1]).with_timezone("Mars/Olympus");
    let error = refused(Arc::new(stamps));
    assert!(error.contains("column `date`: found the unknown time zone `Mars/Olympus`"), "{error}");
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
            "row 2: column `date`: found \"soon\", expected a date, a time stamp, ISO text (2024-01-02) or a whole number",
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
