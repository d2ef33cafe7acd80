//! Digests of tensors as they would stand in a file.

use sha2::{Digest, Sha256};

/// Lower-case hex of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// BLAKE3 (hex) over the shape and the little-endian f32 values of one tensor in its on-disk layout. A receipt hashes
/// the whole model twice per run; BLAKE3 does that at the speed of memory.
pub fn tensor_digest(shape: &[usize], values: &[f32]) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(&(shape.len() as u64).to_le_bytes());
    for n in shape {
        hash.update(&(*n as u64).to_le_bytes());
    }
    let mut bytes = vec![[0; size_of::<f32>()]; PIECE.min(values.len())];
    for piece in values.chunks(PIECE) {
        for (bytes, value) in bytes.iter_mut().zip(piece) {
            *bytes = value.to_le_bytes();
        }
        hash.update(bytes[..piece.len()].as_flattened());
    }
    hash.finalize().to_hex().to_string()
}

/// Values that are hashed at a time.
const PIECE: usize = 1 << 14;

/// sha256 (hex) over named digests in the given order.
pub fn combined_digest<'a>(parts: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut hash = Sha256::new();
    for (name, digest) in parts {
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(digest.as_bytes());
        hash.update([0]);
    }
    hex(&hash.finalize())
}
