//! The ledger of trials: every start of a run, appended to `ledger.jsonl`.
//!
//! A trial is a distinct resolved spec without its seed that was ever started; failed and abandoned ones count. The
//! count enters the deflated Sharpe ratio, so it must not sink when somebody removes run folders that disappointed:
//! hence a file of its own beside the folders. Folders whose line was lost in a crash are added from their manifests.

use std::fs::OpenOptions;
use std::io::Write;
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

/// Appends one start. A single write of a short line to a file opened for appending is not torn by other processes.
pub(crate) fn append(dir: &Path, start: &ManifestStart, attempt: u32) -> Result<(), StoreError> {
    let path = dir.join(NAME);
    let line = Line { trial: &Trial::of(start), run_id: &start.run_id, seed: start.seed, attempt };
    let mut text = serde_json::to_string(&line).map_err(StoreError::json(&path))?;
    text.push('\n');
    let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(StoreError::io(&path))?;
    file.write_all(text.as_bytes()).map_err(StoreError::io(&path))
}

/// Distinct trials in order of their first start. A line that a crash cut short is passed over: its run folder's
/// manifest stands for it.
pub(crate) fn read(dir: &Path) -> Result<Vec<Trial>, StoreError> {
    let path = dir.join(NAME);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StoreError::Io { path, source }),
    };
    Ok(distinct(text.lines().filter_map(|line| serde_json::from_str(line).ok())))
}

pub(crate) fn distinct(trials: impl Iterator<Item = Trial>) -> Vec<Trial> {
    let mut seen = std::collections::HashSet::new();
    trials.filter(|t| seen.insert(t.arm_key.clone())).collect()
}
