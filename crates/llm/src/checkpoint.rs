//! Safetensors on disk: single files, sharded checkpoints with an index, f16 and bf16 widened to f32.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use memmap2::{Mmap, MmapOptions};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::names::{LM_HEAD, model_tensors};
use crate::{LlmConfig, LlmError};

/// Name of a checkpoint in one file.
pub const SINGLE: &str = "model.safetensors";
/// Name of a sharded checkpoint's index.
pub const INDEX: &str = "model.safetensors.index.json";

/// A tensor in host memory, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor {
    /// Shape.
    pub shape: Vec<usize>,
    /// Values.
    pub values: Vec<f32>,
}

impl HostTensor {
    /// A tensor of `shape`.
    ///
    /// # Panics
    /// When the number of values is not that of the shape.
    pub fn new(shape: Vec<usize>, values: Vec<f32>) -> Self {
        assert_eq!(values.len(), shape.iter().product::<usize>(), "values of a tensor of shape {shape:?}");
        Self { shape, values }
    }
}

/// A checkpoint folder in Hugging Face layout: `model.safetensors`, or `model.safetensors.index.json` with its shards.
/// A tensor is mapped while it is read, so that what has been read no longer counts as this process's memory.
pub struct Checkpoint {
    entry: PathBuf,
    files: Vec<(PathBuf, File)>,
    tensors: BTreeMap<String, Entry>,
}

struct Entry {
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Range<usize>,
}

impl Checkpoint {
    /// Opens a folder. The index comes first where both are there, as in `transformers`' sharded saves the single
    /// file is absent.
    pub fn open(dir: &Path) -> Result<Self, LlmError> {
        let index = dir.join(INDEX);
        let single = dir.join(SINGLE);
        if index.is_file() {
            Self::open_sharded(dir, index)
        } else if single.is_file() {
            let mut checkpoint = Self { entry: single.clone(), files: Vec::new(), tensors: BTreeMap::new() };
            checkpoint.add_file(single, |_| true)?;
            Ok(checkpoint)
        } else {
            let pickle =
                ["pytorch_model.bin", "pytorch_model.bin.index.json"].iter().find(|f| dir.join(f).is_file());
            let found = pickle.map_or("neither".to_owned(), |pickle| {
                format!("{pickle} only, a pickle, which can run code and is never loaded")
            });
            let problem = format!("expected {SINGLE} or {INDEX}, found {found}");
            Err(LlmError::Malformed { path: dir.to_owned(), problem })
        }
    }

    fn open_sharded(dir: &Path, index: PathBuf) -> Result<Self, LlmError> {
        #[derive(serde::Deserialize)]
        struct Index {
            weight_map: BTreeMap<String, String>,
        }
        let text = std::fs::read_to_string(&index).map_err(|e| LlmError::io(&index, e))?;
        let Index { weight_map } = serde_json::from_str(&text)
            .map_err(|e| LlmError::Malformed { path: index.clone(), problem: e.to_string() })?;
        let mut shards: Vec<&String> = weight_map.values().collect();
        shards.sort();
        shards.dedup();
        let mut checkpoint = Self { entry: index.clone(), files: Vec::new(), tensors: BTreeMap::new() };
        for shard in shards {
            // A shard is a plain file name: an index must not reach outside of its folder.
            if Path::new(shard).components().count() != 1 || shard == ".." {
                let problem = format!("expected shard names without folders, found \"{shard}\"");
                return Err(LlmError::Malformed { path: index, problem });
            }
            checkpoint.add_file(dir.join(shard), |name| weight_map.get(name) == Some(shard))?;
        }
        for (name, shard) in &weight_map {
            if !checkpoint.tensors.contains_key(name) {
                return Err(LlmError::tensor(
                    dir.join(shard),
                    name,
                    "missing, although the index names this file",
                ));
            }
        }
        Ok(checkpoint)
    }

    fn add_file(&mut self, path: PathBuf, listed: impl Fn(&str) -> bool) -> Result<(), LlmError> {
        let file = File::open(&path).map_err(|e| LlmError::io(&path, e))?;
        let map = map(&file, None).map_err(|e| LlmError::io(&path, e))?;
        let malformed = |e: safetensors::SafeTensorError| LlmError::Malformed {
            path: path.clone(),
            problem: format!("not a safetensors file: {e}"),
        };
        let (header, metadata) = SafeTensors::read_metadata(&map).map_err(malformed)?;
        SafeTensors::deserialize(&map).map_err(malformed)?;
        let start = header + size_of::<u64>();
        for name in metadata.offset_keys() {
            if !listed(&name) {
                return Err(LlmError::tensor(&path, &name, "not listed for this file by the index"));
            }
            let info = metadata.info(&name).expect("invariant: the key comes from the same header");
            let (begin, end) = info.data_offsets;
            let entry = Entry {
                file: self.files.len(),
                dtype: info.dtype,
                shape: info.shape.clone(),
                bytes: start + begin..start + end,
            };
            self.tensors.insert(name, entry);
        }
        self.files.push((path, file));
        Ok(())
    }

    /// The file that stands for the checkpoint in messages.
    pub fn path(&self) -> &Path {
        &self.entry
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// File that holds `name`, or the checkpoint's own when it holds none.
    pub fn file_of(&self, name: &str) -> &Path {
        self.tensors.get(name).map_or(&self.entry, |entry| &self.files[entry.file].0)
    }

    /// Checks that it holds the tensors of a model of this shape, and no others than buffers that follow from them.
    pub fn check(&self, config: &LlmConfig) -> Result<(), LlmError> {
        let wanted = model_tensors(config);
        for name in self.names() {
            if !wanted.iter().any(|(w, _)| w == name) && !is_derived(name, config) {
                return Err(LlmError::tensor(
                    self.file_of(name),
                    name,
                    "not a tensor of this model's config.json",
                ));
            }
        }
        wanted.iter().try_for_each(|(name, shape)| self.entry(name, shape).map(drop))
    }

    /// Number of safetensors files.
    pub fn n_files(&self) -> usize {
        self.files.len()
    }

    /// Bytes of all tensors as stored.
    pub fn bytes(&self) -> usize {
        self.tensors.values().map(|entry| entry.bytes.len()).sum()
    }

    /// Number of tensors by stored type, for example `BF16`.
    pub fn types(&self) -> BTreeMap<String, usize> {
        let mut types = BTreeMap::new();
        for entry in self.tensors.values() {
            *types.entry(format!("{:?}", entry.dtype)).or_default() += 1;
        }
        types
    }

    /// The entry of a tensor that must have the given shape.
    fn entry(&self, name: &str, shape: &[usize]) -> Result<&Entry, LlmError> {
        let Some(entry) = self.tensors.get(name) else {
            return Err(LlmError::tensor(&self.entry, name, "missing"));
        };
        if entry.shape != shape {
            let problem = format!("expected shape {shape:?}, found {:?}", entry.shape);
            return Err(LlmError::tensor(&self.files[entry.file].0, name, problem));
        }
        Ok(entry)
    }

    /// Reads one tensor that must have the given shape.
    pub fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LlmError> {
        let entry = self.entry(name, shape)?;
        let (path, file) = &self.files[entry.file];
        let bytes = map(file, Some(&entry.bytes)).map_err(|e| LlmError::io(path, e))?;
        let values = widen(entry.dtype, &bytes).map_err(|problem| LlmError::tensor(path, name, problem))?;
        match first_unbounded(&values) {
            Some(at) => {
                let problem = format!("expected finite values, found {} at index {at}", values[at]);
                Err(LlmError::tensor(path, name, problem))
            }
            None => Ok(values),
        }
    }
}

/// Tensors that some checkpoints hold although they follow from the others.
fn is_derived(name: &str, config: &LlmConfig) -> bool {
    name.ends_with("rotary_emb.inv_freq") || (config.tie_word_embeddings && name == LM_HEAD)
}

fn map_file(path: &Path) -> Result<Mmap, LlmError> {
    File::open(path).and_then(|file| map(&file, None)).map_err(|e| LlmError::io(path, e))
}

/// A file, or a range of its bytes.
#[allow(unsafe_code)]
fn map(file: &File, bytes: Option<&Range<usize>>) -> std::io::Result<Mmap> {
    let mut options = MmapOptions::new();
    if let Some(bytes) = bytes {
        options.offset(bytes.start as u64).len(bytes.len());
    }
    // SAFETY: the map is only read, and values are copied out of it during loading. Files are replaced by rename, not
    // written in place, so nobody truncates it under the map.
    unsafe { options.map(file) }
}

/// Index of the first value that is infinite or no number.
fn first_unbounded(values: &[f32]) -> Option<usize> {
    /// All ones in those alone.
    const EXPONENT: u32 = 0x7f80_0000;
    // Without an exit in its loop, the test of a piece compiles to vectors.
    let bounded =
        |piece: &[f32]| !piece.iter().fold(false, |found, v| found | (v.to_bits() & EXPONENT == EXPONENT));
    if values.chunks(1024).all(bounded) { None } else { values.iter().position(|v| !v.is_finite()) }
}

/// Little-endian values of a supported type as f32. Widening f16 and bf16 is exact.
fn widen(dtype: Dtype, bytes: &[u8]) -> Result<Vec<f32>, String> {
    match dtype {
        Dtype::F32 => Ok(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
        Dtype::F16 => Ok(bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect()),
        Dtype::BF16 => Ok(bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect()),
        other => Err(format!("expected type F32, F16 or BF16, found {other:?}")),
    }
}

/// The metadata in the header of a safetensors file.
pub(crate) fn metadata(path: &Path) -> Result<HashMap<String, String>, LlmError> {
    let map = map_file(path)?;
    let (_, header) = SafeTensors::read_metadata(&map).map_err(|e| LlmError::Malformed {
        path: path.to_owned(),
        problem: format!("not a safetensors file: {e}"),
    })?;
    Ok(header.metadata().clone().unwrap_or_default())
}

/// All tensors of one safetensors file.
pub fn read_file(path: &Path) -> Result<HashMap<String, HostTensor>, LlmError> {
    let map = map_file(path)?;
    let tensors = SafeTensors::deserialize(&map).map_err(|e| LlmError::Malformed {
        path: path.to_owned(),
        problem: format!("not a safetensors file: {e}"),
    })?;
    let read = |(name, view): (&str, TensorView<'_>)| {
        let values =
            widen(view.dtype(), view.data()).map_err(|problem| LlmError::tensor(path, name, problem))?;
        Ok((name.to_owned(), HostTensor::new(view.shape().to_vec(), values)))
    };
    tensors.iter().map(read).collect()
}

/// Type of the values on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredType {
    /// As they are in memory.
    F32,
    /// Rounded to the nearest half-precision number: half the size, a relative error of at most 2^-11 for values of
    /// normal size (from 6.1e-5 to 65504).
    F16,
}

impl StoredType {
    fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::F16 => Dtype::F16,
        }
    }

    /// Little-endian bytes; the value that becomes infinite by rounding when there is one.
    fn bytes(self, values: &[f32]) -> Result<Vec<u8>, f32> {
        match self {
            Self::F32 => Ok(values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Self::F16 => {
                let overflows = |v: &&f32| v.is_finite() && f16::from_f32(**v).is_infinite();
                match values.iter().find(overflows) {
                    Some(v) => Err(*v),
                    None => Ok(values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect()),
                }
            }
        }
    }
}

/// Writes tensors as f32, see [`write_file_as`].
pub fn write_file(path: &Path, tensors: Vec<(String, HostTensor)>) -> Result<(), LlmError> {
    write_file_as(path, tensors, StoredType::F32)
}

/// Writes tensors to one safetensors file that `transformers` and `peft` can read (`format: pt`). Equal tensors give
/// equal bytes. The file appears by rename.
///
/// # Errors
/// When the file cannot be written, or a finite value is too large for the stored type.
pub fn write_file_as(
    path: &Path,
    tensors: Vec<(String, HostTensor)>,
    stored: StoredType,
) -> Result<(), LlmError> {
    write(path, tensors, stored, [])
}

/// Writes tensors as f32 with more entries for the header's metadata.
pub(crate) fn write_file_with<'a>(
    path: &Path,
    tensors: Vec<(String, HostTensor)>,
    entries: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), LlmError> {
    write(path, tensors, StoredType::F32, entries)
}

fn write<'a>(
    path: &Path,
    tensors: Vec<(String, HostTensor)>,
    stored: StoredType,
    entries: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), LlmError> {
    let mut bytes = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let data = stored.bytes(&tensor.values).map_err(|value| {
            LlmError::tensor(path, &name, format!("expected values within {stored:?}'s range, found {value}"))
        })?;
        bytes.push((name, tensor.shape, data));
    }
    let malformed = |e: safetensors::SafeTensorError| LlmError::Malformed {
        path: path.to_owned(),
        problem: format!("cannot be written: {e}"),
    };
    let mut views = Vec::with_capacity(bytes.len());
    for (name, shape, data) in &bytes {
        views.push((name.as_str(), TensorView::new(stored.dtype(), shape.clone(), data).map_err(malformed)?));
    }
    let entries = entries.into_iter().chain([("format", "pt")]);
    let entries: Vec<_> = entries.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    // The library writes them in the order of the map, which differs from map to map: equal exports need one order.
    let metadata = std::iter::repeat_with(|| entries.iter().cloned().collect::<HashMap<String, String>>())
        .find(|map| map.keys().is_sorted())
        .unwrap_or_default();
    safetensors::serialize_to_file(views, Some(metadata), path).map_err(malformed)?;
    readable(path).map_err(|e| LlmError::io(path, e))
}

/// The library leaves a file that its owner alone can read; a model is for everybody who reaches its folder.
#[cfg(unix)]
fn readable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_path: &Path) -> std::io::Result<()> {
    Ok(())
}
