//! A model folder: there as a whole or not at all, and never overwritten.

use std::path::{Path, PathBuf};

use crate::LlmError;

/// A hidden folder beside the one to be. Dropped before [`NewFolder::publish`], it is removed, with the folders around it
/// that were made for it.
#[derive(Debug)]
pub struct NewFolder {
    target: PathBuf,
    temporary: PathBuf,
    /// Folders around it that were made for it, the innermost first.
    around: Vec<PathBuf>,
}

impl NewFolder {
    /// Checks that nothing of the name `target` exists, before work that would be in vain.
    ///
    /// # Errors
    /// When something does.
    pub fn check(target: &Path) -> Result<(), LlmError> {
        must_be_new(target)
    }

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
        let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let around = parent.ancestors().take_while(is_missing).map(Path::to_owned).collect();
        let folder = Self { target: target.to_owned(), temporary, around };
        std::fs::create_dir_all(parent).map_err(failed)?;
        std::fs::create_dir(&folder.temporary).map_err(failed)?;
        Ok(folder)
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
    pub fn publish(mut self) -> Result<(), LlmError> {
        must_be_new(&self.target)?;
        std::fs::rename(&self.temporary, &self.target).map_err(|e| LlmError::Malformed {
            path: self.target.clone(),
            problem: format!("cannot be written: {e}"),
        })?;
        self.around.clear();
        Ok(())
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        // Gone already when it was published; an error on the way to it is the one to tell.
        let _ = std::fs::remove_dir_all(&self.temporary);
        // Those that hold something else by now stay.
        for folder in &self.around {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

fn must_be_new(path: &Path) -> Result<(), LlmError> {
    if path.symlink_metadata().is_ok() {
        let problem = "exists already, expected a new path: models are never overwritten".to_owned();
        return Err(LlmError::Malformed { path: path.to_owned(), problem });
    }
    Ok(())
}
