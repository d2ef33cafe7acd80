//! A model folder: there as a whole or not at all, and never overwritten.

use std::path::{Path, PathBuf};

use crate::LlmError;

/// A hidden folder beside the one to be. Dropped before [`NewFolder::publish`], it is removed.
#[derive(Debug)]
pub struct NewFolder {
    target: PathBuf,
    temporary: PathBuf,
}

impl NewFolder {
    /// Checks that `target` can be made, and makes the hidden one.
    ///
    /// # Errors
    /// When something of that name exists or the hidden folder cannot be made.
    pub fn create(target: &Path) -> Result<Self, LlmError> {
        let fail = |problem: String| LlmError::Malformed { path: target.to_owned(), problem };
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
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), LlmError> {
        let path = self.temporary.join(name);
        std::fs::write(&path, text).map_err(|e| LlmError::io(path, e))
    }

    /// Gives the folder its name.
    ///
    /// # Errors
    /// When something took the name meanwhile, or the rename fails.
    pub fn publish(self) -> Result<(), LlmError> {
        must_be_new(&self.target)?;
        std::fs::rename(&self.temporary, &self.target).map_err(|e| LlmError::Malformed {
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

fn must_be_new(path: &Path) -> Result<(), LlmError> {
    if path.symlink_metadata().is_ok() {
        let problem = "exists already, expected a new path: models are never overwritten".to_owned();
        return Err(LlmError::Malformed { path: path.to_owned(), problem });
    }
    Ok(())
}
