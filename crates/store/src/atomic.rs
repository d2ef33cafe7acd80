//! Files that appear under their name only when they are complete.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::StoreError;

/// Ending of every temporary name; readers ignore such files.
pub(crate) const TEMPORARY: &str = ".tmp";
/// Files that are brought to the disk at the same time.
const TOGETHER: usize = 8;

/// A temporary file beside the future `path`, removed on drop unless [`publish`]ed.
pub(crate) fn begin(path: &Path) -> Result<NamedTempFile, StoreError> {
    let (dir, name) = parts(path)?;
    let mut builder = tempfile::Builder::new();
    let prefix = format!("{name}.");
    builder.prefix(&prefix).suffix(TEMPORARY);
    // Run folders are shared within a group: the umask decides who may read, not the temporary file's default of 0600.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(dir).map_err(StoreError::io(path))
}

/// Brings the file to the disk and renames it to `path`.
pub(crate) fn publish(file: NamedTempFile, path: &Path) -> Result<(), StoreError> {
    file.as_file().sync_all().map_err(StoreError::io(path))?;
    name(file, path)
}

/// Renames the file to `path` without bringing it to the disk: that is left to whoever does so with its whole folder.
pub(crate) fn name(file: NamedTempFile, path: &Path) -> Result<(), StoreError> {
    file.persist(path).map_err(|e| StoreError::Io { path: path.to_owned(), source: e.error })?;
    Ok(())
}

/// Brings the names in a folder to the disk, where the system can.
pub(crate) fn sync_folder(dir: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    File::open(dir).and_then(|folder| folder.sync_all()).map_err(StoreError::io(dir))?;
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}

/// Brings all files below a folder to the disk, with their names, and `more` files.
pub(crate) fn sync_all(dir: &Path, more: &[PathBuf]) -> Result<(), StoreError> {
    let mut paths = more.to_vec();
    below(dir, &mut paths)?;
    sync(&paths)
}

/// The folder and everything below it.
fn below(dir: &Path, into: &mut Vec<PathBuf>) -> Result<(), StoreError> {
    for entry in std::fs::read_dir(dir).map_err(StoreError::io(dir))? {
        let path = entry.map_err(StoreError::io(dir))?.path();
        if path.is_dir() { below(&path, into)? } else { into.push(path) }
    }
    into.push(dir.to_owned());
    Ok(())
}

/// Brings files and folders to the disk, all at once: each alone waits for the disk to be done with all it has, which
/// takes milliseconds, and those that wait together wait once. What is not there any more has nothing to be brought.
fn sync(paths: &[PathBuf]) -> Result<(), StoreError> {
    let one = |path: &PathBuf| {
        if cfg!(not(unix)) && path.is_dir() {
            return Ok(());
        }
        match File::open(path).and_then(|file| file.sync_all()) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(StoreError::Io { path: path.to_owned(), source: e })
            }
            _ => Ok(()),
        }
    };
    let part = |paths: &[PathBuf]| paths.iter().try_for_each(one);
    let mut parts = paths.chunks(paths.len().div_ceil(TOGETHER).max(1));
    let Some(first) = parts.next() else { return Ok(()) };
    std::thread::scope(|scope| {
        let begin = |paths| std::thread::Builder::new().spawn_scoped(scope, move || part(paths));
        let threads: Vec<_> = parts.map(|paths| (paths, begin(paths))).collect();
        let mut outcome = part(first);
        for (paths, thread) in threads {
            let ended = match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                // No thread to be had: here, then.
                Err(_) => part(paths),
            };
            outcome = outcome.and(ended);
        }
        outcome
    })
}

/// Writes the whole of `path` at once.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    name_all(begin_all(&[(path, bytes)])?)
}

/// Writes several files, which takes the disk as long as one, and gives them no names yet.
pub(crate) fn begin_all<'a>(
    files: &[(&'a Path, &[u8])],
) -> Result<Vec<(NamedTempFile, &'a Path)>, StoreError> {
    let mut begun = Vec::new();
    for (path, bytes) in files {
        let mut file = begin(path)?;
        file.write_all(bytes).map_err(StoreError::io(path))?;
        begun.push((file, *path));
    }
    let temporary: Vec<PathBuf> = begun.iter().map(|(file, _)| file.path().to_owned()).collect();
    sync(&temporary)?;
    Ok(begun)
}

/// Gives files their names, each at once.
pub(crate) fn name_all(begun: Vec<(NamedTempFile, &Path)>) -> Result<(), StoreError> {
    begun.into_iter().try_for_each(|(file, path)| name(file, path))
}

/// Replaces `path` at once without bringing it to the disk: for what need not outlive the machine.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = begin(path)?;
    file.write_all(bytes).map_err(StoreError::io(path))?;
    name(file, path)
}

/// Numbers of what is in the folder under names that begin with `prefix`, ascending; none where there is no folder.
pub(crate) fn numbers(dir: &Path, prefix: &str) -> Result<Vec<u32>, StoreError> {
    let entries = match std::fs::read_dir(dir) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(StoreError::io(dir))?,
    };
    let number = |entry: std::fs::DirEntry| -> Option<u32> {
        entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()
    };
    let mut numbers: Vec<u32> = Vec::new();
    for entry in entries {
        numbers.extend(number(entry.map_err(StoreError::io(dir))?));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn parts(path: &Path) -> Result<(&Path, &str), StoreError> {
    match (path.parent(), path.file_name().and_then(|n| n.to_str())) {
        (Some(dir), Some(name)) => Ok((dir, name)),
        _ => Err(StoreError::Invalid {
            path: path.to_owned(),
            problem: "is not the path of a file".to_owned(),
        }),
    }
}
