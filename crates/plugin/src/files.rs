//! Where relative paths start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Commits of model repositories, by the name that settings give them, see [`Pin`](crate::Pin).
pub type Pins = BTreeMap<String, String>;

/// Resolves paths of an experiment file.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// Folder that relative paths start from: the workspace root, or the experiment's folder outside of one.
    pub root: PathBuf,
    /// Folder of real data (`FLAGLAB_DATA`), if set.
    pub data: Option<PathBuf>,
    /// Cache of the Hugging Face hub (`HF_HOME/hub`), if it is known where that is.
    pub hub: Option<PathBuf>,
    /// Commits that stand for repositories, whatever their branches say now: from an experiment's lock or a stored run.
    pub pins: Pins,
}

impl Files {
    /// `path` itself when absolute, else below `root`.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        if path.is_absolute() { path.to_owned() } else { self.root.join(path) }
    }
}
