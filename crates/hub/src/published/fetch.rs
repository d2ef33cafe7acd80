//! Downloads a published data set into a folder.

#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::Agent;

use super::{Published, PublishedFile};
use crate::digest::{hex, sha256_of};

/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one file may take, at 2 kB/s for the largest.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// Why a data set did not arrive. Errors name file or URL, what was expected and what was found.
#[derive(Debug, thiserror::Error)]
pub enum PublishedError {
    /// Another file has the place of one of the data set.
    #[error(
        "{}: expected {expected}, found {found}; it was left as it is, move it away or fetch into another folder",
        path.display()
    )]
    Occupied {
        /// The file.
        path: PathBuf,
        /// Its size and digest in the data set.
        expected: String,
        /// Those of the file.
        found: String,
    },
    /// The server has another file.
    #[error("{name}: expected {expected}, found {found} at {url}; nothing of it was kept")]
    Other {
        /// Name of the file.
        name: &'static str,
        /// What was asked for.
        url: String,
        /// Its size and digest in the data set.
        expected: String,
        /// Those of the answer.
        found: String,
    },
    /// The server refuses.
    #[error("{name}: expected {url}, the server answers {status}")]
    Status {
        /// Name of the file.
        name: &'static str,
        /// What was asked for.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// No connection, or it broke off.
    #[error("{name}: {url}: {problem}; whole files are kept, the same command fetches the others")]
    Connection {
        /// Name of the file.
        name: &'static str,
        /// What was asked for.
        url: String,
        /// What happened.
        problem: String,
    },
    /// The folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl PublishedError {
    /// Whether asking for something else is what helps, and not another try.
    pub fn is_input(&self) -> bool {
        match self {
            Self::Occupied { .. } | Self::Other { .. } => true,
            // Too slow and too often are the only refusals that pass.
            Self::Status { status, .. } => (400..500).contains(status) && ![408, 429].contains(status),
            Self::Connection { .. } => false,
            // A file was named where a folder belongs.
            Self::Io { source, .. } => source.kind() == io::ErrorKind::NotADirectory,
        }
    }
}

impl Published {
    /// Brings the data set's files into `folder`, which is made if need be, and returns those that were not there
    /// already. `from` is the URL of a mirror of the repository, which has the files at their paths; `None`: GitHub.
    /// `before` is told each file that is about to be downloaded.
    ///
    /// # Errors
    /// When a file of the folder is another than the data set's, before anything is downloaded; when a file cannot be
    /// had or has other bytes: then it is not written, and what has arrived before it stays.
    pub fn fetch(
        &self,
        folder: &Path,
        from: Option<&str>,
        before: impl FnMut(&PublishedFile),
    ) -> Result<Vec<&'static PublishedFile>, PublishedError> {
        self.fetch_with(&client(PATIENCE), folder, &self.places(from), before)
    }

    fn fetch_with(
        &self,
        client: &Agent,
        folder: &Path,
        places: &[String],
        mut before: impl FnMut(&PublishedFile),
    ) -> Result<Vec<&'static PublishedFile>, PublishedError> {
        let mut missing = Vec::new();
        for file in self.files {
            if !file.is_in(folder)? {
                missing.push(file);
            }
        }
        for file in &missing {
            before(file);
            // Checked before it is written: no wrong byte reaches the disk.
            let bytes = file.download_from(client, places)?;
            fs::create_dir_all(folder).map_err(io_at(folder))?;
            file.write(folder, &bytes)?;
        }
        if !missing.is_empty() {
            sync_folder(folder).map_err(io_at(folder))?;
        }
        Ok(missing)
    }
}

impl PublishedFile {
    /// Whether `folder` holds the file; an error when it holds another of its name.
    fn is_in(&self, folder: &Path) -> Result<bool, PublishedError> {
        let path = folder.join(self.name());
        let found = match fs::metadata(&path).and_then(|m| Ok((m.len(), sha256_of(&path)?))) {
            Ok(found) => found,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(io_at(&path)(e)),
        };
        if found.1 == self.sha256 {
            return Ok(true);
        }
        Err(PublishedError::Occupied { path, expected: self.content(), found: content(found.0, &found.1) })
    }

    /// The file's content from the first of `places` that has it, checked.
    fn download_from(&self, client: &Agent, places: &[String]) -> Result<Vec<u8>, PublishedError> {
        let (first, others) = places.split_first().expect("invariant: there is a place to look at");
        let found = self.download(client, &format!("{first}/{}", self.path));
        match found {
            Err(PublishedError::Status { status: 404, .. }) if !others.is_empty() => {
                self.download_from(client, others)
            }
            found => found,
        }
    }

    /// The file's content from `url`, checked.
    fn download(&self, client: &Agent, url: &str) -> Result<Vec<u8>, PublishedError> {
        let (name, url) = (self.name(), url.to_owned());
        let mut response = match client.get(&url).call() {
            Ok(response) => response,
            Err(ureq::Error::StatusCode(status)) => return Err(PublishedError::Status { name, url, status }),
            Err(e) => {
                let problem = e.to_string().trim_start_matches("io: ").to_owned();
                return Err(PublishedError::Connection { name, url, problem });
            }
        };
        let mut bytes = Vec::new();
        // One byte more tells that there are more.
        if let Err(e) = response.body_mut().as_reader().take(self.size + 1).read_to_end(&mut bytes) {
            let problem = format!("{e} after {} of {} bytes", bytes.len(), self.size);
            return Err(PublishedError::Connection { name, url, problem });
        }
        let length = bytes.len() as u64;
        let digest = hex(&Sha256::digest(&bytes));
        if digest == self.sha256 {
            return Ok(bytes);
        }
        let found =
            if length > self.size { "more bytes than these".to_owned() } else { content(length, &digest) };
        Err(PublishedError::Other { name, url, expected: self.content(), found })
    }

    /// Puts the file into `folder` under a temporary name, which becomes its own when all is on the disk.
    fn write(&self, folder: &Path, bytes: &[u8]) -> Result<(), PublishedError> {
        let path = folder.join(self.name());
        let mut builder = tempfile::Builder::new();
        let prefix = format!(".{}.", self.name());
        builder.prefix(&prefix).suffix(".tmp");
        // The umask decides who may read the data, not the temporary file's default of 0600.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(folder).map_err(io_at(folder))?;
        file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(io_at(&path))?;
        match file.persist_noclobber(&path) {
            Ok(_) => Ok(()),
            // Another process was faster: with this file, or with another one.
            Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists && self.is_in(folder)? => Ok(()),
            Err(e) => Err(io_at(&path)(e.error)),
        }
    }

    /// Size and digest, for messages.
    fn content(&self) -> String {
        content(self.size, self.sha256)
    }
}

fn content(size: u64, sha256: &str) -> String {
    format!("{size} bytes with sha256 {sha256}")
}

/// A client that gives up on a server that is silent for as long as `patience`.
fn client(patience: Duration) -> Agent {
    Agent::config_builder()
        .timeout_resolve(Some(patience))
        .timeout_connect(Some(patience))
        .timeout_recv_response(Some(patience))
        .timeout_per_read(Some(patience))
        .timeout_global(Some(LIMIT))
        // What is counted and hashed is what was sent.
        .accept_encoding("identity")
        .build()
        .new_agent()
}

/// Brings the names in a folder to the disk, where the system can.
fn sync_folder(dir: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::File::open(dir)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> PublishedError {
    let path = path.to_owned();
    |source| PublishedError::Io { path, source }
}
