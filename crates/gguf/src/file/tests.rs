use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::testing::{GgufFile, Meta, f32s, tiny_llama};
use crate::{GgufError, Model, StoredType};

/// What opening these bytes comes to.
fn open(bytes: &[u8]) -> Result<Model, GgufError> {
    let file = tempfile::Builder::new().suffix(".gguf").tempfile().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    Model::open(file.path())
}

/// Checks that a file is refused as input, by its name and with `parts` of a message.
fn refused(bytes: &[u8], parts: &[&str]) {
    let error = open(bytes).unwrap_err();
    let text = error.to_string();
    assert!(error.is_input() && text.contains(".gguf: "), "{text}");
    assert!(text.contains("expected ") && text.contains(", found "), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// The same of the tiny model after a change.
fn refused_with(change: impl FnOnce(&mut GgufFile), parts: &[&str]) {
    let mut file = tiny_llama();
    change(&mut file);
    refused(&file.bytes(), parts);
}

/// Position of `bytes` in a file.
fn find(file: &[u8], bytes: &[u8]) -> usize {
    file.windows(bytes.len()).position(|window| window == bytes).unwrap()
}

/// The file with other bytes `after` the text `name`.
fn patched(name: &str, after: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = tiny_llama().bytes();
    let at = find(&file, name.as_bytes()) + name.len() + after;
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

#[test]
fn opens_what_the_writer_writes() {
    let model = open(&tiny_llama().bytes()).unwrap();
    assert_eq!((model.architecture(), model.quantisation()), ("llama", TensorType::F32));
    let mut other = tiny_llama();
    other.version = 2;
    other.alignment = 64;
    other.set("general.alignment", Meta::U32(64));
    open(&other.bytes()).unwrap();
}

#[test]
fn says_what_a_file_is_that_is_no_gguf() {
    let mut safetensors = 40u64.to_le_bytes().to_vec();
    safetensors.extend(br#"{"__metadata__":{"format":"pt"}}      "#);
    safetensors.extend([0; 100]);
    for (bytes, found) in [
        (&b""[..], "an empty file"),
        (b"PK\x03\x04rest of a wheel", "a zip archive (a wheel is one): unpack it"),
        (b"\x1f\x8b\x08rest", "gzip"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
        (b"lmgg\x01\x00\x00\x00", "before GGUF"),
        (&safetensors, "a safetensors file"),
        (b"<!DOCTYPE html>", "begins with \"<!DOCTYP\""),
        (b"GGU", "begins with \"GGU\""),
    ] {
        refused(bytes, &["expected a GGUF file", found]);
    }
    let folder = tempfile::tempdir().unwrap();
    let error = Model::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("found a folder"), "{error}");
    let error = Model::open(&folder.path().join("none.gguf")).unwrap_err();
    assert!(error.is_input() && error.to_string().contains("none.gguf: "), "{error}");
}

#[test]
fn refuses_versions_that_it_does_not_know() {
    for (version, found) in [(1u32, "found 1"), (4, "found 4"), (3 << 24, "a big-endian file")] {
        let mut file = tiny_llama();
        file.version = version;
        refused(&file.bytes(), &["GGUF version: expected 2 or 3", found]);
    }
}

#[test]
fn refuses_a_file_cut_anywhere() {
    let whole = tiny_llama().bytes();
    let data = whole.len() - tiny_llama().tensors.iter().map(|t| t.bytes.len()).sum::<usize>();
    for cut in (4..data).step_by(97).chain([data, data + 1, whole.len() - 1]) {
        refused(&whole[..cut], &["(is it truncated?)"]);
    }
}

#[test]
fn refuses_counts_and_lengths_that_the_file_has_no_room_for() {
    let whole = tiny_llama().bytes();
    for (at, part) in [(8, "number of tensors"), (16, "number of keys")] {
        for count in [1u64 << 40, u64::MAX, 1 << 63] {
            let mut file = whole.clone();
            file[at..at + 8].copy_from_slice(&count.to_le_bytes());
            refused(&file, &[part, &count.to_string(), "end of the file"]);
        }
    }
    // One more than there are: what follows is read as an entry and is none.
    let mut file = whole.clone();
    file[8] += 1;
    assert!(open(&file).is_err());
    // Length of a key, of a text, of an array of texts, and of one of its texts.
    let huge = (1u64 << 50).to_le_bytes();
    let mut file = whole;
    file[24..32].copy_from_slice(&huge);
    refused(&file, &["key 1 of", "bytes of text"]);
    refused(&patched("tokenizer.ggml.model", 4, &huge), &["key `tokenizer.ggml.model`", "bytes of text"]);
    refused(&patched("tokenizer.ggml.tokens", 8, &huge), &["key `tokenizer.ggml.tokens`", " texts"]);
    refused(&patched("tokenizer.ggml.tokens", 16, &huge), &["key `tokenizer.ggml.tokens`", "bytes of text"]);
    refused(&patched("tokenizer.ggml.token_type", 8, &huge), &["tokenizer.ggml.token_type", " numbers"]);
}

#[test]
fn refuses_types_of_values_that_there_are_not() {
    refused(&patched("tokenizer.ggml.model", 0, &[13]), &["key `tokenizer.ggml.model`", "found 13"]);
    refused(&patched("tokenizer.ggml.tokens", 4, &[9]), &["an array of arrays"]);
    refused(&patched("tokenizer.ggml.tokens", 4, &[77]), &["an array of values of type 77"]);
    refused(&patched("tokenizer.ggml.model", 12, &[0xff, 0xfe]), &["expected UTF-8"]);
    refused_with(|file| file.metadata.push(file.metadata[0].clone()), &["each key once"]);
}

#[test]
fn refuses_tensors_that_are_not_within_the_file_or_overlap() {
    let name = "blk.1.ffn_up.weight";
    let part = &format!("tensor `{name}`")[..];
    let dimensions = |n: u32| patched(name, 0, &n.to_le_bytes());
    refused(&dimensions(0), &[part, "1 to 4 dimensions, found 0"]);
    refused(&dimensions(5), &[part, "found 5"]);
    let first = |n: u64| patched(name, 4, &n.to_le_bytes());
    refused(&first(0), &[part, "shape [64, 0]"]);
    refused(&first(u64::MAX), &[part, "a size in range"]);
    refused(&first(1 << 60), &[part, "a size in range"]);
    refused(&first(1 << 40), &[part, "(is it truncated?)"]);
    let kind = |n: u32| patched(name, 20, &n.to_le_bytes());
    refused(&kind(16), &[part, "Q6_K", "found IQ2_XXS"]);
    refused(&kind(31), &[part, "found type 31"]);
    refused(&kind(12), &[part, "multiple of 256 values, as Q4_K has"]);
    let offset = |n: u64| patched(name, 24, &n.to_le_bytes());
    refused(&offset(33), &[part, "a multiple of 32, found 33"]);
    refused(&offset(u64::MAX - 31), &[part, "(is it truncated?)"]);
    refused(&offset(1 << 40), &[part, "(is it truncated?)"]);
    refused(&offset(0), &["expected bytes of its own, found bytes that `"]);
    refused_with(|file| file.tensors.push(f32s(name, &[1], &[0.0])), &[part, "each tensor once"]);
}

#[test]
fn refuses_alignments_that_are_no_power_of_two() {
    for n in [0, 24, 1 << 30] {
        refused_with(
            |file| file.set("general.alignment", Meta::U32(n)),
            &["key `general.alignment`", "a power of two", &n.to_string()],
        );
    }
    refused_with(
        |file| file.set("general.alignment", Meta::Text("32".to_owned())),
        &["a whole number, found \"32\""],
    );
}

#[test]
fn messages_show_no_control_characters_and_not_too_much() {
    let long = format!("\u{1b}[31m{}", "x".repeat(1000));
    let mut file = tiny_llama();
    file.set("general.architecture", Meta::Text(long));
    let text = open(&file.bytes()).unwrap_err().to_string();
    assert!(!text.contains('\u{1b}') && text.len() < 400, "{text}");
}

/// Headers with some of their bytes changed are opened or refused; neither takes more memory than the file has bytes, times
/// a small factor. What still opens can be written or is refused then.
#[test]
fn mutated_headers_neither_panic_nor_allocate_much() {
    let whole = tiny_llama().bytes();
    let header = whole.len() - tiny_llama().tensors.iter().map(|t| t.bytes.len()).sum::<usize>();
    let mut rng = ChaCha8Rng::seed_from_u64(20);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mutated.gguf");
    let (mut opened, mut written) = (0, 0);
    for case in 0..1000 {
        let mut file = whole.clone();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(4..header - 8);
            match rng.random_range(0..5) {
                0 => file[at] ^= 1 << rng.random_range(0..8),
                1 => file[at] = rng.random(),
                2 => {
                    let extreme = [0, 1, u64::MAX, 1 << 63, 1 << 32, u64::MAX >> 1, 1 << 20, 255];
                    file[at..at + 8].copy_from_slice(&extreme.choose(&mut rng).unwrap().to_le_bytes());
                }
                3 => file.truncate(at.max(100)),
                _ => {
                    let from = rng.random_range(4..header - 8);
                    let bytes: [u8; 8] = whole[from..from + 8].try_into().unwrap();
                    if at + 8 <= file.len() {
                        file[at..at + 8].copy_from_slice(&bytes);
                    }
                }
            }
            if file.len() < header {
                break;
            }
        }
        std::fs::write(&path, &file).unwrap();
        let mut model = None;
        let memory = allocation_counter::measure(|| model = Some(Model::open(&path)));
        let most = 16 * file.len() as u64 + (1 << 20);
        assert!(memory.bytes_max < most, "case {case}: {} bytes", memory.bytes_max);
        if let Some(Ok(model)) = model {
            opened += 1;
            let out = dir.path().join(case.to_string());
            std::fs::create_dir(&out).unwrap();
            written += u32::from(model.write(&out, StoredType::Float32).is_ok());
            std::fs::remove_dir_all(&out).unwrap();
        }
    }
    // Some changes are of texts that may be any, or of numbers that are not looked at.
    assert!((10..900).contains(&opened) && written > 0, "{opened} opened, {written} written");
}
