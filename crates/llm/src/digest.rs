//! sha256 of tensors as they would stand in a file.

use sha2::{Digest, Sha256};

/// Lower-case hex of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// sha256 (hex) over the shape and the little-endian f32 values of one tensor in its on-disk layout.
pub fn tensor_digest(shape: &[usize], values: &[f32]) -> String {
    let mut hash = Sha256::new();
    hash.update((shape.len() as u64).to_le_bytes());
    for n in shape {
        hash.update((*n as u64).to_le_bytes());
    }
    for chunk in values.chunks(4096) {
        let bytes: Vec<u8> = chunk.iter().flat_map(|v| v.to_le_bytes()).collect();
        hash.update(&bytes);
    }
    hex(&hash.finalize())
}

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
