//! Puts files into folders.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::ReportError;

/// Writes `path` with the folders above it and returns it. The file replaces an older one at once, when it is complete.
pub(crate) fn publish(path: PathBuf, text: &str) -> Result<PathBuf, ReportError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let io = |source| ReportError::Io { path: path.clone(), source };
    fs::create_dir_all(dir).map_err(io)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix("page.").suffix(".tmp");
    // The umask decides who may read a page, not the temporary file's default of 0600.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(dir).map_err(io)?;
    file.write_all(text.as_bytes()).map_err(io)?;
    file.persist(&path).map_err(|e| io(e.error))?;
    Ok(path)
}
