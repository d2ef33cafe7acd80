//! Arms of several experiments side by side.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::{Value, json};
use stats::{Seed, SeedScores};
use trading_env::Role;

use crate::arm_scores::{completed, score, seed_scores};
use crate::estimate::Cell;
use crate::groups::planned_window;
use crate::index::link;
use crate::metric::{Metric, SCORES};
use crate::plain_page::plain_page;
use crate::pooled::Pooled;
use crate::publish::publish;
use crate::text::{COLUMNS, Column, PARTS, Part, TextTable, caption, runs, summary};
use crate::{PlannedArm, ReportError, ReportInput, numbers, settings};

const TEMPLATE: &str = include_str!("../templates/compare.html");

/// How the folders of comparisons begin.
pub(crate) const COMPARISON: &str = "compare-";

/// What stands after the first of [`COLUMNS`].
const ABOVE: &str = "Sharpe above Buy & Hold";

/// Arms with one test window under one set of rules, whatever experiment they come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Compared {
    key: Key,
    symbol: String,
    rules: String,
    /// Their name alone.
    rules_kind: String,
    /// First and last day of the test window, as the first experiment plans it.
    window: Option<(String, String)>,
    rows: Vec<Row>,
}

/// What has to be the same: data by content, first and last day of the decisions, the rules with their settings.
#[derive(Debug, Clone, PartialEq)]
struct Key {
    fingerprint: String,
    decisions: Option<Vec<NaiveDate>>,
    rules: Option<Value>,
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    /// Several for baselines that came out the same.
    experiments: Vec<String>,
    arm: String,
    role: Role,
    is_hold: bool,
    /// In the order of [`COLUMNS`].
    scores: Vec<SeedScores>,
    /// By seed.
    sharpe: Vec<(Seed, Option<f64>)>,
    above_hold: Option<SeedScores>,
    completed: usize,
    planned: usize,
}

/// Everything that has completed, in the order of the experiments, in as many tables as there are windows and rules.
pub(crate) fn comparison<'a>(inputs: impl IntoIterator<Item = &'a ReportInput>) -> Vec<Compared> {
    let mut tables: Vec<Compared> = Vec::new();
    for input in inputs {
        for index in 0..input.plan.arms.len() {
            let Some((table, row)) = row(input, index) else { continue };
            match tables.iter_mut().find(|t| t.key == table.key) {
                Some(known) => known.add(row),
                None => tables.push(Compared { rows: vec![row], ..table }),
            }
        }
    }
    tables.iter_mut().for_each(Compared::set_above_hold);
    tables
}

/// The arm, and the table without rows that it belongs to. `None` before a run has completed.
fn row(input: &ReportInput, index: usize) -> Option<(Compared, Row)> {
    let arm = &input.plan.arms[index];
    let manifest = completed(input, index).find_map(|run| run.manifest.as_ref())?;
    let data = &manifest.start.data;
    let dates = completed(input, index).find_map(|run| run.curve.as_ref()).map(|curve| &curve.dates);
    let ends = dates.and_then(|dates| Some((*dates.first()?, *dates.last()?)));
    let rules = arm.spec.get("rules").cloned();
    let table = Compared {
        symbol: data.symbol.clone(),
        rules: rules.as_ref().map_or_else(|| "unnamed".to_owned(), settings::text),
        rules_kind: settings::at(&arm.spec, "rules").as_ref().map(settings::text).unwrap_or_default(),
        window: planned_window(arm).or(ends.map(|(first, last)| (first.to_string(), last.to_string()))),
        key: Key { fingerprint: data.fingerprint.clone(), decisions: dates.cloned(), rules },
        rows: Vec::new(),
    };
    let row = Row {
        experiments: vec![input.plan.experiment.clone()],
        arm: arm.name.clone(),
        role: arm.role,
        is_hold: arm.role == Role::Baseline
            && settings::at(&arm.spec, "agent") == Some("buy-and-hold".into()),
        scores: COLUMNS.iter().map(|column| seed_scores(input, index, column.key)).collect(),
        sharpe: completed(input, index).map(|run| (Seed(run.seed), score(run, "sharpe"))).collect(),
        above_hold: None,
        completed: completed(input, index).count(),
        planned: input.runs.iter().filter(|run| run.arm == index).count(),
    };
    Some((table, row))
}

impl Compared {
    /// The same baseline on the same window need not stand twice.
    fn add(&mut self, row: Row) {
        let is_same = |known: &&mut Row| {
            row.role == Role::Baseline
                && (&known.arm, known.role, &known.scores) == (&row.arm, row.role, &row.scores)
        };
        match self.rows.iter_mut().find(is_same) {
            Some(known) => known.experiments.extend(row.experiments),
            None => self.rows.push(row),
        }
    }

    /// Buy & Hold of the row's own experiment, else anybody's: it is the same market.
    fn set_above_hold(&mut self) {
        let holds: Vec<(Vec<String>, Option<f64>)> = (self.rows.iter().filter(|row| row.is_hold))
            .map(|row| (row.experiments.clone(), row.scores[0].mean()))
            .collect();
        for row in self.rows.iter_mut().filter(|row| !row.is_hold) {
            let own = holds.iter().find(|(experiments, _)| experiments.contains(&row.experiments[0]));
            let hold = own.or(holds.first()).and_then(|(_, mean)| *mean);
            let above =
                |hold: f64| SeedScores::new(row.sharpe.iter().map(|(seed, s)| (*seed, s.map(|s| s - hold))));
            row.above_hold = hold.map(above);
        }
    }

    fn of_role(&self, role: Role) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.role == role)
    }

    /// The table outside of the page.
    pub(crate) fn text(&self) -> TextTable {
        let row = |row: &Row| {
            let [sharpe, more @ ..] = &COLUMNS;
            let above = row.above_hold.as_ref().map_or(numbers::UNDEFINED.to_owned(), |s| sharpe.cell(s));
            let names = [row.experiments.join(", "), row.arm.clone()];
            let first = [sharpe.cell(&row.scores[0]), above];
            let cells = more.iter().zip(&row.scores[1..]).map(|(column, scores)| column.cell(scores));
            let runs = runs(row.completed, row.planned);
            names.into_iter().chain(first).chain(cells).chain([runs]).collect()
        };
        let part = |(role, title)| Part { title, rows: self.of_role(role).map(row).collect() };
        let heads =
            ["Experiment", "Arm", COLUMNS[0].head, "above hold", COLUMNS[1].head, COLUMNS[2].head, "Runs"];
        let more = "above hold: Sharpe less that of Buy & Hold on the same window";
        TextTable {
            caption: caption(&self.symbol, &self.rules, self.window.as_ref(), more),
            heads: heads.map(str::to_owned).into(),
            words: 2,
            parts: PARTS.map(part).into(),
        }
    }
}

fn metric(column: &Column) -> &'static Metric {
    SCORES.iter().find(|m| m.key == column.key).expect("invariant: comparisons show scores of the report")
}

/// Headings of the page's table.
fn labels() -> Vec<&'static str> {
    let mut labels: Vec<_> = COLUMNS.iter().map(|column| metric(column).label).collect();
    labels.insert(1, ABOVE);
    labels
}

impl Row {
    /// One per label; none where there is no Buy & Hold to compare with.
    fn cells(&self) -> Vec<Option<Cell>> {
        let cell = |(column, scores): (&Column, &SeedScores)| {
            let metric = metric(column);
            Some(Cell::new(metric.label, metric.unit, scores))
        };
        let mut cells: Vec<_> = COLUMNS.iter().zip(&self.scores).map(cell).collect();
        cells.insert(1, self.above_hold.as_ref().map(|scores| Cell::new(ABOVE, SCORES[0].unit, scores)));
        cells
    }
}

/// An experiment of a comparison.
pub struct ComparedExperiment<'a> {
    /// What is stored of it.
    pub input: &'a ReportInput,
    /// Path of its own report from the comparison's folder, where there is one.
    pub report: Option<String>,
}

/// Writes `<out>/compare-<a>+<b>/index.html` and returns its path.
///
/// # Errors
/// When the page cannot be written.
pub fn compare(experiments: &[ComparedExperiment<'_>], out: &Path) -> Result<PathBuf, ReportError> {
    let names: Vec<&str> = experiments.iter().map(|e| e.input.plan.experiment.as_str()).collect();
    let dir = out.join(format!("{COMPARISON}{}", names.join("+")));
    let pooled: Vec<Pooled<'_>> = experiments.iter().map(|e| Pooled::of(e.input)).collect();
    let tables = comparison(pooled.iter().map(|pooled| &*pooled.input));
    let as_judged =
        |(experiment, pooled): (&ComparedExperiment<'_>, &'_ Pooled<'_>)| line(experiment, &pooled.input);
    let lines = experiments.iter().zip(&pooled).map(as_judged).collect();
    let missing = pooled.iter().flat_map(|pooled| missing(&pooled.input)).collect();
    let page = page(experiments, lines, missing, &tables);
    publish(dir.join("index.html"), &plain_page(TEMPLATE, &page)?)
}

/// The [`summary`] of each experiment.
pub fn compared_summary(inputs: &[ReportInput]) -> Value {
    json!({ "experiments": inputs.iter().map(summary).collect::<Vec<_>>() })
}

/// What the template shows.
#[derive(Serialize)]
struct Page {
    title: String,
    experiments: Vec<ExperimentLine>,
    columns: Vec<&'static str>,
    tables: Vec<TablePage>,
    /// Arms of which nothing has completed.
    missing: Vec<(String, String)>,
}

#[derive(Serialize)]
struct ExperimentLine {
    name: String,
    title: Option<String>,
    link: Option<String>,
    arms: usize,
    runs: String,
    trials: usize,
}

#[derive(Serialize)]
struct TablePage {
    heading: String,
    rules: String,
    window: Option<(String, String)>,
    parts: Vec<PartPage>,
}

#[derive(Serialize)]
struct PartPage {
    title: Option<&'static str>,
    rows: Vec<RowPage>,
}

#[derive(Serialize)]
struct RowPage {
    experiments: String,
    arm: String,
    cells: Vec<Option<Cell>>,
    runs: String,
    completed: usize,
    is_anecdote: bool,
}

fn page(
    experiments: &[ComparedExperiment<'_>],
    lines: Vec<ExperimentLine>,
    missing: Vec<(String, String)>,
    tables: &[Compared],
) -> Page {
    let names: Vec<&str> = experiments.iter().map(|e| e.input.plan.experiment.as_str()).collect();
    Page {
        title: names.join(" and "),
        experiments: lines,
        columns: labels(),
        tables: tables.iter().map(table_page).collect(),
        missing,
    }
}

/// `judged`: with windows joined and tasks together, whose arms are counted; runs are those of the plan.
fn line(experiment: &ComparedExperiment<'_>, judged: &ReportInput) -> ExperimentLine {
    let ComparedExperiment { input, report } = experiment;
    let done = (0..input.plan.arms.len()).map(|arm| completed(input, arm).count()).sum();
    ExperimentLine {
        name: input.plan.experiment.clone(),
        title: input.plan.title.clone(),
        link: report.as_deref().map(link),
        arms: judged.plan.arms.iter().filter(|arm| arm.role == Role::Arm).count(),
        runs: runs(done, input.runs.len()),
        trials: input.trials,
    }
}

fn missing(input: &ReportInput) -> impl Iterator<Item = (String, String)> + '_ {
    let is_missing = |(index, _): &(usize, &PlannedArm)| completed(input, *index).next().is_none();
    let arms = input.plan.arms.iter().enumerate().filter(is_missing);
    arms.map(|(_, arm)| (input.plan.experiment.clone(), arm.name.clone()))
}

fn table_page(table: &Compared) -> TablePage {
    let part = |(role, title)| PartPage { title, rows: table.of_role(role).map(row_page).collect() };
    TablePage {
        heading: format!("{} · {}", table.symbol, table.rules_kind),
        rules: table.rules.clone(),
        window: table.window.clone(),
        parts: PARTS.into_iter().map(part).filter(|part| !part.rows.is_empty()).collect(),
    }
}

fn row_page(row: &Row) -> RowPage {
    RowPage {
        experiments: row.experiments.join(", "),
        arm: row.arm.clone(),
        cells: row.cells(),
        runs: runs(row.completed, row.planned),
        completed: row.completed,
        is_anecdote: row.role != Role::Baseline && row.completed < SeedScores::LEAST_FOR_INTERVAL,
    }
}
