//! Test scores of a sweep as a table for the terminal: means over the completed seeds of each arm.

use report::ReportInput;
use serde_json::{Value, json};

use crate::output;

/// Columns: heading, score by its dotted name, factor, digits.
const COLUMNS: [(&str, &str, f64, usize); 6] = [
    ("Sharpe", "sharpe", 1.0, 3),
    ("return %", "cumulative_return", 100.0, 2),
    ("CR %", "paper.cr", 1.0, 3),
    ("SR", "paper.sr", 1.0, 3),
    ("AV %", "paper.av", 1.0, 3),
    ("MDD %", "paper.mdd", 1.0, 3),
];

/// An arm with at least one completed run.
struct Row<'a> {
    /// Index of the arm in the plan.
    arm: usize,
    name: &'a str,
    symbol: &'a str,
    rules: &'a str,
    runs: usize,
    /// One per column; absent where it is undefined for a completed run.
    means: Vec<Option<f64>>,
}

fn rows(input: &ReportInput) -> Vec<Row<'_>> {
    let row = |(index, arm)| {
        let arm: &report::PlannedArm = arm;
        let completed = input.runs.iter().filter(|run| run.arm == index);
        let completed: Vec<_> = completed.filter(|run| run.state == store::RunState::Completed).collect();
        let data = &completed.first()?.manifest.as_ref()?.start.data;
        let mean = |name: &str| {
            let sum: Option<f64> = completed.iter().map(|run| run.test_metric(name)).sum();
            sum.map(|sum| sum / completed.len() as f64)
        };
        Some(Row {
            arm: index,
            name: &arm.name,
            symbol: &data.symbol,
            rules: arm.spec.get("rules").and_then(|rules| rules.get("kind")?.as_str()).unwrap_or_default(),
            runs: completed.len(),
            means: COLUMNS.iter().map(|(_, name, ..)| mean(name)).collect(),
        })
    };
    input.plan.arms.iter().enumerate().filter_map(row).collect()
}

fn marked(input: &ReportInput, row: &Row<'_>, selected: &[usize]) -> String {
    // What windows or tasks have selected has it for a name.
    let is_made = input.plan.arms[row.arm].place.made.is_some();
    let mark = if selected.contains(&row.arm) && !is_made { " (selected)" } else { "" };
    format!("{}{mark}", row.name)
}

/// What is selected on validation data, a line each; empty where nothing is.
pub(crate) fn selection(input: &ReportInput) -> String {
    section("selection on validation data", &report::selections(input).sentences)
}

fn section(title: &str, lines: &[String]) -> String {
    if lines.is_empty() { String::new() } else { format!("{title}\n  {}\n", lines.join("\n  ")) }
}

/// The table, with columns for data and rules where they differ between arms; empty when nothing has completed.
pub(crate) fn table(input: &ReportInput) -> String {
    let pooled = report::pooled(input);
    let rows = rows(&pooled);
    let selected = report::selections(input).arms;
    let Some(first) = rows.first() else { return String::new() };
    let differ = |of: fn(&Row<'_>) -> String| rows.iter().any(|row| of(row) != of(first));
    let mut heads = vec!["arm".to_owned()];
    let mut words: Vec<Vec<String>> = rows.iter().map(|row| vec![marked(&pooled, row, &selected)]).collect();
    let mut tell = |head: &str, of: fn(&Row<'_>) -> String| {
        if differ(of) {
            heads.push(head.to_owned());
            words.iter_mut().zip(&rows).for_each(|(words, row)| words.push(of(row)));
        }
    };
    tell("data", |row| row.symbol.to_owned());
    tell("rules", |row| row.rules.to_owned());
    let n_words = heads.len();
    heads.push("runs".to_owned());
    heads.extend(COLUMNS.iter().map(|(head, ..)| (*head).to_owned()));
    for (words, row) in words.iter_mut().zip(&rows) {
        words.push(row.runs.to_string());
        for (mean, (_, _, factor, digits)) in row.means.iter().zip(COLUMNS) {
            words.push(mean.map_or_else(|| "-".to_owned(), |mean| format!("{:.digits$}", factor * mean)));
        }
    }
    words.insert(0, heads);
    format!("test scores, means over completed runs\n{}", output::table(&words, n_words))
}

/// What arms on several backends show, a line each; empty where there are none.
pub(crate) fn backends(input: &ReportInput) -> String {
    section("backends", &report::backend_sentences(input))
}

/// The same for programs, in the units of `evaluate`.
pub(crate) fn json(input: &ReportInput) -> Value {
    let row = |row: Row<'_>| {
        let mut scores =
            json!({ "arm": row.name, "symbol": row.symbol, "rules": row.rules, "runs": row.runs });
        for (mean, (_, name, ..)) in row.means.iter().zip(&COLUMNS) {
            let mut at = &mut scores;
            for part in name.split('.') {
                at = &mut at[part];
            }
            *at = json!(mean);
        }
        scores
    };
    rows(input).into_iter().map(row).collect()
}
