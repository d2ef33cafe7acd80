//! What can be taken out of an experiment's folder: which leftovers there are, and how something goes.
//!
//! Whatever goes is renamed first, to a name that every reader passes over, and removed then: a crash in between leaves
//! nothing that looks whole. Nothing is followed through symbolic links. The ledger stays, and a run whose start it
//! lacks is noted there before its folder goes: the number of trials never sinks.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use trading_env::Role;

use crate::experiment_store::read_manifest;
use crate::lease::{self, Lease};
use crate::publication;
use crate::{Attempt, ExperimentStore, RunState, StateWord, StoreError, Trial, atomic, ledger, resume};

/// End of the names under which things wait for their removal.
const GONE: &str = ".gone.tmp";
/// What was written to last so long ago is nobody's temporary file any more.
const LEFT: Duration = Duration::from_secs(3600);

/// Something that nobody needs any more below an experiment's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// File or folder.
    pub path: PathBuf,
    /// The attempt that it lies in, as run and number; `None` in the experiment's own folder.
    pub attempt: Option<(String, u32)>,
    /// What it is.
    pub kind: LeftoverKind,
}

/// Kinds of leftovers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftoverKind {
    /// A temporary file or folder whose writer is gone.
    Temporary,
    /// Points to resume from of a run that has its end.
    Resume,
}

impl ExperimentStore {
    /// Whether somebody works on the attempt in `run_dir`, whatever its manifest says.
    ///
    /// # Errors
    /// When its lease cannot be read.
    pub fn is_held(&self, run_dir: &Path) -> Result<bool, StoreError> {
        lease::is_held(run_dir)
    }

    /// Leftovers in the experiment's own folder.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn leftovers(&self) -> Result<Vec<Leftover>, StoreError> {
        let leftover = |path| Leftover { path, attempt: None, kind: LeftoverKind::Temporary };
        Ok(temporaries(self.dir())?.into_iter().map(leftover).collect())
    }

    /// Leftovers of a run's attempt; none while somebody works on it.
    ///
    /// # Errors
    /// When its folder cannot be read.
    pub fn leftovers_of(&self, run_id: &str, attempt: &Attempt) -> Result<Vec<Leftover>, StoreError> {
        let dir = &attempt.dir;
        if lease::is_held(dir)? {
            return Ok(Vec::new());
        }
        let leftover =
            |path, kind| Leftover { path, attempt: Some((run_id.to_owned(), attempt.number)), kind };
        let ended = matches!(attempt.state, RunState::Completed | RunState::Failed { .. });
        let points = dir.join(resume::FOLDER);
        let mut found = Vec::new();
        if is_folder(&points) {
            if ended {
                found.push(leftover(points, LeftoverKind::Resume));
            } else {
                found.extend(temporaries(&points)?.into_iter().map(|p| leftover(p, LeftoverKind::Temporary)));
            }
        }
        // A result that counts and has not got its names yet is no leftover.
        let published =
            lease::publisher(dir)?.filter(|_| !ended).map(|lease| publication::folder(dir, lease));
        let own = temporaries(dir)?.into_iter().filter(|path| Some(path) != published.as_ref());
        found.extend(own.map(|path| leftover(path, LeftoverKind::Temporary)));
        Ok(found)
    }

    /// What removes things of this experiment.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn remover(&self) -> Result<Remover<'_>, StoreError> {
        Ok(Remover { store: self, trials: ledger::read(self.dir())?.iter().map(key).collect() })
    }
}

/// Removes things of one experiment.
pub struct Remover<'a> {
    store: &'a ExperimentStore,
    /// Trials that the ledger has.
    trials: HashSet<(String, bool)>,
}

impl Remover<'_> {
    /// Removes an attempt; false when somebody works on it.
    ///
    /// # Errors
    /// When the system refuses; the attempt is then as it was or out of sight.
    pub fn attempt(&mut self, run_id: &str, number: u32) -> Result<bool, StoreError> {
        let dir = self.store.attempt_dir(run_id, number);
        let Some(_lease) = self.lease(&dir)? else { return Ok(false) };
        if let Some(manifest) = read_manifest(&dir)?.filter(|m| m.state != StateWord::Skipped) {
            // Its line was lost in a crash: so far the folder stood for it.
            if self.trials.insert(key(&Trial::of(&manifest.start))) {
                ledger::append(self.store.dir(), &manifest.start, manifest.attempt)?;
            }
        }
        remove(&dir)?;
        Ok(true)
    }

    /// Removes a leftover; false when somebody works on the attempt that it lies in.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn leftover(&self, leftover: &Leftover) -> Result<bool, StoreError> {
        let Some((run_id, number)) = &leftover.attempt else { return remove(&leftover.path).map(|()| true) };
        let dir = self.store.attempt_dir(run_id, *number);
        let Some(lease) = self.lease(&dir)? else { return Ok(false) };
        let ended = read_manifest(&dir)?.map(|m| m.state);
        remove(&leftover.path)?;
        if matches!(ended, Some(StateWord::Completed | StateWord::Failed)) {
            // Of others the number has to stay: no two holders have the same.
            lease.remove();
        }
        Ok(true)
    }

    /// Removes the experiment's folder if nothing is in it.
    pub fn empty_folder(&self) {
        let _ = fs::remove_dir(self.store.dir());
    }

    fn lease(&self, dir: &Path) -> Result<Option<Lease>, StoreError> {
        if is_folder(dir) { Lease::take(dir, self.store.lasts()) } else { Ok(None) }
    }
}

/// What tells trials apart: a spec that is a baseline in one place may be a subject in another.
fn key(trial: &Trial) -> (String, bool) {
    (trial.arm_key.clone(), trial.role == Role::Arm)
}

/// Takes a file or folder out of sight and removes it; what is not there is no error. A symbolic link itself goes, not
/// what it leads to.
///
/// # Errors
/// When the system refuses.
pub fn remove(path: &Path) -> Result<(), StoreError> {
    let Some(is_folder) = fs::symlink_metadata(path).ok().map(|m| m.is_dir()) else { return Ok(()) };
    let there = |result: std::io::Result<()>, path: &Path| match result {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(StoreError::Io { path: path.to_owned(), source: e }),
        _ => Ok(()),
    };
    if !is_folder {
        return there(fs::remove_file(path), path);
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if name.ends_with(GONE) {
        return there(fs::remove_dir_all(path), path);
    }
    let mut names = (1..).map(|n| path.with_file_name(format!("{name}.{n}{GONE}")));
    let aside = names.find(|aside| fs::symlink_metadata(aside).is_err());
    let aside = aside.expect("invariant: the sequence does not end");
    there(fs::rename(path, &aside), path)?;
    there(fs::remove_dir_all(&aside), &aside)
}

/// Temporary files and folders in `dir` whose writers are gone: written to last an hour ago, or out of sight already.
///
/// # Errors
/// When the folder cannot be read.
pub fn temporaries(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(found),
        entries => entries.map_err(StoreError::io(dir))?,
    };
    for entry in entries {
        let entry = entry.map_err(StoreError::io(dir))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(atomic::TEMPORARY) {
            continue;
        }
        if name.ends_with(GONE) || latest(&entry.path()).is_some_and(|time| age(time) >= LEFT) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// When anything at or below `path` was last written to; `None` where that cannot be told.
fn latest(path: &Path) -> Option<SystemTime> {
    let meta = fs::symlink_metadata(path).ok()?;
    let mut time = meta.modified().ok()?;
    if meta.is_dir() {
        for entry in fs::read_dir(path).ok()? {
            time = time.max(latest(&entry.ok()?.path())?);
        }
    }
    Some(time)
}

fn age(time: SystemTime) -> Duration {
    SystemTime::now().duration_since(time).unwrap_or_default()
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}
