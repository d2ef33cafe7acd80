//! What a plugin's parameters lead to on disk.

use serde::{Deserialize, Serialize};

/// Files that a build reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// `(name, sha256 hex)` of each file. They enter the run's identity in place of the paths.
    pub files: Vec<(String, String)>,
    /// The model repository that the files are of, where they come from one.
    pub pin: Option<Pin>,
    /// The file that they were made of, where they were imported. It enters no identity: `files` have what matters.
    pub imported: Option<Imported>,
}

/// A model repository with the commit that is read. The same commit in [`Files::pins`](crate::Files::pins) makes a
/// later build read it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The repository as the settings name it, with the branch if they name one.
    pub name: String,
    /// Commit.
    pub commit: String,
}

/// The file of another format that a model folder was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// Its name, without folders.
    pub file: String,
    /// sha256 (hex) of its bytes.
    pub sha256: String,
    /// How most of its weights were stored, for example `Q4_1`.
    pub quantisation: String,
}

impl Imported {
    /// The file of a model folder that says so.
    pub const FILE: &str = "import.json";
}
