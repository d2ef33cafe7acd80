//! `resume/`: what a run in training has saved to go on from, as one unit that is there whole or not at all.
//!
//! ```text
//! resume/state.3/          what the learner saved, and index.json: its digest and that of all rows
//! resume/rows.1/ .2/ .3/   steps, updates and timing since the point before
//! ```
//!
//! Rows and state are written under temporary names, brought to the disk and renamed, the state last. A point is as
//! good as its digests: one that was cut, changed or lacks a file counts for nothing, and the one before it is taken. Two
//! are kept.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use trading_env::{StepRecord, TimingRecord, UpdateRecord};

use crate::atomic::numbers;
use crate::parquet_file::TableWriter;
use crate::table::Table;
use crate::{StoreError, atomic, parquet_file};

pub(crate) const FOLDER: &str = "resume";
const INDEX: &str = "index.json";
/// Points that are kept.
const KEPT: u32 = 2;

/// Rows of a run between two points.
#[derive(Debug, Default)]
pub struct Rows {
    /// Environment steps.
    pub steps: Vec<StepRecord>,
    /// Updates.
    pub updates: Vec<UpdateRecord>,
    /// Speed and memory.
    pub timing: Vec<TimingRecord>,
}

/// Something to go on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumePoint {
    /// Updates that are done.
    pub updates: u32,
    /// Folder with what the learner saved.
    pub state: PathBuf,
    /// Folders with the rows so far, oldest first.
    rows: Vec<PathBuf>,
    /// Who computed them.
    pub(crate) machines: Vec<Stretch>,
}

/// `index.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Index {
    updates: u32,
    /// Names of the folders with rows, oldest first.
    rows: Vec<String>,
    /// BLAKE3 of every file, by its path in `resume/`.
    files: BTreeMap<String, String>,
    /// Who computed what led here.
    #[serde(default)]
    machines: Vec<Stretch>,
}

/// Work on a run by one type of machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stretch {
    /// Processor and adapter.
    pub machine: String,
    /// Environment steps that had been done before.
    pub from_step: u64,
}

/// `resume/` of one attempt.
#[derive(Debug)]
pub(crate) struct ResumeFolder {
    dir: PathBuf,
    /// Number of the next point.
    next: u32,
    /// Folders with rows so far and the digests of their files.
    rows: Vec<String>,
    files: BTreeMap<String, String>,
}

impl ResumeFolder {
    /// The folder of the attempt in `run_dir` and the latest point in it that is whole.
    pub fn open(run_dir: &Path) -> Result<(Self, Option<ResumePoint>), StoreError> {
        let dir = run_dir.join(FOLDER);
        let states = numbers(&dir, "state.")?;
        let point = states.iter().rev().find_map(|number| read_point(&dir, *number));
        // Beyond everything that is there, whole or not: no name is used twice.
        let last = states.last().copied().max(numbers(&dir, "rows.")?.last().copied());
        let next = 1 + last.unwrap_or(0);
        let (point, rows, files) = match point {
            Some((point, index)) => {
                let files = index.files.into_iter().filter(|(name, _)| name.starts_with("rows.")).collect();
                (Some(point), index.rows, files)
            }
            None => (None, Vec::new(), BTreeMap::new()),
        };
        Ok((Self { dir, next, rows, files }, point))
    }

    /// Saves a point: `rows` since the one before, and what `save` writes into the folder that it is given.
    pub fn save<E: From<StoreError>>(
        &mut self,
        updates: u32,
        rows: &Rows,
        machines: &[Stretch],
        save: &mut dyn FnMut(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        let number = self.next;
        self.next += 1;
        let (rows_name, state_name) = (format!("rows.{number}"), format!("state.{number}"));
        let temporary = |name: &str| self.dir.join(format!("{name}{}", atomic::TEMPORARY));
        let rows_dir = empty(&temporary(&rows_name))?;
        write_rows(rows_dir.join("steps.parquet"), &rows.steps)?;
        write_rows(rows_dir.join("updates.parquet"), &rows.updates)?;
        write_rows(rows_dir.join("timing.parquet"), &rows.timing)?;
        let mut files = self.files.clone();
        digests(&rows_dir, &rows_name, &mut files)?;
        let of_rows = files.clone();

        let state_dir = empty(&temporary(&state_name))?;
        save(&state_dir)?;
        digests(&state_dir, &state_name, &mut files)?;
        let names: Vec<String> = self.rows.iter().cloned().chain([rows_name.clone()]).collect();
        let index = Index { updates, rows: names.clone(), files, machines: machines.to_vec() };
        let path = state_dir.join(INDEX);
        let text = serde_json::to_string(&index).map_err(StoreError::json(&path))?;
        fs::write(&path, text).map_err(StoreError::io(&path))?;

        publish(&rows_dir, &self.dir.join(&rows_name))?;
        publish(&state_dir, &self.dir.join(&state_name))?;
        atomic::sync_folder(&self.dir)?;
        self.rows = names;
        self.files = of_rows;
        for old in numbers(&self.dir, "state.")?.into_iter().filter(|old| old + KEPT <= number) {
            let old = self.dir.join(format!("state.{old}"));
            fs::remove_dir_all(&old).map_err(StoreError::io(&old))?;
        }
        Ok(())
    }

    /// Removes everything: the run has its end.
    pub fn remove(&self) -> Result<(), StoreError> {
        match fs::remove_dir_all(&self.dir) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(StoreError::Io { path: self.dir.clone(), source: e })
            }
            _ => Ok(()),
        }
    }
}

impl ResumePoint {
    /// Hands over the rows so far, oldest first.
    pub(crate) fn each_rows(
        &self,
        mut take: impl FnMut(Rows) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for dir in &self.rows {
            take(Rows {
                steps: read_rows(&dir.join("steps.parquet"))?,
                updates: read_rows(&dir.join("updates.parquet"))?,
                timing: read_rows(&dir.join("timing.parquet"))?,
            })?;
        }
        Ok(())
    }
}

/// A point whose files are all there and as they were written.
fn read_point(dir: &Path, number: u32) -> Option<(ResumePoint, Index)> {
    let state = dir.join(format!("state.{number}"));
    let index: Index = serde_json::from_str(&fs::read_to_string(state.join(INDEX)).ok()?).ok()?;
    let is_whole = |(name, digest): (&String, &String)| {
        fs::read(dir.join(name)).is_ok_and(|bytes| blake3::hash(&bytes).to_hex().as_str() == digest)
    };
    let rows = index.rows.iter().map(|name| dir.join(name)).collect();
    let point = ResumePoint { updates: index.updates, state, rows, machines: index.machines.clone() };
    index.files.iter().all(is_whole).then_some((point, index))
}

/// An empty folder of that name.
fn empty(dir: &Path) -> Result<PathBuf, StoreError> {
    if dir.exists() {
        fs::remove_dir_all(dir).map_err(StoreError::io(dir))?;
    }
    fs::create_dir_all(dir).map_err(StoreError::io(dir))?;
    Ok(dir.to_owned())
}

/// Adds the digests of a folder's files, which are going to be in `name`.
fn digests(dir: &Path, name: &str, into: &mut BTreeMap<String, String>) -> Result<(), StoreError> {
    for entry in fs::read_dir(dir).map_err(StoreError::io(dir))? {
        let path = entry.map_err(StoreError::io(dir))?.path();
        let file = path.file_name().and_then(|n| n.to_str()).ok_or_else(|| StoreError::Invalid {
            path: path.clone(),
            problem: "expected a name in UTF-8".to_owned(),
        })?;
        let bytes = fs::read(&path).map_err(StoreError::io(&path))?;
        into.insert(format!("{name}/{file}"), blake3::hash(&bytes).to_hex().to_string());
    }
    Ok(())
}

fn publish(from: &Path, to: &Path) -> Result<(), StoreError> {
    atomic::sync_all(from, &[])?;
    fs::rename(from, to).map_err(StoreError::io(to))
}

fn write_rows<R: Table + Clone>(path: PathBuf, rows: &[R]) -> Result<(), StoreError> {
    let mut writer = TableWriter::begin(path)?;
    for row in rows {
        writer.push(row.clone())?;
    }
    writer.finish()
}

fn read_rows<R: Table>(path: &Path) -> Result<Vec<R>, StoreError> {
    let mut all = Vec::new();
    for rows in parquet_file::read::<R>(path)? {
        all.extend(rows?);
    }
    Ok(all)
}
