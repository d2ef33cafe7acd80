//! From what an experiment names to a folder on this machine.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use hf_hub::{Cache, Repo, RepoType};
use plugin::{Files, Pin, did_you_mean, nearest_path_or_usual, path_hint};

use crate::{DEFAULT_REVISION, RepoId, is_commit};

/// A model on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Folder in Hugging Face layout.
    pub folder: PathBuf,
    /// For a repository: its name among [`Files::pins`] and the commit that the folder holds.
    pub pin: Option<Pin>,
}

/// The model that settings name. `path` is a folder when there is one of that name (relative to [`Files::root`]),
/// else `OWNER/NAME` of a repository of which the hub's cache holds a snapshot. Which snapshot: the commit that
/// [`Files::pins`] has for it, else `revision` (a branch, tag or commit; absent: the default branch) as of its last
/// fetch. Downloads nothing.
///
/// # Errors
/// In words, with the command that fetches what is missing.
pub fn locate(path: &Path, revision: Option<&str>, files: &Files) -> Result<Located, String> {
    let folder = files.resolve(path);
    if folder.is_dir() {
        return match revision {
            None => Ok(Located { folder, pin: None }),
            Some(revision) => Err(format!(
                "{} is a folder, and only a repository of the hub has a revision; found \"{revision}\"",
                folder.display()
            )),
        };
    }
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gguf")) {
        return Err(format!(
            "{}: expected a folder or {} of a hub repository, found the name of a GGUF file; \
             `{} model import {} --out DIR` makes a folder of it",
            folder.display(),
            RepoId::ACCEPTED,
            plugin::program(),
            path.display()
        ));
    }
    let id = path.to_str().and_then(|text| text.parse::<RepoId>().ok()).ok_or_else(|| {
        format!(
            "{}: no such folder{}; expected a folder or {} of a hub repository",
            folder.display(),
            near_folder(path, files),
            RepoId::ACCEPTED
        )
    })?;
    let name = revision.map_or_else(|| id.to_string(), |revision| format!("{id}@{revision}"));
    let pinned = files.pins.get(&name).map(String::as_str);
    let wanted = pinned.or(revision);
    let found =
        files.hub.as_deref().and_then(|cache| snapshot(cache, &id, wanted.unwrap_or(DEFAULT_REVISION)));
    match found {
        Some((folder, commit)) => Ok(Located { folder, pin: Some(Pin { name, commit }) }),
        None => Err(missing(&id, wanted, pinned.is_some(), files)),
    }
}

/// Folder and commit of what the cache has of a revision.
fn snapshot(cache: &Path, id: &RepoId, revision: &str) -> Option<(PathBuf, String)> {
    let repo = Repo::with_revision(id.to_string(), RepoType::Model, revision.to_owned());
    let cached = Cache::new(cache.to_owned()).repo(repo);
    let folder = if is_commit(revision) {
        cached.pointer_path(revision)
    } else {
        cached.get("config.json")?.parent()?.to_owned()
    };
    let commit = folder.file_name()?.to_str()?.to_owned();
    (is_commit(&commit) && folder.is_dir()).then_some((folder, commit))
}

/// The model's folder that may be meant by one that is not there; a bare name may be that of one in `models`.
fn near_folder(path: &Path, files: &Files) -> String {
    let is_model = |path: &Path| path.join("config.json").is_file();
    let near = nearest_path_or_usual(&files.root, path, "models", is_model);
    path_hint(near.as_deref().map(|near| near.strip_prefix(&files.root).unwrap_or(near)))
}

/// The repository in the cache that may be meant by one that is not.
fn near_repository(id: &RepoId, files: &Files) -> String {
    let entries = files.hub.iter().flat_map(std::fs::read_dir).flatten().flatten();
    let mut cached: Vec<String> = entries
        .filter_map(|entry| {
            Some(entry.file_name().to_str()?.strip_prefix("models--")?.replacen("--", "/", 1))
        })
        .filter(|name| name != id.as_str())
        .collect();
    cached.sort();
    did_you_mean(id.as_str(), cached.iter().map(String::as_str))
}

fn missing(id: &RepoId, revision: Option<&str>, pinned: bool, files: &Files) -> String {
    let of = match (revision, pinned) {
        (Some(commit), true) => format!("commit {commit}, to which the experiment is pinned, of "),
        (Some(revision), false) => format!("revision {revision} of "),
        (None, _) => String::new(),
    };
    let option = revision.map(|revision| format!(" --revision {revision}")).unwrap_or_default();
    format!(
        "there is no folder {id}{}, and {of}the hub repository of that name is not on this machine{}; \
         `{} model fetch {id}{option}` fetches it",
        near_folder(Path::new(id.as_str()), files),
        near_repository(id, files),
        plugin::program()
    )
}
