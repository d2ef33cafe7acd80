//! Where an experiment's files live.

use std::path::{Path, PathBuf};

use plugin::Files;

/// Folders of one experiment.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    /// Root of the workspace, or the experiment's folder outside of one.
    pub root: PathBuf,
    /// Holds `<experiment>/<run-id>/`: `FLAGLAB_RUNS`, or `runs` below the root.
    pub runs: PathBuf,
    /// Holds `<experiment>/index.html`: `FLAGLAB_REPORTS`, or `reports` below the root.
    pub reports: PathBuf,
}

impl Paths {
    /// Folders that belong to the file (or folder) `start`.
    pub fn of(start: &Path) -> Self {
        Self::below(workspace_root(start).unwrap_or_else(|| folder_of(start)))
    }

    /// Folders that belong to a stored run: those of its workspace, else of the current folder, from which the
    /// experiment was started as a rule.
    pub fn of_run(run_dir: &Path) -> Self {
        let current = std::env::current_dir().unwrap_or_default();
        let root = workspace_root(run_dir).or_else(|| workspace_root(&current));
        Self::below(root.unwrap_or(current))
    }

    fn below(root: PathBuf) -> Self {
        let folder = |variable: &str, default: &str| match std::env::var_os(variable) {
            Some(path) if !path.is_empty() => PathBuf::from(path),
            _ => root.join(default),
        };
        Paths { runs: folder("FLAGLAB_RUNS", "runs"), reports: folder("FLAGLAB_REPORTS", "reports"), root }
    }

    /// Where relative paths of settings start; repositories are not pinned.
    pub fn files(&self) -> Files {
        let root = self.root.clone();
        let data = Some(self.data()).filter(|data| data.is_dir() || data_variable().is_some());
        Files { root, data, hub: hub::cache_folder(), ..Files::default() }
    }

    /// The folder of real data: `FLAGLAB_DATA`, or `data` below the root.
    pub fn data(&self) -> PathBuf {
        data_variable().unwrap_or_else(|| self.root.join("data"))
    }
}

fn data_variable() -> Option<PathBuf> {
    std::env::var_os("FLAGLAB_DATA").filter(|v| !v.is_empty()).map(PathBuf::from)
}

/// File that marks the root of a workspace, whatever it holds.
pub(crate) const MARKER: &str = "flaglab.toml";

/// The nearest folder at or above `start` that holds [`MARKER`].
pub(crate) fn workspace_root(start: &Path) -> Option<PathBuf> {
    let is_root = |dir: &&Path| dir.join(MARKER).is_file();
    folder_of(start).ancestors().find(is_root).map(Path::to_owned)
}

/// `start` itself when it is a folder, else the one that it lies in.
fn folder_of(start: &Path) -> PathBuf {
    let start = std::path::absolute(start).unwrap_or_else(|_| start.to_owned());
    if start.is_dir() { start } else { start.parent().map_or_else(|| start.clone(), Path::to_owned) }
}

/// `path` as a reader would type it: relative to the current folder when it lies below it.
pub(crate) fn shown(path: &Path) -> String {
    let current = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&current).unwrap_or(path).display().to_string()
}
