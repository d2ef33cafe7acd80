//! How a result gets its names: decided at once, carried out by anybody.
//!
//! A holder writes everything that the attempt is going to have into `result.<lease>.tmp/`, brings it to the disk and
//! makes `lease.end`, which only one can. From then on the result is the attempt's; that its files are moved to their
//! names, the manifest last, is left to whoever comes: the holder, or after its death the next who takes the attempt
//! up.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::{StoreError, atomic};

pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// Where the holder of a lease writes what the attempt in `dir` is going to have.
pub(crate) fn folder(dir: &Path, lease: u32) -> PathBuf {
    dir.join(format!("result.{lease}{}", atomic::TEMPORARY))
}

/// Moves what the holder of a lease has published to its names. Again, or by two at a time, it does no harm.
pub(crate) fn carry_out(dir: &Path, lease: u32) -> Result<(), StoreError> {
    let from = folder(dir, lease);
    let entries = match fs::read_dir(&from) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(StoreError::io(&from))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(StoreError::io(&from))?.file_name());
    }
    // The manifest comes last: whoever reads `completed` finds all files.
    names.sort_by_key(|name| name == MANIFEST);
    for name in names {
        let to = dir.join(&name);
        if name == MANIFEST {
            atomic::sync_folder(dir)?;
        }
        let mut moved = fs::rename(from.join(&name), &to);
        if moved.as_ref().is_err_and(|e| e.kind() == ErrorKind::DirectoryNotEmpty) {
            // Of a version that gave a checkpoint its name first.
            put_aside(dir, &to)?;
            moved = fs::rename(from.join(&name), &to);
        }
        match moved {
            // Somebody else was quicker.
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            moved => moved.map_err(StoreError::io(&to))?,
        }
    }
    // Before the folder goes: a manifest whose new name was lost would be nowhere.
    atomic::sync_folder(dir)?;
    let _ = fs::remove_dir(&from);
    Ok(())
}

fn put_aside(dir: &Path, folder: &Path) -> Result<(), StoreError> {
    let mut free = (1..).map(|n| dir.join(format!("{CHECKPOINT}.{n}{}", atomic::TEMPORARY)));
    let aside = free.find(|path| !path.exists()).expect("invariant: the sequence does not end");
    fs::rename(folder, &aside).map_err(StoreError::io(&aside))
}
