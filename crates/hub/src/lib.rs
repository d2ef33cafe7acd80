//! What others have published, brought to this machine: models of the Hugging Face hub into its cache, where they are
//! found again, and data sets whose bytes are known here into a folder.
//!
//! [`Hub::fetch`] and [`Published::fetch`] alone use the network, for the commands that say so. [`locate`] turns what
//! an experiment names, a folder or a repository, into a folder on this machine, and never downloads. The cache has
//! the layout of `huggingface_hub`, so that both find what the other has fetched.

mod digest;
mod error;
mod fetch;
mod locate;
#[cfg(test)]
mod loopback;
mod published;
mod repo_id;

pub use digest::sha256_of;
pub use error::HubError;
pub use fetch::{Fetched, Hub};
pub use locate::{Located, locate};
pub use published::{Published, PublishedError, PublishedFile, dataset, datasets};
pub use repo_id::RepoId;

use std::path::PathBuf;

/// Branch that a repository is read from where no revision is named.
pub const DEFAULT_REVISION: &str = "main";

/// A branch (which may have slashes), tag or commit, checked: it becomes a path in the cache.
///
/// # Errors
/// In words, when it is none.
pub fn parse_revision(text: &str) -> Result<String, String> {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_graphic() && !"\\?#%*:".contains(c))
    };
    if text.split('/').all(is_part) {
        Ok(text.to_owned())
    } else {
        Err(format!("expected a branch, tag or commit, found \"{text}\""))
    }
}

/// The hub's cache: `hub` in `HF_HOME`, else in `~/.cache/huggingface`. `None` without a home.
pub fn cache_folder() -> Option<PathBuf> {
    let home = match std::env::var_os("HF_HOME") {
        Some(home) if !home.is_empty() => PathBuf::from(home),
        _ => std::env::home_dir()?.join(".cache/huggingface"),
    };
    Some(home.join("hub"))
}

/// Whether `text` is the full name of a commit: 40 hex digits.
fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::{is_commit, parse_revision};

    #[test]
    fn a_revision_leads_nowhere_else() {
        for good in ["main", "v1.0", "refs/pr/3", "feature/x-y_z", "0123456789012345678901234567890123456789"]
        {
            assert_eq!(parse_revision(good).unwrap(), good);
        }
        for bad in ["", "/", "../x", "a/../b", "a//b", "a b", ".hidden", "a\\b", "main?x=1", "a%2Fb"] {
            assert!(parse_revision(bad).unwrap_err().starts_with("expected a branch"), "{bad}");
        }
        assert!(is_commit(&"0a".repeat(20)) && !is_commit(&"0A".repeat(20)) && !is_commit("main"));
    }
}
