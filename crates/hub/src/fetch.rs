//! Downloads a model into the hub's cache.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo, Metadata};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use serde_json::Value;

use crate::digest::Expected;
use crate::{HubError, RepoId, cache_folder, is_commit};

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";
/// Without these there is no model.
const REQUIRED: [&str; 2] = ["config.json", "tokenizer.json"];
/// What a chat template and the special tokens are read from.
const OPTIONAL: [&str; 3] = ["tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"];
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// Endings of files that Python's pickle reads.
const PICKLE: [&str; 5] = [".bin", ".pt", ".pth", ".ckpt", ".pkl"];

/// A hub and the cache that its files go to.
pub struct Hub {
    endpoint: String,
    has_token: bool,
    api: Api,
    cache: Cache,
}

/// A model in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Folder in Hugging Face layout.
    pub folder: PathBuf,
    /// Commit of the repository that the folder holds.
    pub commit: String,
    /// Names of the model's files in it.
    pub files: Vec<String>,
}

impl Hub {
    /// The hub at `HF_ENDPOINT` (else huggingface.co), with the token of `HF_TOKEN` (else that of the file `token` in
    /// `HF_HOME`), and the cache in `HF_HOME`.
    ///
    /// # Errors
    /// When neither `HF_HOME` nor a home folder is known.
    pub fn from_env() -> Result<Self, HubError> {
        let set =
            |name: &str| std::env::var(name).ok().map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let cache = cache_folder().ok_or_else(|| HubError::Io {
            path: PathBuf::from("~/.cache/huggingface"),
            source: io::Error::new(io::ErrorKind::NotFound, "there is no home folder; set HF_HOME"),
        })?;
        Self::new(&cache, set("HF_ENDPOINT").as_deref().unwrap_or(DEFAULT_ENDPOINT), set("HF_TOKEN"))
    }

    /// The hub at `endpoint`, a URL, with the cache at `cache`. Without a `token`, that of the file `token` beside the
    /// cache is sent, if there is one.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn new(cache: &Path, endpoint: &str, token: Option<String>) -> Result<Self, HubError> {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let cache = Cache::new(cache.to_owned());
        let token = token.or_else(|| cache.token());
        let has_token = token.is_some();
        let api = ApiBuilder::from_cache(cache.clone())
            .with_endpoint(endpoint.clone())
            .with_token(token)
            .build()
            .map_err(|e| connection(&endpoint, "client", &e))?;
        Ok(Self { endpoint, has_token, api, cache })
    }

    /// Brings the model of `id` at `revision` (a branch, tag or commit) into the cache: configuration, tokenizer and
    /// safetensors, one file or shards. What is there already is checked and not downloaded again; a download that
    /// broke off is resumed. `revision` then stands for this commit in the cache.
    ///
    /// # Errors
    /// When the repository cannot be read or holds no such model, and when a file's size or digest is not the one
    /// that the hub gives: such a file is removed.
    pub fn fetch(&self, id: &RepoId, revision: &str) -> Result<Fetched, HubError> {
        let at = |revision: &str| Repo::with_revision(id.to_string(), RepoType::Model, revision.to_owned());
        let asked = |e| self.api_error(id, revision, "repository", e);
        let info = self.api.repo(at(revision)).info().map_err(asked)?;
        let commit = info.sha;
        if !is_commit(&commit) {
            return Err(
                self.protocol(id.as_str(), format!("expected a commit of 40 hex digits, found \"{commit}\""))
            );
        }
        let download = Download {
            hub: self,
            id,
            commit: &commit,
            remote: self.api.repo(at(&commit)),
            local: self.cache.repo(at(&commit)),
            listed: info.siblings.into_iter().map(|s| s.rfilename).collect(),
        };
        let files = download.model()?;
        let named = self.cache.repo(at(revision));
        named.create_ref(&commit).map_err(io_at(self.cache.path()))?;
        Ok(Fetched { folder: download.local.pointer_path(&commit), commit, files })
    }

    fn api_error(&self, id: &RepoId, revision: &str, what: &str, error: ApiError) -> HubError {
        let endpoint = self.endpoint.clone();
        let status = match &error {
            ApiError::RequestError(e) => match **e {
                ureq::Error::StatusCode(status) => Some(status),
                _ => None,
            },
            _ => None,
        };
        match (status, error) {
            (Some(404), _) => HubError::NotFound { id: id.clone(), revision: revision.to_owned(), endpoint },
            (Some(status @ (401 | 403)), _) => {
                let token = if self.has_token {
                    "the token that was sent does not allow it"
                } else {
                    "no token was sent, HF_TOKEN gives one"
                };
                HubError::Refused { id: id.clone(), endpoint, status, token }
            }
            (_, ApiError::IoError(source)) if source.kind() != io::ErrorKind::UnexpectedEof => {
                HubError::Io { path: self.cache.path().clone(), source }
            }
            (_, error @ (ApiError::RequestError(_) | ApiError::IoError(_))) => {
                connection(&endpoint, what, &error)
            }
            (_, ApiError::LockAcquisition(path)) => {
                let source = io::Error::new(io::ErrorKind::WouldBlock, "another process downloads this file");
                HubError::Io { path, source }
            }
            (_, error) => self.protocol(what, error.to_string()),
        }
    }

    fn protocol(&self, what: &str, problem: String) -> HubError {
        HubError::Protocol { endpoint: self.endpoint.clone(), what: what.to_owned(), problem }
    }
}

/// One commit on its way into the cache.
struct Download<'a> {
    hub: &'a Hub,
    id: &'a RepoId,
    commit: &'a str,
    remote: ApiRepo,
    local: CacheRepo,
    /// Names of all files of the commit.
    listed: BTreeSet<String>,
}

impl Download<'_> {
    /// All files of the model; their names.
    fn model(&self) -> Result<Vec<String>, HubError> {
        if let Some(missing) = REQUIRED.iter().find(|name| !self.has(name)) {
            return Err(self.unusable(format!("there is no {missing}")));
        }
        if !self.has(WEIGHTS) && !self.has(INDEX) {
            return Err(self.without_safetensors());
        }
        let small = REQUIRED.iter().chain(&OPTIONAL).filter(|name| self.has(name));
        let mut names: Vec<String> = small.map(|name| (*name).to_owned()).collect();
        names.iter().try_for_each(|name| self.file(name).map(drop))?;
        let weights = if self.has(WEIGHTS) {
            vec![WEIGHTS.to_owned()]
        } else {
            let shards = self.shards(&self.file(INDEX)?)?;
            names.push(INDEX.to_owned());
            shards
        };
        weights.iter().try_for_each(|name| self.file(name).map(drop))?;
        names.extend(weights);
        Ok(names)
    }

    fn has(&self, name: &str) -> bool {
        self.listed.contains(name)
    }

    /// Shards that the index at `path` names, sorted.
    fn shards(&self, path: &Path) -> Result<Vec<String>, HubError> {
        let text = std::fs::read_to_string(path).map_err(io_at(path))?;
        let index: Value = serde_json::from_str(&text).unwrap_or_default();
        let Some(map) = index.get("weight_map").and_then(Value::as_object) else {
            return Err(self.unusable(format!("{INDEX}: there is no table weight_map")));
        };
        let mut shards = BTreeSet::new();
        for (tensor, shard) in map {
            // The name becomes a path: nothing but a plain file of the repository will do.
            let name = shard.as_str().filter(|n| n.ends_with(".safetensors") && !n.contains(['/', '\\']));
            let Some(name) = name.filter(|n| self.has(n)) else {
                return Err(self.unusable(format!(
                    "{INDEX}: {tensor}: expected a .safetensors file of the repository, found {shard}"
                )));
            };
            shards.insert(name.to_owned());
        }
        Ok(shards.into_iter().collect())
    }

    fn without_safetensors(&self) -> HubError {
        let is_pickle = |name: &&String| PICKLE.iter().any(|ending| name.ends_with(ending));
        self.unusable(match self.listed.iter().find(is_pickle) {
            Some(name) => format!(
                "there is no {WEIGHTS}, only {name}: pickle can run any code when it is read and is never loaded"
            ),
            None => format!("there is no {WEIGHTS} and no {INDEX}"),
        })
    }

    /// The file in the snapshot, its content checked.
    fn file(&self, name: &str) -> Result<PathBuf, HubError> {
        let api_error = |e| self.hub.api_error(self.id, self.commit, name, e);
        let metadata = self.hub.api.metadata(&self.remote.url(name)).map_err(api_error)?;
        if metadata.commit_hash() != self.commit {
            let found = metadata.commit_hash();
            return Err(self
                .hub
                .protocol(name, format!("expected commit {}, found \"{found}\"", self.commit)));
        }
        let Some(expected) = Expected::from_etag(metadata.etag()) else {
            let found = metadata.etag();
            return Err(self
                .hub
                .protocol(name, format!("expected a sha1 or sha256 as its ETag, found \"{found}\"")));
        };
        let place = Place { blob: self.local.blob_path(metadata.etag()), link: self.snapshot().join(name) };
        let problem = |size| expected.disagreement(&place.blob, size).map_err(io_at(&place.blob));
        let size = metadata.size() as u64;
        if place.blob.exists() && problem(size)?.is_none() {
            place.link().map_err(io_at(&place.link))?;
            return Ok(place.link);
        }
        place.clear().map_err(io_at(&place.blob))?;
        place.drop_finished_part(&metadata).map_err(io_at(&place.blob))?;
        self.remote.download(name).map_err(api_error)?;
        match problem(size)? {
            None => Ok(place.link),
            Some(problem) => {
                place.clear().map_err(io_at(&place.blob))?;
                Err(HubError::Corrupt { id: self.id.clone(), file: name.to_owned(), problem })
            }
        }
    }

    fn snapshot(&self) -> PathBuf {
        self.local.pointer_path(self.commit)
    }

    fn unusable(&self, problem: String) -> HubError {
        HubError::Unusable { id: self.id.clone(), commit: self.commit.to_owned(), problem }
    }
}

/// Where a file of the cache is: its content, under the name of its digest, and the snapshot's link to it.
struct Place {
    blob: PathBuf,
    link: PathBuf,
}

impl Place {
    /// Links to a content that another commit has brought.
    fn link(&self) -> io::Result<()> {
        if self.link.exists() {
            return Ok(());
        }
        let (Some(folder), Some(blob)) = (self.link.parent(), self.blob.file_name()) else { return Ok(()) };
        std::fs::create_dir_all(folder)?;
        remove_if_there(&self.link)?;
        #[cfg(unix)]
        return std::os::unix::fs::symlink(Path::new("../../blobs").join(blob), &self.link);
        #[cfg(not(unix))]
        return std::fs::copy(folder.join("../../blobs").join(blob), &self.link).map(drop);
    }

    /// Removes content and link.
    fn clear(&self) -> io::Result<()> {
        remove_if_there(&self.link)?;
        remove_if_there(&self.blob)
    }

    /// Removes a download that has all its bytes but was not renamed: there is nothing left to ask the hub for.
    fn drop_finished_part(&self, metadata: &Metadata) -> io::Result<()> {
        let part = self.blob.with_extension("part");
        match std::fs::metadata(&part) {
            Ok(found) if found.len() >= metadata.size() as u64 => remove_if_there(&part),
            _ => Ok(()),
        }
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn connection(endpoint: &str, what: &str, error: &dyn std::fmt::Display) -> HubError {
    let problem = error.to_string().trim_start_matches("request error: ").to_owned();
    HubError::Connection { endpoint: endpoint.to_owned(), what: what.to_owned(), problem }
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> HubError {
    let path = path.to_owned();
    |source| HubError::Io { path, source }
}
