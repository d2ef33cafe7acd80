//! Tests of the CSV rows.

use std::path::Path;

use proptest::prelude::*;

use super::{csv_rows, rows};

fn split(text: &str) -> Vec<(usize, Vec<String>)> {
    rows(Path::new("f.csv"), text).unwrap().into_iter().map(|r| (r.line, r.cells)).collect()
}

fn row(line: usize, cells: &[&str]) -> (usize, Vec<String>) {
    (line, cells.iter().map(|c| (*c).to_owned()).collect())
}

#[test]
fn lines_are_physical() {
    assert_eq!(
        split("a,b\n1,2\n\n3,4"),
        [row(1, &["a", "b"]), row(2, &["1", "2"]), row(3, &[""]), row(4, &["3", "4"])]
    );
    assert_eq!(split("a,b\r\n1,\r\n"), [row(1, &["a", "b"]), row(2, &["1", ""])]);
    // The quoted cell takes lines 2 and 3.
    assert_eq!(split("a\n\"x\ny\"\nz"), [row(1, &["a"]), row(2, &["x\ny"]), row(4, &["z"])]);
    assert_eq!(split(""), []);
}

#[test]
fn quotes_follow_rfc_4180() {
    assert_eq!(split("\"a,b\",\"say \"\"hi\"\"\",\"\"\n"), [row(1, &["a,b", "say \"hi\"", ""])]);
    let error = |text| rows(Path::new("f.csv"), text).unwrap_err().to_string();
    assert_eq!(error("a\n\"b\nc\n"), "f.csv: line 2: found a quote that is never closed, expected `\"`");
    assert!(error("\"a\"b\n").starts_with("f.csv: line 1: found text after a closing quote"));
}

#[test]
fn an_error_has_the_line_of_its_quote() {
    let error = |text| csv_rows(text).map_err(|e| (e.line, e.found)).unwrap_err();
    let (open, after) = ("a quote that is never closed", "text after a closing quote");
    // The first cell takes lines 2 and 3, and the second one begins on line 3.
    assert_eq!(error("a,b\n\"1\n2\",\"3\n4,5\n"), (3, open));
    assert_eq!(error("a,b\n\"1\n2\",\"3\n4\"5\n"), (4, after));
    assert_eq!(error("\n\n\"a\"\r,b\n"), (3, after));
    assert_eq!(error("\"a\"\"\n"), (1, open));
    assert_eq!(error("\"a\" ,b\n"), (1, after));
    // Quotes inside of a cell that does not begin with one are text.
    assert_eq!(split("a \"b\", \"c\"\n"), [row(1, &["a \"b\"", " \"c\""])]);
}

#[test]
fn a_mark_at_the_start_and_carriage_returns_elsewhere() {
    assert_eq!(split("\u{feff}\"a\",b\r\n"), [row(1, &["a", "b"])]);
    assert_eq!(
        split("a\rb,\"c\r\"\r\n\r\nd\r,e"),
        [row(1, &["a\rb", "c\r"]), row(2, &[""]), row(3, &["d\r", "e"])]
    );
}

proptest! {
    // Written by hand: whatever needs quotes has them, and a row begins where the text before it ends.
    #[test]
    fn cells_and_lines_survive_writing(
        table in prop::collection::vec(prop::collection::vec("[a-c,\"é \r\n]{0,4}", 1..4), 0..6),
        crlf: bool,
        quote_all: bool,
    ) {
        let mut text = String::new();
        let mut expected = Vec::new();
        for cells in table {
            let line = 1 + text.matches('\n').count();
            let written = cells.iter().map(|cell| {
                if quote_all || cell.contains([',', '"', '\r', '\n']) {
                    format!("\"{}\"", cell.replace('"', "\"\""))
                } else {
                    cell.clone()
                }
            });
            text += &written.collect::<Vec<_>>().join(",");
            text += if crlf { "\r\n" } else { "\n" };
            expected.push((line, cells));
        }
        while !quote_all && expected.last().is_some_and(|(_, cells)| *cells == [""]) {
            expected.pop();
        }
        prop_assert_eq!(split(&text), expected);
    }

    #[test]
    fn any_text_is_rows_or_an_error_at_one_of_its_lines(text in "[a,\"é\r\n\u{feff}]{0,24}") {
        let lines = 1 + text.matches('\n').count();
        match csv_rows(&text) {
            Ok(rows) => {
                prop_assert!(rows.windows(2).all(|w| w[0].line < w[1].line));
                prop_assert!(rows.iter().all(|r| (1..=lines).contains(&r.line) && !r.cells.is_empty()));
            }
            Err(e) => prop_assert!((1..=lines).contains(&e.line), "{e}"),
        }
    }
}
