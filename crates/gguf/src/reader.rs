//! Reads the header front to back. No length that the file states is trusted before it is compared with the bytes that
//! the file still has.

use std::fs::File;
use std::io::{BufReader, Read};

use crate::error::{Fault, printable};

/// Bytes that a header may have at most. Those of published models have less than 20 MB, most of them the vocabulary.
const LARGEST_HEADER: u64 = 128 << 20;

/// A position in the header.
pub(crate) struct Reader<'a> {
    inner: BufReader<&'a File>,
    at: u64,
    /// Size of the file.
    size: u64,
    /// What is being read, for messages.
    part: String,
}

impl<'a> Reader<'a> {
    pub fn new(file: &'a File, size: u64) -> Self {
        Self { inner: BufReader::new(file), at: 0, size, part: "header".to_owned() }
    }

    /// Bytes read so far.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Bytes that may still be part of the header.
    fn rest(&self) -> u64 {
        self.size.min(LARGEST_HEADER).saturating_sub(self.at)
    }

    /// Says what comes next.
    pub fn enter(&mut self, part: impl Into<String>) {
        self.part = part.into();
    }

    /// An error of what is being read.
    pub fn fault(&self, expected: impl Into<String>, found: impl Into<String>) -> Fault {
        Fault::new(self.part.clone(), expected, found)
    }

    /// Checks that `count` items of at least `least` bytes each may follow.
    fn expect(&self, count: u64, least: u64, items: &str) -> Result<(), Fault> {
        let rest = self.rest();
        if count.checked_mul(least).is_some_and(|bytes| bytes <= rest) {
            return Ok(());
        }
        let end = if self.size > LARGEST_HEADER {
            format!("{rest} bytes up to the largest header, {LARGEST_HEADER} bytes")
        } else {
            format!("{rest} bytes up to the end of the file (is it truncated?)")
        };
        Err(self.fault(format!("{count} {items}"), end))
    }

    /// A number of items of at least `least` bytes each, for which the file has room.
    pub fn count(&mut self, least: u64, items: &str) -> Result<usize, Fault> {
        let count = self.u64()?;
        self.expect(count, least, items)?;
        usize::try_from(count).map_err(|_| self.fault("a count within memory", count.to_string()))
    }

    /// `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<Vec<u8>, Fault> {
        self.expect(count as u64, 1, "bytes")?;
        let mut bytes = vec![0; count];
        self.inner.read_exact(&mut bytes)?;
        self.at += count as u64;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.expect(N as u64, 1, "bytes")?;
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes)?;
        self.at += N as u64;
        Ok(bytes)
    }

    pub fn u8(&mut self) -> Result<u8, Fault> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_le_bytes)
    }

    /// A text after its length.
    pub fn text(&mut self) -> Result<String, Fault> {
        let length = self.count(1, "bytes of text")?;
        let bytes = self.bytes(length)?;
        String::from_utf8(bytes).map_err(|e| {
            let lossy = String::from_utf8_lossy(e.as_bytes()).into_owned();
            self.fault("UTF-8", format!("\"{}\"", printable(&lossy)))
        })
    }
}
