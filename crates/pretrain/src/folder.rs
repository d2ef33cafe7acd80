//! A model folder: there as a whole or not at all, and never overwritten.

use std::path::{Path, PathBuf};

use crate::PretrainError;

/// A hidden folder beside the one to be. Dropped before [`NewFolder::publish`], it is removed.
pub(crate) struct NewFolder {
    target: PathBuf,
    temporary: PathBuf,
}

impl NewFolder {
    /// Checks that `target` can be made, and makes the hidden one.
    pub fn create(target: &Path) -> Result<Self, PretrainError> {
        let fail = |problem: String| PretrainError::Folder { path: target.to_owned(), problem };
        must_be_new(target)?;
        let name = target.file_name().map(|n| n.to_string_lossy().into_owned());
        let name = name.ok_or_else(|| fail("expected a path that ends with the model's name".to_owned()))?;
        let parent = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let temporary = parent.join(format!(".{name}.tmp-{}", std::process::id()));
        let failed = |e: std::io::Error| fail(format!("cannot be written: {e}"));
        std::fs::create_dir_all(parent).map_err(failed)?;
        std::fs::create_dir(&temporary).map_err(failed)?;
        Ok(Self { target: target.to_owned(), temporary })
    }

    /// Where files are written.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Writes one text file.
    pub fn write(&self, name: &str, text: &str) -> Result<(), PretrainError> {
        let path = self.temporary.join(name);
        std::fs::write(&path, text)
            .map_err(|e| PretrainError::Folder { path, problem: format!("cannot be written: {e}") })
    }

    /// Gives the folder its name.
    pub fn publish(self) -> Result<(), PretrainError> {
        must_be_new(&self.target)?;
        std::fs::rename(&self.temporary, &self.target).map_err(|e| PretrainError::Folder {
            path: self.target.clone(),
            problem: format!("cannot be written: {e}"),
        })
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        // Gone already when it was published; an error on the way to it is the one to tell.
        let _ = std::fs::remove_dir_all(&self.temporary);
    }
}

fn must_be_new(path: &Path) -> Result<(), PretrainError> {
    if path.symlink_metadata().is_ok() {
        let problem = "exists already, expected a new path: models are never overwritten".to_owned();
        return Err(PretrainError::Folder { path: path.to_owned(), problem });
    }
    Ok(())
}
