//! Who works on a run: an operating-system lock on `<run>/.lock`, freed by the system when its holder dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::StoreError;

const NAME: &str = ".lock";

/// Held while it lives.
pub(crate) struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock of the existing folder `run`; `None` when somebody else holds it.
    pub(crate) fn take(run: &Path) -> Result<Option<Self>, StoreError> {
        let path = run.join(NAME);
        let open = || OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = open().map_err(StoreError::io(&path))?;
        // A reader that asks whether the lock is free holds it for an instant, hence the further attempts.
        for attempt in 0..5 {
            if attempt > 0 {
                sleep(Duration::from_millis(20));
            }
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => return Err(StoreError::Io { path, source }),
            }
        }
        Ok(None)
    }

    /// Whether somebody works on the run.
    pub(crate) fn is_held(run: &Path) -> Result<bool, StoreError> {
        let path = run.join(NAME);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(StoreError::Io { path, source }),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(StoreError::Io { path, source }),
        }
    }
}
