//! What was submitted for an experiment, kept beside its runs: whoever comes later follows it and submits no run twice.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::queue::Job;
use crate::launcher::LaunchError;

/// One job array: `.slurm/<job>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Submission {
    pub job: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Number of the folder of script and output, below `.slurm`.
    pub folder: u32,
    /// Run ids of each task.
    pub tasks: Vec<Vec<String>>,
    /// Whether all of its tasks have left the queue.
    #[serde(default)]
    pub is_over: bool,
}

impl Submission {
    pub fn job(&self) -> Job {
        Job { id: self.job, cluster: self.cluster.clone() }
    }
}

/// `.slurm` in an experiment's folder.
#[derive(Debug, Clone)]
pub(super) struct Submissions {
    dir: PathBuf,
}

impl Submissions {
    /// Touches nothing.
    pub fn of(folder: &Path) -> Self {
        // Jobs begin elsewhere, with the same names for the same folders.
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        Self { dir: folder.join(".slurm") }
    }

    pub fn folder(&self, number: u32) -> PathBuf {
        self.dir.join(number.to_string())
    }

    /// The number that the next submission gets, if nobody else takes it.
    pub fn next(&self) -> u32 {
        (1..=u32::MAX).find(|number| !self.folder(*number).exists()).unwrap_or(u32::MAX)
    }

    /// A folder of one's own.
    pub fn begin(&self) -> Result<u32, LaunchError> {
        fs::create_dir_all(&self.dir).map_err(|e| told(&self.dir, &e))?;
        loop {
            let number = self.next();
            match fs::create_dir(self.folder(number)) {
                Ok(()) => return Ok(number),
                Err(e) if e.kind() == ErrorKind::AlreadyExists && number < u32::MAX => {}
                Err(e) => return Err(told(&self.folder(number), &e)),
            }
        }
    }

    /// Those with tasks that may be in the queue, oldest first. A record that cannot be read is told: its runs would be
    /// submitted again.
    pub fn current(&self) -> Result<Vec<Submission>, LaunchError> {
        let mut found: Vec<Submission> = Vec::new();
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(found),
            Err(e) => return Err(told(&self.dir, &e)),
        };
        for entry in entries {
            let path = entry.map_err(|e| told(&self.dir, &e))?.path();
            if path.extension().is_none_or(|end| end != "json") {
                continue;
            }
            let text = fs::read_to_string(&path).map_err(|e| told(&path, &e))?;
            let submission: Submission = serde_json::from_str(&text).map_err(|e| told(&path, &e))?;
            if !submission.is_over {
                found.push(submission);
            }
        }
        found.sort_by_key(|submission| submission.folder);
        Ok(found)
    }

    /// Keeps it under its job's number, in the place of what was there.
    pub fn keep(&self, submission: &Submission) -> Result<(), LaunchError> {
        let cluster = submission.cluster.as_ref().map(|name| format!("{name}.")).unwrap_or_default();
        let path = self.dir.join(format!("{}.{cluster}json", submission.job));
        let text = serde_json::to_string(submission).map_err(|e| told(&path, &e))?;
        write(&path, &text)
    }
}

/// Writes a file that appears under its name when it is complete.
pub(super) fn write(path: &Path, text: &str) -> Result<(), LaunchError> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = fs::File::create(&temporary).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    written.map_err(|e| told(path, &e))
}

fn told(path: &Path, error: &dyn std::fmt::Display) -> LaunchError {
    LaunchError(format!("{}: {error}", path.display()))
}
