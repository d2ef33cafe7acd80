//! Every number beside that of a Python package or of an implementation from the papers, from
//! `tests/fixtures/statistics.json`, which `tests/fixtures/make.py` makes.
//!
//! Bootstraps resample the same seeds and periods on both sides, see [`draws`]; intervals and p-values of both sides'
//! own draws are compared with the error of a finite number of resamples.

mod draws;
mod search;
mod seeds;
mod track;

use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    tracks: Vec<track::Case>,
    #[serde(default)]
    runs: Vec<seeds::Case>,
    searches: Vec<search::Case>,
}

/// Relative difference that is rounding, of numbers of at least 0.001.
const ROUNDING: f64 = 1e-9;

/// What was compared.
#[derive(Default)]
struct Table {
    rows: Vec<Row>,
}

struct Row {
    metric: &'static str,
    reference: &'static str,
    cases: usize,
    worst: f64,
    limit: f64,
}

impl Table {
    /// Compares to rounding; an absent number equals an absent one.
    fn same(
        &mut self,
        case: &str,
        metric: &'static str,
        reference: &'static str,
        found: Option<f64>,
        expected: Option<f64>,
    ) {
        let difference = match (found, expected) {
            (Some(f), Some(e)) => (f - e).abs() / e.abs().max(1e-3),
            (None, None) => 0.0,
            _ => panic!("{case}: {metric} is {found:?}, {reference} has {expected:?}"),
        };
        self.add(case, metric, reference, difference, ROUNDING);
    }

    fn all(
        &mut self,
        case: &str,
        metric: &'static str,
        reference: &'static str,
        found: &[f64],
        expected: &[f64],
    ) {
        assert_eq!(found.len(), expected.len(), "{case}: {metric}");
        for (f, e) in found.iter().zip(expected) {
            self.same(case, metric, reference, Some(*f), Some(*e));
        }
    }

    /// A difference that may be up to `limit`.
    fn add(
        &mut self,
        case: &str,
        metric: &'static str,
        reference: &'static str,
        difference: f64,
        limit: f64,
    ) {
        assert!(
            difference <= limit,
            "{case}: {metric} differs from {reference} by {difference:.2e}, limit {limit:.0e}"
        );
        let row = self.rows.iter_mut().find(|row| (row.metric, row.reference) == (metric, reference));
        match row {
            Some(row) => (row.cases, row.worst) = (row.cases + 1, row.worst.max(difference)),
            None => self.rows.push(Row { metric, reference, cases: 1, worst: difference, limit }),
        }
    }

    fn print(&self) {
        println!("{:<36} {:<34} {:>6}  {:>9}  limit", "metric", "reference", "cases", "worst");
        for Row { metric, reference, cases, worst, limit } in &self.rows {
            println!("{metric:<36} {reference:<34} {cases:>6}  {worst:>9.1e}  {limit:.0e}");
        }
    }
}

fn compare(fixture: &Fixture) -> Table {
    let mut table = Table::default();
    fixture.tracks.iter().for_each(|case| case.compare(&mut table));
    fixture.runs.iter().for_each(|case| case.compare(&mut table));
    fixture.searches.iter().for_each(|case| case.compare(&mut table));
    table
}

#[test]
fn agrees_with_the_python_packages() {
    let fixture: Fixture = serde_json::from_str(include_str!("../tests/fixtures/statistics.json")).unwrap();
    assert!(fixture.tracks.len() >= 15 && fixture.runs.len() >= 5 && fixture.searches.len() >= 4);
    let table = compare(&fixture);
    assert!(table.rows.len() >= 40, "{} rows", table.rows.len());
    table.print();
}

/// `FLAGLAB_STATISTICS` names a file that `make.py --real` has written; without it there is nothing to compare.
#[test]
fn agrees_on_real_series() {
    let Some(path) = std::env::var_os("FLAGLAB_STATISTICS") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let fixture: Fixture = serde_json::from_str(&text).unwrap();
    assert!(!fixture.tracks.is_empty());
    let names: Vec<&str> = fixture.tracks.iter().map(|case| case.name.as_str()).collect();
    println!("real series: {}", names.join(", "));
    compare(&fixture).print();
}

#[test]
#[should_panic(expected = "differs")]
fn a_difference_fails() {
    Table::default().same("case", "mean", "numpy", Some(1.0), Some(1.0 + 1e-8));
}
