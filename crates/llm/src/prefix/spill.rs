//! What memory has no room for, in an anonymous temporary file.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Key;
use super::lru::Lru;

/// Bytes of a block of the file: parts differ in length, blocks leave no gaps that nothing fits into.
const BLOCK: usize = 1 << 16;

/// Pieces of bytes by key in a file that goes with the process. Bounded; the least recently used go first.
///
/// The lock on the index is not held while the file is read or written. A file that fails turns the store off, and
/// what it held counts as lost: nobody waits for it and nothing else happens.
pub(super) struct Spill {
    block: usize,
    /// Most blocks of the file.
    limit: u32,
    /// Folder of the file; absent: the system's for temporary files.
    folder: Option<PathBuf>,
    index: Mutex<Index>,
    /// Made when something is written for the first time.
    file: Mutex<Option<File>>,
}

#[derive(Default)]
struct Index {
    stored: Lru<Stored>,
    /// Blocks that were in use.
    free: Vec<u32>,
    /// Blocks that ever were in use.
    used: u32,
    /// What the file failed with.
    failure: Option<String>,
}

struct Stored {
    blocks: Vec<u32>,
    /// Bytes, fewer than those of the blocks.
    len: usize,
}

/// What a [`Spill`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpillSize {
    /// Pieces.
    pub entries: usize,
    /// Bytes of the file in use, whole blocks.
    pub bytes: u64,
}

impl Spill {
    /// A store of at most `limit` bytes; 0 stores nothing.
    pub fn new(limit: u64) -> Self {
        Self::with(limit, BLOCK, None)
    }

    /// The same with blocks of another size and a file in another folder.
    pub fn with(limit: u64, block: usize, folder: Option<PathBuf>) -> Self {
        let limit = u32::try_from(limit / block as u64).unwrap_or(u32::MAX);
        Self { block, limit, folder, index: Mutex::default(), file: Mutex::default() }
    }

    /// Puts another file in the place of its own.
    #[cfg(test)]
    pub fn replace_file(&self, file: File) {
        *self.file() = Some(file);
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self) -> MutexGuard<'_, Option<File>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a piece of so many bytes can be stored.
    pub fn takes(&self, bytes: usize) -> bool {
        bytes.div_ceil(self.block) <= self.limit as usize && self.index().failure.is_none()
    }

    /// Whether there is something under `key` now.
    pub fn contains(&self, key: &Key) -> bool {
        self.index().stored.get(key).is_some()
    }

    /// What it holds.
    pub fn size(&self) -> SpillSize {
        let index = self.index();
        let blocks = u64::from(index.used) - index.free.len() as u64;
        SpillSize { entries: index.stored.len(), bytes: blocks * self.block as u64 }
    }

    /// Why it stores nothing any more; absent while it works.
    pub fn failure(&self) -> Option<String> {
        self.index().failure.clone()
    }

    /// Stores `bytes` under `key`, in place of what is there. Nothing happens where they cannot be.
    pub fn put(&self, key: Key, bytes: &[u8]) {
        let Some(blocks) = self.index().allocate(key, bytes.len().div_ceil(self.block), self.limit) else {
            return;
        };
        let stored = Stored { blocks, len: bytes.len() };
        match self.write(&stored, bytes) {
            Ok(()) => self.index().publish(key, stored),
            Err(error) => self.fail(&error),
        }
    }

    /// What is stored under `key`.
    pub fn get(&self, key: Key) -> Option<Vec<u8>> {
        // Out of the index nobody gives its blocks to others while they are read.
        let stored = self.index().stored.remove(&key)?;
        match self.read(&stored) {
            Ok(bytes) => {
                self.index().publish(key, stored);
                Some(bytes)
            }
            Err(error) => {
                self.fail(&error);
                None
            }
        }
    }

    fn write(&self, stored: &Stored, bytes: &[u8]) -> io::Result<()> {
        let mut slot = self.file();
        let file = match &mut *slot {
            Some(file) => file,
            // Somebody else's failure has closed it.
            _ if self.failure().is_some() => return Err(io::ErrorKind::NotFound.into()),
            empty => empty.insert(match &self.folder {
                Some(folder) => tempfile::tempfile_in(folder)?,
                None => tempfile::tempfile()?,
            }),
        };
        for (block, bytes) in stored.blocks.iter().zip(bytes.chunks(self.block)) {
            file.seek(SeekFrom::Start(self.start(*block)))?;
            file.write_all(bytes)?;
        }
        Ok(())
    }

    fn read(&self, stored: &Stored) -> io::Result<Vec<u8>> {
        let mut slot = self.file();
        let file = slot.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let mut bytes = vec![0; stored.len];
        for (block, bytes) in stored.blocks.iter().zip(bytes.chunks_mut(self.block)) {
            file.seek(SeekFrom::Start(self.start(*block)))?;
            file.read_exact(bytes)?;
        }
        Ok(bytes)
    }

    fn start(&self, block: u32) -> u64 {
        u64::from(block) * self.block as u64
    }

    /// Turns it off and gives its room back.
    fn fail(&self, error: &io::Error) {
        let mut index = self.index();
        let failure = index.failure.take().unwrap_or_else(|| error.to_string());
        *index = Index { failure: Some(failure), ..Index::default() };
        drop(index);
        *self.file() = None;
    }
}

impl Index {
    /// `n` blocks for what comes under `key`, those of the oldest pieces if need be; none when it is off, or others
    /// read and write too many.
    fn allocate(&mut self, key: Key, n: usize, limit: u32) -> Option<Vec<u32>> {
        if n > limit as usize || self.failure.is_some() {
            return None;
        }
        if let Some(old) = self.stored.remove(&key) {
            self.free.extend(old.blocks);
        }
        let fresh = |index: &Self| (limit - index.used) as usize;
        while self.free.len() + fresh(self) < n {
            let (_, oldest) = self.stored.pop()?;
            self.free.extend(oldest.blocks);
        }
        let again = self.free.len().min(n);
        let mut blocks = self.free.split_off(self.free.len() - again);
        let new = (n - again) as u32;
        blocks.extend(self.used..self.used + new);
        self.used += new;
        Some(blocks)
    }

    /// Puts in what has been written or read, unless it was turned off meanwhile.
    fn publish(&mut self, key: Key, stored: Stored) {
        if self.failure.is_none()
            && let Some(old) = self.stored.insert(key, stored)
        {
            self.free.extend(old.blocks);
        }
    }
}
