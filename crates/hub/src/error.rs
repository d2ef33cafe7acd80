//! What can go wrong between the hub and a folder.

use std::path::PathBuf;

use crate::RepoId;

/// Errors name repository or file, what was found and what is accepted.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The endpoint knows no such repository or revision.
    #[error("{id}: {endpoint} has no repository or no revision \"{revision}\" of that name (404)")]
    NotFound {
        /// Repository.
        id: RepoId,
        /// Branch, tag or commit.
        revision: String,
        /// Server.
        endpoint: String,
    },
    /// The endpoint wants to know who asks.
    #[error(
        "{id}: {endpoint} refuses it ({status}): it does not exist, is private, or its terms were not accepted; \
         {token}"
    )]
    Refused {
        /// Repository.
        id: RepoId,
        /// Server.
        endpoint: String,
        /// 401 or 403.
        status: u16,
        /// What is known of the token.
        token: &'static str,
    },
    /// The repository holds nothing that can be loaded.
    #[error("{id} at {commit}: {problem}")]
    Unusable {
        /// Repository.
        id: RepoId,
        /// Commit.
        commit: String,
        /// What is missing, and what is there instead.
        problem: String,
    },
    /// A file is not what the endpoint says it is.
    #[error("{id}: {file}: {problem}; the file was removed")]
    Corrupt {
        /// Repository.
        id: RepoId,
        /// File in the repository.
        file: String,
        /// Found and expected.
        problem: String,
    },
    /// The endpoint does not answer as a hub does.
    #[error("{endpoint}: {what}: {problem}")]
    Protocol {
        /// Server.
        endpoint: String,
        /// What was asked for.
        what: String,
        /// Its answer.
        problem: String,
    },
    /// No connection, or it broke off.
    #[error("{endpoint}: {what}: {problem}; what was received is kept, the same command resumes")]
    Connection {
        /// Server.
        endpoint: String,
        /// What was asked for.
        what: String,
        /// What happened.
        problem: String,
    },
    /// The cache cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl HubError {
    /// Whether asking for something else is what helps, and not another try.
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::Connection { .. } | Self::Io { .. })
    }
}
