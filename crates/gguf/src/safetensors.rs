//! Writes `model.safetensors` piece by piece, so that memory does not grow with the model.
//!
//! The library for the format takes tensors that are in memory as a whole.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use half::{bf16, f16};
use serde_json::{Map, json};

use crate::error::{Fault, GgufError};
use crate::file::Gguf;
use crate::model::Planned;

/// Name of the file.
const NAME: &str = "model.safetensors";
/// Values that are converted at a time.
const PIECE: usize = 1 << 18;

/// Type of the values that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoredType {
    /// Single precision: what llama.cpp computes from the file, exactly.
    #[default]
    Float32,
    /// Half precision, rounded to the nearest.
    Float16,
    /// The upper half of single precision, rounded to the nearest.
    Bfloat16,
}

impl StoredType {
    /// Its name in `config.json` and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Float16 => "float16",
            Self::Bfloat16 => "bfloat16",
        }
    }

    /// Its name in the header of the file.
    fn dtype(self) -> &'static str {
        match self {
            Self::Float32 => "F32",
            Self::Float16 => "F16",
            Self::Bfloat16 => "BF16",
        }
    }

    fn size(self) -> usize {
        match self {
            Self::Float32 => 4,
            Self::Float16 | Self::Bfloat16 => 2,
        }
    }

    /// Appends little-endian bytes.
    ///
    /// # Errors
    /// With the index of a value that is not finite, or not after rounding.
    fn append(self, values: &[f32], bytes: &mut Vec<u8>) -> Result<(), usize> {
        let is_out = |v: &f32| match self {
            Self::Float32 => !v.is_finite(),
            Self::Float16 => !f16::from_f32(*v).is_finite(),
            Self::Bfloat16 => !bf16::from_f32(*v).is_finite(),
        };
        if let Some(at) = values.iter().position(is_out) {
            return Err(at);
        }
        match self {
            Self::Float32 => bytes.extend(values.iter().flat_map(|v| v.to_le_bytes())),
            Self::Float16 => bytes.extend(values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes())),
            Self::Bfloat16 => bytes.extend(values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes())),
        }
        Ok(())
    }
}

/// Writes all tensors, in their order, into `folder`. `source` is the name of the GGUF for messages.
pub(crate) fn write(
    file: &Gguf,
    source: &Path,
    tensors: &[Planned],
    folder: &Path,
    stored: StoredType,
) -> Result<(), GgufError> {
    let path = folder.join(NAME);
    let failed = || GgufError::write(&path);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&path).map_err(failed())?);
    out.write_all(&header(file, tensors, stored)).map_err(failed())?;
    let mut piece = Piece::default();
    for planned in tensors {
        let rows = planned.rows(file);
        let step = (PIECE / planned.row(file)).max(1);
        for first in (0..rows).step_by(step) {
            let rows = first..rows.min(first + step);
            piece.read(file, planned, rows, stored).map_err(|fault| fault.of(source))?;
            out.write_all(&piece.out).map_err(failed())?;
        }
    }
    let file = out.into_inner().map_err(|e| GgufError::write(&path)(e.into_error()))?;
    file.sync_all().map_err(failed())
}

/// The header with its length.
fn header(file: &Gguf, tensors: &[Planned], stored: StoredType) -> Vec<u8> {
    let mut entries = Map::new();
    // transformers and peft ask for it.
    entries.insert("__metadata__".to_owned(), json!({ "format": "pt" }));
    let mut at = 0;
    for planned in tensors {
        let tensor = planned.tensor(file);
        let end = at + tensor.count() * stored.size();
        let entry = json!({ "dtype": stored.dtype(), "shape": tensor.shape, "data_offsets": [at, end] });
        entries.insert(planned.name.clone(), entry);
        at = end;
    }
    let mut header = serde_json::Value::from(entries).to_string().into_bytes();
    // Tensors begin at a multiple of 8.
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut header);
    bytes
}

/// Memory for the conversion of some rows.
#[derive(Default)]
struct Piece {
    raw: Vec<u8>,
    values: Vec<f32>,
    out: Vec<u8>,
}

impl Piece {
    fn read(
        &mut self,
        file: &Gguf,
        planned: &Planned,
        rows: std::ops::Range<usize>,
        stored: StoredType,
    ) -> Result<(), Fault> {
        let tensor = planned.tensor(file);
        let (row, (block, size)) = (planned.row(file), tensor.kind.block());
        let row_bytes = row / block * size;
        self.raw.resize(rows.len() * row_bytes, 0);
        self.values.resize(rows.len() * row, 0.0);
        if planned.heads.is_none() {
            file.read(tensor, (rows.start * row_bytes) as u64, &mut self.raw)?;
        } else {
            for (row, raw) in rows.clone().zip(self.raw.chunks_exact_mut(row_bytes)) {
                file.read(tensor, (planned.source_row(file, row) * row_bytes) as u64, raw)?;
            }
        }
        tensor.kind.dequantise(&self.raw, &mut self.values);
        self.out.clear();
        stored.append(&self.values, &mut self.out).map_err(|at| {
            let value = self.values[at];
            let expected = match value.is_finite() {
                true => format!("values within the range of {}", stored.as_str()),
                false => "finite values".to_owned(),
            };
            let place = format!("{value} at index {} of row {}", at % row, rows.start + at / row);
            Fault::tensor(&tensor.name, expected, place)
        })
    }
}
