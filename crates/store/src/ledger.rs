//! The ledger of trials: every start of a run, appended to `ledger.jsonl`.
//!
//! A trial is a distinct resolved spec without its seed that was ever started; failed and abandoned ones count, and
//! further attempts and seeds of the same spec do not count again. The count enters the deflated Sharpe ratio, so it must
//! not sink when somebody removes run folders that disappointed: hence a file of its own beside the folders. Folders
//! whose line was lost in a crash are added from their manifests. What this machine could not run was not started.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use trading_env::Role;

use crate::{ManifestStart, StoreError};

const NAME: &str = "ledger.jsonl";

/// One distinct spec without its seed that was ever started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Hash of the resolved spec without its seed.
    pub arm_key: String,
    /// Name of the arm when it was first started.
    pub arm: String,
    /// Subject or baseline: only subjects are trials of the search.
    pub role: Role,
}

impl Trial {
    pub(crate) fn of(start: &ManifestStart) -> Self {
        Self { arm_key: start.arm_key.clone(), arm: start.arm.clone(), role: start.role }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    trial: &'a Trial,
    run_id: &'a str,
    seed: u64,
    attempt: u32,
}

/// Appends one start. A single write of a short line to a file opened for appending is not torn by other processes of
/// this machine; where those of others tear one on a shared file system, the run's folder stands for it.
pub(crate) fn append(dir: &Path, start: &ManifestStart, attempt: u32) -> Result<(), StoreError> {
    let path = dir.join(NAME);
    let line = Line { trial: &Trial::of(start), run_id: &start.run_id, seed: start.seed, attempt };
    let mut text = serde_json::to_string(&line).map_err(StoreError::json(&path))?;
    text.push('\n');
    let mut file =
        OpenOptions::new().create(true).append(true).read(true).open(&path).map_err(StoreError::io(&path))?;
    // A line that a crash cut short must not swallow this one.
    if !is_at_line_start(&mut file).map_err(StoreError::io(&path))? {
        text.insert(0, '\n');
    }
    file.write_all(text.as_bytes()).map_err(StoreError::io(&path))
}

/// Distinct trials in order of their first start. A line that a crash cut short is passed over: its run folder's
/// manifest stands for it.
pub(crate) fn read(dir: &Path) -> Result<Vec<Trial>, StoreError> {
    let path = dir.join(NAME);
    let text = match std::fs::read(&path) {
        // A line may be cut within a letter.
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StoreError::Io { path, source }),
    };
    Ok(distinct(text.lines().filter_map(|line| serde_json::from_str(line).ok())))
}

/// One trial per spec, in order of the first start. A spec that was ever a subject is one, whatever else it was.
pub(crate) fn distinct(trials: impl IntoIterator<Item = Trial>) -> Vec<Trial> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut distinct: Vec<Trial> = Vec::new();
    for trial in trials {
        match places.get(&trial.arm_key) {
            Some(&place) if trial.role == Role::Arm => distinct[place].role = Role::Arm,
            Some(_) => {}
            None => {
                places.insert(trial.arm_key.clone(), distinct.len());
                distinct.push(trial);
            }
        }
    }
    distinct
}

/// Whether `dir` has a ledger.
pub(crate) fn is_there(dir: &Path) -> bool {
    dir.join(NAME).is_file()
}

/// Whether the file is empty or ends with a line end.
fn is_at_line_start(file: &mut File) -> std::io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}
