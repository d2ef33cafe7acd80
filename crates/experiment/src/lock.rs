//! The lock beside an experiment file: which commit of each model repository its runs read.
//!
//! The first sweep that names a repository writes it, later ones read that commit, whatever the repository's branches
//! say by then. To move on, delete the entry (or the file).

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{ConfigError, ConfigErrors, Problem};

/// Commits of repositories, by the name that the experiment gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    path: PathBuf,
    models: BTreeMap<String, LockedModel>,
    changed: bool,
}

/// One repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedModel {
    /// Commit, 40 hex digits.
    pub commit: String,
    /// sha256 (hex) of every file that a run has read, by name.
    pub files: BTreeMap<String, String>,
}

const HEADER: &str = "# Commits of the models that this experiment names, and the sha256 of their files.\n\
     # Written by its first sweep. Delete an entry to take up what was fetched last.\n\n";

impl Lock {
    /// The lock of an experiment file, `x.lock` beside `x.toml`; empty when there is none.
    ///
    /// # Errors
    /// When the file cannot be read or is no lock.
    pub fn of(experiment: &Path) -> Result<Self, ConfigErrors> {
        let path = experiment.with_extension("lock");
        let error = |text: String| {
            let problem = Problem::text(text);
            let source = path.display().to_string();
            ConfigErrors::new(vec![ConfigError { source, line: None, key: String::new(), problem }])
        };
        let models = match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|e| error(e.to_string().trim().replace('\n', "; ")))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(e) => return Err(error(e.to_string())),
        };
        Ok(Self { path, models, changed: false })
    }

    /// Where it is or will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `(name, commit)` of every repository.
    pub fn commits(&self) -> impl Iterator<Item = (String, String)> {
        self.models.iter().map(|(name, model)| (name.clone(), model.commit.clone()))
    }

    /// Takes up what a plan found of a repository. Files that are known keep their digests.
    ///
    /// # Errors
    /// When a file is not the one that was locked.
    pub fn add(&mut self, name: &str, found: &LockedModel) -> Result<(), ConfigErrors> {
        let known = self.models.entry(name.to_owned()).or_insert_with(|| {
            self.changed = true;
            LockedModel { commit: found.commit.clone(), files: BTreeMap::new() }
        });
        let problem = |key: String, found: &str, expected: &str| ConfigError {
            source: self.path.display().to_string(),
            line: None,
            key,
            problem: Problem::value(found, expected),
        };
        let mut errors = Vec::new();
        for (file, digest) in &found.files {
            match known.files.get(file) {
                None => {
                    known.files.insert(file.clone(), digest.clone());
                    self.changed = true;
                }
                Some(locked) if locked != digest => {
                    let key = format!("{name}: {file}");
                    errors.push(problem(key, &format!("sha256 {digest}"), &format!("sha256 {locked}")));
                }
                Some(_) => {}
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(ConfigErrors::new(errors)) }
    }

    /// Writes the file if something was added; whether it was.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self) -> std::io::Result<bool> {
        if !self.changed {
            return Ok(false);
        }
        let text =
            toml::to_string(&self.models).expect("invariant: tables with string keys can be written as TOML");
        let temporary = self.path.with_extension(format!("lock.{}.tmp", std::process::id()));
        std::fs::write(&temporary, HEADER.to_owned() + &text)?;
        std::fs::rename(&temporary, &self.path)?;
        self.changed = false;
        Ok(true)
    }
}
