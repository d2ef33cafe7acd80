//! Names of repositories.

use std::fmt;
use std::str::FromStr;

/// `OWNER/NAME` of a model repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoId(String);

impl RepoId {
    /// What a repository's name may be, for messages.
    pub const ACCEPTED: &str = "OWNER/NAME, each of letters, digits, `-`, `_` and `.`";

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepoId {
    type Err = String;

    /// Accepts what the hub accepts: no part begins or ends with `-` or `.`, and none holds `--` or `..`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_part = |part: &str| {
            !part.is_empty()
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
                && !part.starts_with(['-', '.'])
                && !part.ends_with(['-', '.'])
                && !part.contains("--")
                && !part.contains("..")
        };
        match text.split_once('/') {
            Some((owner, name)) if is_part(owner) && is_part(name) => Ok(Self(text.to_owned())),
            _ => Err(format!("expected {}, found \"{text}\"", Self::ACCEPTED)),
        }
    }
}

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::RepoId;

    #[test]
    fn a_name_has_an_owner_and_nothing_that_leads_elsewhere() {
        for good in ["HuggingFaceTB/SmolLM2-135M-Instruct", "a/b", "meta-llama/Llama-3.2_1B"] {
            assert_eq!(good.parse::<RepoId>().unwrap().as_str(), good);
        }
        for bad in
            ["", "gpt2", "/", "a/", "/b", "a/b/c", "../b", "a/..", "./a", "a/.b", "a/b--c", "a b/c", "a\\b/c"]
        {
            let error = bad.parse::<RepoId>().unwrap_err();
            assert!(error.starts_with("expected OWNER/NAME") && error.contains(bad), "{bad}: {error}");
        }
    }
}
