//! Records as TensorFlow frames them: length, its checksum, bytes, their checksum.

use std::io::{self, Write};

use super::message::Message;

pub(super) struct RecordWriter<W> {
    to: W,
}

impl<W: Write> RecordWriter<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to }
    }

    pub(super) fn put(&mut self, record: &Message) -> io::Result<()> {
        let length = (record.bytes().len() as u64).to_le_bytes();
        self.to.write_all(&length)?;
        self.to.write_all(&masked(crc32c(&length)).to_le_bytes())?;
        self.to.write_all(record.bytes())?;
        self.to.write_all(&masked(crc32c(record.bytes())).to_le_bytes())
    }

    pub(super) fn into_inner(self) -> W {
        self.to
    }
}

/// A checksum of bytes that hold checksums would be weak without this.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Castagnoli's polynomial, its lowest bit first.
const POLYNOMIAL: u32 = 0x82f6_3b78;

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| crc >> 8 ^ TABLE[(crc as u8 ^ byte) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of the polynomial's catalogue, and those of RFC 3720, B.4.
    #[test]
    fn checksums_are_the_published_ones() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    /// The first record of every file that TensorFlow writes, time 0.
    #[test]
    fn a_record_has_its_length_and_two_checksums() {
        let mut records = RecordWriter::new(Vec::new());
        records.put(&Message::default().double(1, 0.0).text(3, "brain.Event:2")).unwrap();
        let bytes = records.into_inner();
        assert_eq!(bytes.len(), 8 + 4 + 24 + 4);
        assert_eq!(bytes[..8], 24u64.to_le_bytes());
        assert_eq!(bytes[8..12], [0xa3, 0x7f, 0x4b, 0x22], "as in files of TensorFlow");
    }
}
