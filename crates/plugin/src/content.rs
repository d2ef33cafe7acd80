//! What a plugin's parameters lead to on disk.

/// Files that a build reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// `(name, sha256 hex)` of each file. They enter the run's identity in place of the paths.
    pub files: Vec<(String, String)>,
    /// The model repository that the files are of, where they come from one.
    pub pin: Option<Pin>,
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
