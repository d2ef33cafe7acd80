//! Tests of CSV bars.

use std::path::Path;

use super::{ColumnNames, CsvFormat, Order, parse};
use crate::BarSeries;

fn read(text: &str, names: &ColumnNames, date_format: &str, order: Order) -> Result<BarSeries, String> {
    let path = Path::new("prices.csv");
    let format = CsvFormat { columns: names, date_format, order };
    parse(path, text, &format).and_then(|b| b.into_series(path, "X", None)).map_err(|e| e.to_string())
}

fn plain(text: &str) -> Result<BarSeries, String> {
    read(text, &ColumnNames::default(), "", Order::Auto)
}

#[test]
fn reads_prices_and_news() {
    let s = plain(
        "Date,Open,close,extra,news\r\n2024-01-01,1.5,2,x,\r\n2024-01-02,2,3,,one text\r\n2024-01-03,3,4,,\"[\"\"a\"\",\"\"b\"\"]\"",
    )
    .unwrap();
    assert_eq!(s.closes(), [2.0, 3.0, 4.0]);
    assert_eq!(s.open(0), Some(1.5));
    assert_eq!(s.news(0).count(), 0);
    assert_eq!(s.news(1).collect::<Vec<_>>(), ["one text"]);
    assert_eq!(s.news(2).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn both_orders_give_the_same_series() {
    let up = plain("date,close\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n").unwrap();
    let down = "date,close\n2024-01-03,3\n2024-01-02,2\n2024-01-01,1\n";
    assert_eq!(up.fingerprint(), plain(down).unwrap().fingerprint());
    let names = ColumnNames::default();
    assert_eq!(up.fingerprint(), read(down, &names, "", Order::Descending).unwrap().fingerprint());
    let error = read(down, &names, "", Order::Ascending).unwrap_err();
    assert_eq!(
        error,
        "prices.csv: line 3: found the date 2024-01-02 after 2024-01-03, expected ascending dates"
    );
    let error = plain("date,close\n2024-01-03,3\n2024-01-01,1\n2024-01-02,2\n").unwrap_err();
    assert_eq!(
        error,
        "prices.csv: line 4: found the date 2024-01-02 after 2024-01-01, expected descending dates"
    );
}

#[test]
fn names_and_formats_can_be_given() {
    let names = ColumnNames {
        date: "Day".into(),
        close: "X.Close".into(),
        open: String::new(),
        ..ColumnNames::default()
    };
    let s =
        read("Day,open,X.Close\n31/12/2023,zz,5\n01/01/2024,,6\n", &names, "%d/%m/%Y", Order::Auto).unwrap();
    assert_eq!(s.closes(), [5.0, 6.0]);
    assert_eq!(s.open(0), None);
    let error = read("Day,X.Clos\n", &names, "", Order::Auto).unwrap_err();
    assert_eq!(
        error,
        "prices.csv: line 1: found the columns Day, X.Clos, expected a column `X.Close` (did you mean \"X.Clos\"?)"
    );
    let error =
        read("Day,X.Close\n2023-12-31,5\n2024-01-01,6\n", &names, "%d/%m/%Y", Order::Auto).unwrap_err();
    assert!(
        error.contains("line 2: column `Day`: found \"2023-12-31\", expected a date in the format"),
        "{error}"
    );
}

#[test]
fn every_bad_input_is_named() {
    let row = |bad: &str| format!("date,open,close,volume\n2024-01-01,1,1,0\n{bad}\n2024-01-03,1,1,0\n");
    let price = "expected a finite price > 0";
    for (bad, expected) in [
        ("2024-01-02,1,NaN,0", format!("line 3: column `close`: found \"NaN\", {price}")),
        ("2024-01-02,1,inf,0", format!("line 3: column `close`: found \"inf\", {price}")),
        ("2024-01-02,,1,0", format!("line 3: column `open`: found an empty cell, {price}")),
        ("2024-01-02,1,1.2%,0", format!("line 3: column `close`: found \"1.2%\", {price}")),
        ("2024-01-02,1,\"0,012\",0", format!("line 3: column `close`: found \"0,012\", {price}")),
        ("2024-01-02,1,0,0", format!("line 3: column `close`: found \"0\", {price}")),
        ("2024-01-02,-1,1,0", format!("line 3: column `open`: found \"-1\", {price}")),
        ("2024-01-02,1,1,-1", "line 3: column `volume`: found \"-1\", expected a finite number >= 0".into()),
        ("2024-01-02,1,0,012,0", "line 3: found 5 fields, expected 4 as in the header".into()),
        ("2024-01-02,1,1", "line 3: found 3 fields, expected 4 as in the header".into()),
        ("", "line 3: found 1 fields, expected 4 as in the header".into()),
        (
            "2024-02-30,1,1,0",
            "line 3: column `date`: found \"2024-02-30\", expected a date such as 2018-12-31".into(),
        ),
        (",1,1,0", "line 3: column `date`: found an empty cell, expected a date such as 2018-12-31".into()),
        ("2024-01-01,1,1,0", "line 3: found the date 2024-01-01 again, expected each date once".into()),
        (
            "2023-12-31,1,1,0",
            "line 3: found the date 2023-12-31 after 2024-01-01, expected ascending dates".into(),
        ),
        (
            "2024-01-05,1,1,0",
            "line 4: found the date 2024-01-03 after 2024-01-05, expected ascending dates".into(),
        ),
    ] {
        assert_eq!(plain(&row(bad)).unwrap_err(), format!("prices.csv: {expected}"), "{bad}");
    }
    for (text, expected) in [
        ("", "prices.csv: found an empty file"),
        ("\n\n", "prices.csv: found an empty file"),
        ("date,close\n", "prices.csv: found 0 rows after the header, expected at least 2"),
        ("date,close\n2024-01-01,1\n", "prices.csv: found 1 rows after the header, expected at least 2"),
        ("date,close,close\n", "prices.csv: line 1: found 2 columns `close`, expected one"),
        ("day,close\n", "prices.csv: line 1: found the columns day, close, expected a column `date`"),
    ] {
        let error = plain(text).unwrap_err();
        assert!(error.starts_with(expected), "{text:?}: {error}");
    }
}

#[test]
fn a_close_outside_of_the_range_has_its_line_in_descending_files_too() {
    let text = "date,high,low,close\n2024-01-03,5,4,4.5\n2024-01-02,5,4,6\n2024-01-01,5,4,4.5\n";
    let error = plain(text).unwrap_err();
    assert_eq!(
        error,
        "prices.csv: line 3: 2024-01-02: `close` is 6, expected a price between `low` (4) and `high` (5)"
    );
}
