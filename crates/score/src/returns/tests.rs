//! Numbers of a return file, and files that cannot be opened.

use std::path::Path;

use super::read_returns_csv;

fn read(text: &str) -> Result<Vec<f64>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.csv");
    std::fs::write(&path, text).unwrap();
    read_returns_csv(&path).map(|r| r.returns).map_err(|e| e.to_string())
}

#[test]
fn finite_numbers_are_read() {
    let text = "date,return\n2020-01-02,1.2e-05\n2020-01-03,-0.5\n2020-01-04,0\n2020-01-05,+.25\n";
    assert_eq!(read(text), Ok(vec![1.2e-5, -0.5, 0.0, 0.25]));
}

#[test]
fn other_cells_are_named_with_their_line() {
    for cell in ["NaN", "inf", "-inf", "1.2%", "", "abc", "1e999", "\"0,012\"", "1_000"] {
        let error = read(&format!("date,return\n2020-01-02,0.1\n2020-01-03,{cell}\n")).unwrap_err();
        assert!(error.contains("r.csv:3: expected "), "{cell}: {error}");
    }
    let error = read("date,return\n2020-01-02,1.2%\n").unwrap_err();
    assert!(
        error.ends_with(
            "expected a finite number such as 0.012 or 1.2e-05 in column `return`, found \"1.2%\""
        ),
        "{error}"
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = read_returns_csv(Path::new("/nowhere/r.csv")).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/r.csv: "), "{error}");
}
