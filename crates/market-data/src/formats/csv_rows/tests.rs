//! Tests of the CSV rows.

use std::path::Path;

use proptest::prelude::*;

use super::rows;

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

proptest! {
    // A second implementation: the csv crate reads the same cells.
    #[test]
    fn cells_agree_with_the_csv_crate(
        table in prop::collection::vec(prop::collection::vec("[a-c,\" \n]{0,4}", 2), 1..6),
        crlf: bool,
    ) {
        let mut writer = csv::WriterBuilder::new()
            .terminator(if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') })
            .from_writer(Vec::new());
        for cells in &table {
            writer.write_record(cells).unwrap();
        }
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        let ours: Vec<Vec<String>> = split(&text).into_iter().map(|(_, cells)| cells).collect();
        prop_assert_eq!(ours, table);
    }
}
