//! Where relative paths start.

use std::path::{Path, PathBuf};

/// Resolves paths of an experiment file.
#[derive(Debug, Clone)]
pub struct Files {
    /// Folder that relative paths start from: the workspace root, or the experiment's folder outside of one.
    pub root: PathBuf,
    /// Folder of real data (`FLAGLAB_DATA`), if set.
    pub data: Option<PathBuf>,
}

impl Files {
    /// `path` itself when absolute, else below `root`.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        if path.is_absolute() { path.to_owned() } else { self.root.join(path) }
    }
}
