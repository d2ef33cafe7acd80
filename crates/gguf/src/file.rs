//! A GGUF file: its header, checked against its size, and its tensors.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::TensorType;
use crate::error::{Fault, printable};
use crate::reader::Reader;
use crate::value::{Metadata, Value};

const MAGIC: [u8; 4] = *b"GGUF";
/// Where tensors begin unless the file says otherwise.
const ALIGNMENT: u64 = 32;
/// Dimensions of a tensor at most, as in ggml.
const DIMENSIONS: u32 = 4;
/// Bytes of a key at least: its length, the type of its value, the value.
const SMALLEST_PAIR: u64 = 8 + 4 + 1;
/// Bytes of a tensor's entry at least: length of its name, number of dimensions, one of them, type, offset.
const SMALLEST_ENTRY: u64 = 8 + 4 + 8 + 4 + 8;

/// A tensor of the file.
#[derive(Debug)]
pub(crate) struct Tensor {
    pub name: String,
    /// Shape, row-major: the last dimension is that of a row.
    pub shape: Vec<usize>,
    pub kind: TensorType,
    /// Where its bytes begin in the file.
    pub start: u64,
    /// How many there are.
    pub bytes: u64,
}

impl Tensor {
    /// Values.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A GGUF file whose header has been read and found to agree with its size.
#[derive(Debug)]
pub(crate) struct Gguf {
    file: File,
    pub metadata: Metadata,
    /// In the order of the file's list.
    pub tensors: Vec<Tensor>,
}

impl Gguf {
    pub fn open(path: &Path) -> Result<Self, Fault> {
        // Opening a pipe would wait for somebody to write.
        if !std::fs::metadata(path)?.is_file() {
            return Err(Fault::new("", "a GGUF file", "a folder or no regular file"));
        }
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        not_something_else(&file, size)?;
        let mut reader = Reader::new(&file, size);
        reader.bytes(MAGIC.len())?;
        let version = reader.u32()?;
        if !matches!(version, 2 | 3) {
            let big = if matches!(version.swap_bytes(), 1..=3) { " (a big-endian file)" } else { "" };
            return Err(Fault::new("GGUF version", "2 or 3", format!("{version}{big}")));
        }
        reader.enter("header: number of tensors");
        let tensors = reader.count(SMALLEST_ENTRY, "tensors")?;
        reader.enter("header: number of keys");
        let pairs = reader.count(SMALLEST_PAIR, "keys")?;
        let metadata = read_metadata(&mut reader, pairs)?;
        let alignment = alignment(&metadata)?;
        let mut tensors = (0..tensors).map(|i| read_entry(&mut reader, i)).collect::<Result<Vec<_>, _>>()?;
        let base = reader.at().next_multiple_of(alignment);
        for tensor in &mut tensors {
            place(tensor, base, alignment, size)?;
        }
        check_apart(&tensors)?;
        Ok(Self { file, metadata, tensors })
    }

    /// Reads bytes of a tensor into `into`, from its byte `at`.
    pub fn read(&self, tensor: &Tensor, at: u64, into: &mut [u8]) -> std::io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(tensor.start + at))?;
        file.read_exact(into)
    }

    /// The whole file from its beginning.
    pub fn whole(&self) -> std::io::Result<&File> {
        (&self.file).seek(SeekFrom::Start(0))?;
        Ok(&self.file)
    }
}

/// Says what a file is that does not begin as a GGUF does.
fn not_something_else(mut file: &File, size: u64) -> Result<(), Fault> {
    let mut start = Vec::new();
    file.by_ref().take(64).read_to_end(&mut start)?;
    file.seek(SeekFrom::Start(0))?;
    if start.starts_with(&MAGIC) {
        return Ok(());
    }
    let header = start.first_chunk().map(|length| u64::from_le_bytes(*length));
    let found = match &start[..] {
        [] => "an empty file".to_owned(),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => {
            "a zip archive (a wheel is one): unpack it and name the .gguf in it".to_owned()
        }
        [0x1f, 0x8b, ..] => "a gzip archive: unpack it and name the .gguf in it".to_owned(),
        text if text.starts_with(b"version https://git-lfs") => {
            "a pointer of Git LFS, not the file that it stands for".to_owned()
        }
        [b'l' | b't', ..] if start.starts_with(b"lmgg") || start.starts_with(b"tjgg") => {
            "a GGML file of before GGUF".to_owned()
        }
        [_, _, _, _, _, _, _, _, b'{', ..] if header.is_some_and(|length| length < size) => {
            "a safetensors file: its folder is a model already".to_owned()
        }
        other => {
            let bytes = &other[..other.len().min(8)];
            format!("a file that begins with \"{}\"", bytes.escape_ascii())
        }
    };
    Err(Fault::new("", "a GGUF file", found))
}

fn read_metadata(reader: &mut Reader<'_>, pairs: usize) -> Result<Metadata, Fault> {
    let mut metadata = Metadata::default();
    for i in 0..pairs {
        reader.enter(format!("header: key {} of {pairs}", i + 1));
        let key = reader.text()?;
        reader.enter(format!("key `{}`", printable(&key)));
        let value = Value::read(reader)?;
        if !metadata.insert(key, value) {
            return Err(reader.fault("each key once", "a second one"));
        }
    }
    Ok(metadata)
}

fn alignment(metadata: &Metadata) -> Result<u64, Fault> {
    const KEY: &str = "general.alignment";
    const LARGEST: u64 = 1 << 20;
    match metadata.whole(KEY)? {
        None => Ok(ALIGNMENT),
        Some(n) if n.is_power_of_two() && n <= LARGEST => Ok(n),
        Some(n) => Err(Fault::key(KEY, format!("a power of two up to {LARGEST}"), n.to_string())),
    }
}

/// Reads an entry of the list of tensors; its start is relative yet.
fn read_entry(reader: &mut Reader<'_>, index: usize) -> Result<Tensor, Fault> {
    reader.enter(format!("header: tensor {}", index + 1));
    let name = reader.text()?;
    reader.enter(format!("tensor `{}`", printable(&name)));
    let dimensions = reader.u32()?;
    if !(1..=DIMENSIONS).contains(&dimensions) {
        let expected = format!("1 to {DIMENSIONS} dimensions");
        return Err(reader.fault(expected, dimensions.to_string()));
    }
    // ggml lists the dimension of a row first.
    let mut shape = (0..dimensions).map(|_| reader.u64()).collect::<Result<Vec<_>, _>>()?;
    shape.reverse();
    let number = reader.u32()?;
    let Some(kind) = TensorType::of(number) else {
        let known = TensorType::ALL.map(TensorType::as_str).join(", ");
        return Err(reader.fault(format!("type {known}"), type_name(number)));
    };
    let start = reader.u64()?;
    let (block, size) = kind.block();
    let total = shape.iter().try_fold(1u64, |product, n| product.checked_mul(*n));
    let bytes = total.and_then(|total| (total / block as u64).checked_mul(size as u64));
    let sizes: Option<Vec<usize>> = shape.iter().map(|n| usize::try_from(*n).ok()).collect();
    let (Some(total), Some(bytes), Some(sizes)) = (total, bytes, sizes) else {
        return Err(reader.fault("a size in range", format!("shape {shape:?}")));
    };
    let row = *sizes.last().unwrap_or(&0);
    if total == 0 || !row.is_multiple_of(block) {
        let expected = format!("rows of a multiple of {block} values, as {} has", kind.as_str());
        return Err(reader.fault(expected, format!("shape {shape:?}")));
    }
    Ok(Tensor { name, shape: sizes, kind, start, bytes })
}

/// Turns an offset into a position of the file, and checks that the tensor ends within it.
fn place(tensor: &mut Tensor, base: u64, alignment: u64, size: u64) -> Result<(), Fault> {
    let fault = |expected: String, found: String| Err(Fault::tensor(&tensor.name, expected, found));
    if !tensor.start.is_multiple_of(alignment) {
        return fault(format!("an offset that is a multiple of {alignment}"), tensor.start.to_string());
    }
    let start = tensor.start.checked_add(base);
    let end = start.and_then(|start| start.checked_add(tensor.bytes));
    match (start, end) {
        (Some(start), Some(end)) if end <= size => {
            tensor.start = start;
            Ok(())
        }
        _ => {
            let found = format!("a file of {size} bytes (is it truncated?)");
            let at = format!("{} bytes at offset {} of the data", tensor.bytes, tensor.start);
            fault(format!("{at}, which begin at byte {base}"), found)
        }
    }
}

/// No two tensors share bytes or a name.
fn check_apart(tensors: &[Tensor]) -> Result<(), Fault> {
    let mut sorted: Vec<&Tensor> = tensors.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some([first, _]) = sorted.array_windows().find(|[a, b]| a.name == b.name) {
        return Err(Fault::tensor(&first.name, "each tensor once", "a second one"));
    }
    sorted.sort_by_key(|tensor| tensor.start);
    match sorted.array_windows().find(|[a, b]| a.start + a.bytes > b.start) {
        Some([a, b]) => {
            let found = format!("bytes that `{}` has, too", printable(&a.name));
            Err(Fault::tensor(&b.name, "bytes of its own", found))
        }
        None => Ok(()),
    }
}

/// A type by the number that ggml has for it.
fn type_name(number: u32) -> String {
    let known = match number {
        4 => "Q4_2",
        5 => "Q4_3",
        9 => "Q8_1",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        _ => return format!("type {number}"),
    };
    known.to_owned()
}
