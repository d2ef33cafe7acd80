//! What the hub says of a file's content, and whether a file on disk agrees.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Bytes read at a time.
const BLOCK: usize = 1 << 20;

/// Digest that a hub gives as the `ETag` of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Of a file in large file storage: the sha256 of its content.
    Sha256(String),
    /// Of a file in git: the sha1 of `blob`, its size and its content, as git names objects.
    GitBlob(String),
}

impl Expected {
    /// Reads an `ETag` without quotes; `None` when it is neither digest.
    pub fn from_etag(etag: &str) -> Option<Self> {
        let hex = etag.strip_prefix("W/").unwrap_or(etag);
        if !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        match hex.len() {
            64 => Some(Self::Sha256(hex.to_owned())),
            40 => Some(Self::GitBlob(hex.to_owned())),
            _ => None,
        }
    }

    /// Why the file at `path` is not the one expected; `None` when it is.
    pub fn disagreement(&self, path: &Path, size: u64) -> io::Result<Option<String>> {
        let found = std::fs::metadata(path)?.len();
        if found != size {
            return Ok(Some(format!("expected {size} bytes, found {found}")));
        }
        let (word, expected, found) = match self {
            Self::Sha256(hex) => ("sha256", hex, sha256_of(path)?),
            Self::GitBlob(hex) => {
                let header = Sha1::new_with_prefix(format!("blob {size}\0"));
                ("git sha1", hex, hex_digest(header, path)?)
            }
        };
        Ok((found != *expected).then(|| format!("expected {word} {expected}, found {found}")))
    }
}

/// sha256 of a file's content, in hex.
///
/// # Errors
/// When the file cannot be read.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    hex_digest(Sha256::new(), path)
}

/// Digest of what went into `hash` and the file after it, in hex.
fn hex_digest(mut hash: impl Digest, path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut block = vec![0; BLOCK];
    loop {
        match file.read(&mut block)? {
            0 => break,
            n => hash.update(&block[..n]),
        }
    }
    Ok(hex(&hash.finalize()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::Expected;

    /// `printf 'hello\n' | git hash-object --stdin` and `| sha256sum`.
    const GIT: &str = "ce013625030ba8dba906f756967f9e9ca394464a";
    const SHA256: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

    #[test]
    fn digests_are_those_of_git_and_of_large_files() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hello\n").unwrap();
        let problem =
            |etag: &str, size| Expected::from_etag(etag).unwrap().disagreement(file.path(), size).unwrap();
        assert_eq!(problem(GIT, 6), None);
        assert_eq!(problem(SHA256, 6), None);
        assert_eq!(problem(&format!("W/{GIT}"), 6), None);
        assert_eq!(problem(GIT, 7).unwrap(), "expected 7 bytes, found 6");
        let other = SHA256.replace("5891", "5892");
        assert_eq!(problem(&other, 6).unwrap(), format!("expected sha256 {other}, found {SHA256}"));
        for none in ["", "abc", "../../x", &GIT.to_uppercase(), &format!("{GIT}-2")] {
            assert_eq!(Expected::from_etag(none), None);
        }
    }
}
