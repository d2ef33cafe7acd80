//! Every kind of bad file, with the line and the words of its message.

use std::path::Path;

use super::parse;

fn error(text: impl AsRef<[u8]>) -> String {
    parse(Path::new("r.csv"), text.as_ref(), "return").unwrap_err().to_string()
}

fn lines(text: impl AsRef<[u8]>) -> Vec<(usize, String, String)> {
    let rows = parse(Path::new("r.csv"), text.as_ref(), "return").unwrap();
    rows.into_iter().map(|row| (row.line, row.date.to_string(), row.value)).collect()
}

#[test]
fn reads_what_spreadsheets_and_pandas_write() {
    let wanted =
        [(2, "2020-01-02".to_owned(), "0.1".to_owned()), (3, "2020-01-03".to_owned(), "-1e-3".to_owned())];
    assert_eq!(lines("date,return\n2020-01-02,0.1\n2020-01-03,-1e-3\n"), wanted);
    assert_eq!(lines("date,return\r\n2020-01-02,0.1\r\n2020-01-03,-1e-3"), wanted);
    assert_eq!(lines("\u{feff}date,return\n2020-01-02, 0.1\n2020-01-03,-1e-3\n\n"), wanted);
    assert_eq!(lines("\"return\",x,\"date\"\n\"0.1\",,2020-01-02\n-1e-3,y,2020-01-03\n"), wanted);
}

#[test]
fn a_wrong_line_is_named_with_what_was_found_and_what_is_accepted() {
    for (text, wanted) in [
        (
            "day,return\n2020-01-02,0.1\n",
            "r.csv:1: expected a header with one column `date` and one `return`, found \"day,return\"",
        ),
        ("date,return,date\n", "r.csv:1: expected a header with one column `date`"),
        ("2020-01-02,0.1\n", "r.csv:1: expected a header"),
        ("\n", "r.csv: found no rows"),
        ("", "r.csv: found no rows"),
        ("date,return\n\n", "r.csv: found no rows"),
        ("date,return\n2020-01-02\n", "r.csv:2: expected 2 fields, found 1 field"),
        ("date,return\n2020-01-02,0,012\n", "r.csv:2: expected 2 fields, found 3 fields"),
        ("date,return\n2020-01-02,1\n\n2020-01-03,1\n", "r.csv:3: expected 2 fields, found an empty line"),
        (
            "date,return\n02.01.2020,1\n",
            "r.csv:2: expected a date such as 2020-12-31 in column `date`, found \"02.01.2020\"",
        ),
        ("date,return\n2020-1-2,1\n", "found \"2020-1-2\""),
        ("date,return\n2020-02-30,1\n", "found \"2020-02-30\""),
        ("date,return\n,1\n", "found an empty cell"),
        (
            "date,return\n2020-01-03,1\n2020-01-03,1\n",
            "r.csv:3: expected a date after 2020-01-03 of the row above, found 2020-01-03 again",
        ),
        (
            "date,return\n2020-01-02,1\n2020-01-05,1\n2020-01-03,1\n",
            "r.csv:4: expected a date after 2020-01-05 of the row above, found 2020-01-03",
        ),
    ] {
        let found = error(text);
        assert!(found.contains(wanted), "{text:?}: {found}");
    }
}

#[test]
fn quotes_follow_rfc_4180() {
    assert_eq!(
        lines("date,note,return\n2020-01-02,\"a, b\nc\",1\n2020-01-03,, \"2\"\n"),
        [(2, "2020-01-02".to_owned(), "1".to_owned()), (4, "2020-01-03".to_owned(), "2".to_owned())]
    );
    assert_eq!(
        error("date,return\n2020-01-02,\"1\n"),
        "r.csv:2: expected `\"`, found a quote that is never closed"
    );
    let found = error("date,return\n2020-01-02,\"1\"2\n");
    assert_eq!(found, "r.csv:2: expected a comma or the line's end, found text after a closing quote");
}

#[test]
fn bytes_that_are_not_utf8_are_found_at_their_line() {
    let found = error(b"date,return\n2020-01-02,1\n2020-01-03,\xff\n");
    assert_eq!(found, "r.csv:3: expected UTF-8 text, found another byte at column 12");
}

#[test]
fn a_long_cell_stays_one_short_message() {
    let found = error(format!("date,return\n{},1\n", "x".repeat(100_000)));
    assert!(found.len() < 200, "{} characters", found.len());
}
