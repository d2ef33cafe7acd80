//! All experiments of a folder of runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use store::{ExperimentStore, StoreError, StoredRun};
use trading_env::Role;

use crate::compare::COMPARISON;
use crate::plain_page::plain_page;
use crate::publish::publish;
use crate::text::{Part, TableFormat, TextTable};
use crate::{ReportError, numbers};

const TEMPLATE: &str = include_str!("../templates/index.html");

/// States in the order in which they are told.
const STATES: [&str; 6] = ["completed", "failed", "skipped", "interrupted", "running", "planned"];

/// One experiment with stored runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IndexEntry {
    /// Name of the experiment.
    pub name: String,
    /// Subjects that have a stored run.
    pub arms: usize,
    /// Baselines that have one.
    pub baselines: usize,
    /// Controls that have one.
    pub controls: usize,
    /// Stored runs by state.
    pub runs: BTreeMap<&'static str, usize>,
    /// Distinct specifications of subjects that were ever started.
    pub trials: usize,
    /// When the last run ended, UTC, RFC 3339.
    pub finished: Option<String>,
    /// Path of its report below the folder of reports, where there is one.
    pub report: Option<String>,
    /// Why it cannot be read; its numbers are then 0.
    pub problem: Option<String>,
}

/// The experiments that have runs below `runs_root`, by name.
///
/// # Errors
/// When the folder cannot be read; an experiment that cannot be is an entry with its problem.
pub fn experiments(runs_root: &Path, reports: &Path) -> Result<Vec<IndexEntry>, ReportError> {
    let entry = |store: &ExperimentStore| {
        let name = store.name();
        let report = Some(format!("{name}/index.html")).filter(|path| reports.join(path).is_file());
        let read = store.runs().and_then(|runs| read(store, &runs));
        let problem = read.as_ref().err().map(ToString::to_string);
        IndexEntry { name, report, problem, ..read.unwrap_or_else(|_| IndexEntry::empty()) }
    };
    Ok(ExperimentStore::all(runs_root)?.iter().map(entry).collect())
}

/// Writes `<reports>/index.html` and returns its path.
///
/// # Errors
/// When the page cannot be written.
pub fn index(entries: &[IndexEntry], reports: &Path) -> Result<PathBuf, ReportError> {
    let page = Page {
        entries: entries.iter().map(Line::new).collect(),
        comparisons: comparisons(reports),
        program: plugin::program(),
    };
    publish(reports.join("index.html"), &plain_page(TEMPLATE, &page)?)
}

/// What the template shows.
#[derive(Serialize)]
struct Page {
    entries: Vec<Line>,
    comparisons: Vec<(String, String)>,
    program: &'static str,
}

/// Experiments of each comparison that has a page, and the link to it.
fn comparisons(reports: &Path) -> Vec<(String, String)> {
    let folders = std::fs::read_dir(reports).into_iter().flatten().flatten();
    let page = |folder: std::fs::DirEntry| {
        let name = folder.file_name().into_string().ok()?;
        let experiments = name.strip_prefix(COMPARISON)?.replace('+', " and ");
        let is_there = folder.path().join("index.html").is_file();
        is_there.then(|| (experiments, link(&format!("{name}/index.html"))))
    };
    let mut found: Vec<(String, String)> = folders.filter_map(page).collect();
    found.sort();
    found
}

/// The experiments as a table.
pub fn index_table(entries: &[IndexEntry], format: TableFormat) -> String {
    let row = |entry: &IndexEntry| {
        let Line { name, arms, runs, trials, finished, problem, .. } = Line::new(entry);
        vec![name, arms, problem.unwrap_or(runs), trials, finished]
    };
    let heads = ["Experiment", "Arms", "Runs", "Tried", "Last finished (UTC)"];
    let rows = entries.iter().map(row).collect();
    TextTable {
        caption: "Experiments".to_owned(),
        heads: heads.map(str::to_owned).into(),
        words: 3,
        parts: vec![Part { title: None, rows }],
    }
    .write(format)
}

impl IndexEntry {
    fn empty() -> Self {
        Self {
            name: String::new(),
            arms: 0,
            baselines: 0,
            controls: 0,
            runs: BTreeMap::new(),
            trials: 0,
            finished: None,
            report: None,
            problem: None,
        }
    }
}

fn read(store: &ExperimentStore, runs: &[StoredRun]) -> Result<IndexEntry, StoreError> {
    let arms = |role| {
        let mut names: Vec<&str> = runs
            .iter()
            .map(|run| &run.manifest.start)
            .filter(|start| start.role == role)
            .map(|start| start.arm.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    };
    let mut states = BTreeMap::new();
    for run in runs {
        *states.entry(run.state.word()).or_insert(0) += 1;
    }
    Ok(IndexEntry {
        arms: arms(Role::Arm),
        baselines: arms(Role::Baseline),
        controls: arms(Role::Control),
        runs: states,
        trials: store.trials()?.iter().filter(|trial| trial.role == Role::Arm).count(),
        finished: runs.iter().filter_map(|run| run.manifest.finished.clone()).max(),
        ..IndexEntry::empty()
    })
}

/// An entry in words.
#[derive(Serialize)]
struct Line {
    name: String,
    link: Option<String>,
    arms: String,
    runs: String,
    n_trials: usize,
    trials: String,
    finished: String,
    problem: Option<String>,
}

impl Line {
    fn new(entry: &IndexEntry) -> Self {
        let more = [(entry.baselines, "baseline"), (entry.controls, "control")];
        let more = more
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!(" + {}", numbers::plural(n, word)));
        let states = STATES.iter().filter_map(|word| Some((entry.runs.get(word)?, word)));
        let states: Vec<String> = states.map(|(n, word)| format!("{} {word}", numbers::count(*n))).collect();
        let finished = entry.finished.as_deref().map(|t| t.get(..16).unwrap_or(t).replace('T', " "));
        Self {
            name: entry.name.clone(),
            link: entry.report.as_deref().map(link),
            arms: numbers::count(entry.arms) + &more.collect::<String>(),
            runs: states.join(", "),
            n_trials: entry.trials,
            trials: numbers::count(entry.trials),
            finished: finished.unwrap_or_else(|| numbers::UNDEFINED.to_owned()),
            problem: entry.problem.clone(),
        }
    }
}

/// A path as a link: what is no plain character of a path is written as bytes.
pub(crate) fn link(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+=,~".contains(&b);
    path.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
