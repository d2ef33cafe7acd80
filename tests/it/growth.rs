//! What sweeps of many runs take.

use std::collections::HashMap;
use std::process::Command;

/// What `many` tells of a sweep of `runs` runs, arms of 10 seeds.
fn sweep(runs: usize) -> HashMap<String, f64> {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_many"))
        .args([&runs.to_string(), "10"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let value = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    text.lines().map(value).collect()
}

/// About 9 KB per run were measured here, and 7 KB from there to 3,000 runs: a run's identity, state and cells of the
/// summary (150 of them are its decisions under other rules), and its share of an arm's settings. A manifest alone would take
/// more than is allowed.
#[test]
fn memory_stays_flat_over_runs() {
    let (few, many) = (sweep(100), sweep(1100));
    if few["memory"] == 0.0 {
        // This system does not tell.
        return;
    }
    let per_run = (many["memory"] - few["memory"]) / 1000.0;
    assert!(per_run < 16e3, "{per_run} bytes per run");
    assert!(many["memory"] < 80e6, "{}", many["memory"]);
}
