//! A whole model in a GGUF, and the folder that becomes of it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use plugin::Imported;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::error::{Fault, GgufError};
use crate::file::{Gguf, Tensor};
use crate::names::{Wanted, wanted};
use crate::rope::FACTORS;
use crate::tokenizer::Tokenizer;
use crate::{StoredType, TensorType, safetensors};

/// A model that has been found to be complete and of an architecture that is known.
#[derive(Debug)]
pub struct Model {
    path: PathBuf,
    file: Gguf,
    config: Config,
    tokenizer: Tokenizer,
    tensors: Vec<Planned>,
}

/// A tensor of `model.safetensors` and where its values are.
#[derive(Debug)]
pub(crate) struct Planned {
    /// In `model.safetensors`.
    pub name: String,
    /// Index among the tensors of the file.
    tensor: usize,
    /// Heads within each of which rows have to be brought back into their order.
    pub heads: Option<usize>,
}

impl Planned {
    pub fn tensor<'a>(&self, file: &'a Gguf) -> &'a Tensor {
        &file.tensors[self.tensor]
    }

    /// Values of a row; of a bias whose values are reordered, one.
    pub fn row(&self, file: &Gguf) -> usize {
        match self.tensor(file).shape[..] {
            [_] if self.heads.is_some() => 1,
            [.., row] => row,
            [] => 1,
        }
    }

    pub fn rows(&self, file: &Gguf) -> usize {
        self.tensor(file).count() / self.row(file)
    }

    /// The row of the file that becomes row `row`. The converter put the halves of each head, of which `transformers`
    /// rotates the first against the second, into turns: rows 0 and 1 of a head of 64 are 0 and 32.
    pub fn source_row(&self, file: &Gguf, row: usize) -> usize {
        let Some(heads) = self.heads else { return row };
        let width = self.rows(file) / heads;
        let (head, within) = (row / width, row % width);
        let (half, pair) = (within / (width / 2), within % (width / 2));
        head * width + 2 * pair + half
    }
}

impl Model {
    /// Reads the header of a file and checks that it holds a model that can be imported. No weights are read.
    ///
    /// # Errors
    /// With the first thing that is wrong.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        let open = || {
            let file = Gguf::open(path)?;
            // The cheapest first: a model of another kind shall not be refused for its tokenizer.
            let config = Config::read(&file)?;
            check_version(&file)?;
            let tensors = planned(&file, &config)?;
            let tokenizer = Tokenizer::read(&file.metadata, config.context)?;
            if tokenizer.size() != config.vocab {
                let expected = format!("{} tokens, one per row of the embedding", config.vocab);
                return Err(Fault::key("tokenizer.ggml.tokens", expected, tokenizer.size().to_string()));
            }
            Ok(Self { path: path.to_owned(), file, config, tokenizer, tensors })
        };
        open().map_err(|fault| fault.of(path))
    }

    /// `model_type` of its `config.json`.
    pub fn architecture(&self) -> &'static str {
        self.config.architecture.as_str()
    }

    /// Values of all tensors together.
    pub fn parameters(&self) -> usize {
        self.planned().map(Tensor::count).sum()
    }

    /// Number of tensors by type.
    pub fn tensor_types(&self) -> BTreeMap<TensorType, usize> {
        let mut types = BTreeMap::new();
        for tensor in self.planned() {
            *types.entry(tensor.kind).or_default() += 1;
        }
        types
    }

    /// The type of most values.
    pub fn quantisation(&self) -> TensorType {
        let mut values: BTreeMap<TensorType, usize> = BTreeMap::new();
        for tensor in self.planned() {
            *values.entry(tensor.kind).or_default() += tensor.count();
        }
        values.into_iter().max_by_key(|(_, values)| *values).map_or(TensorType::F32, |(kind, _)| kind)
    }

    fn planned(&self) -> impl Iterator<Item = &Tensor> {
        self.tensors.iter().map(|planned| planned.tensor(&self.file))
    }

    /// Writes the files of the model into a folder that is there, and says what it was made of.
    ///
    /// # Errors
    /// When a weight is not finite in the stored type, or a file cannot be read or written.
    pub fn write(&self, folder: &Path, stored: StoredType) -> Result<Imported, GgufError> {
        let imported = Imported {
            file: self.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            sha256: self.digest()?,
            quantisation: self.quantisation().as_str().to_owned(),
        };
        let types: BTreeMap<&str, usize> =
            self.tensor_types().into_iter().map(|(kind, n)| (kind.as_str(), n)).collect();
        let mut memory = json!(imported);
        memory["format"] = "gguf".into();
        memory["tensor_types"] = json!(types);
        memory["dtype"] = stored.as_str().into();
        let config = self.config.to_json(stored.as_str(), &self.tokenizer.special_ids());
        let files: [(&str, &Json); 5] = [
            ("config.json", &config),
            ("generation_config.json", &self.tokenizer.generation_config()),
            ("tokenizer.json", self.tokenizer.json()),
            ("tokenizer_config.json", self.tokenizer.config()),
            (Imported::FILE, &memory),
        ];
        for (name, json) in files {
            let path = folder.join(name);
            fs::write(&path, format!("{json:#}\n")).map_err(GgufError::write(&path))?;
        }
        safetensors::write(&self.file, &self.path, &self.tensors, folder, stored)?;
        Ok(imported)
    }

    /// sha256 of the whole file, in hex.
    fn digest(&self) -> Result<String, GgufError> {
        let digest = || -> io::Result<String> {
            let mut file = self.file.whole()?;
            let mut hash = Sha256::new();
            let mut block = vec![0; 1 << 20];
            loop {
                match file.read(&mut block)? {
                    0 => break,
                    n => hash.update(&block[..n]),
                }
            }
            Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
        };
        digest().map_err(|e| Fault::from(e).of(&self.path))
    }
}

/// The layout of quantised blocks is that of version 2.
fn check_version(file: &Gguf) -> Result<(), Fault> {
    const KEY: &str = "general.quantization_version";
    match file.metadata.whole(KEY)? {
        Some(version) if version != 2 && file.tensors.iter().any(|tensor| tensor.kind.is_quantised()) => {
            Err(Fault::key(KEY, "2", version.to_string()))
        }
        _ => Ok(()),
    }
}

/// Finds every tensor of the model in the file, and nothing else.
fn planned(file: &Gguf, config: &Config) -> Result<Vec<Planned>, Fault> {
    let by_name: BTreeMap<&str, usize> =
        file.tensors.iter().enumerate().map(|(i, tensor)| (tensor.name.as_str(), i)).collect();
    let wanted = wanted(config);
    let known: BTreeMap<&str, ()> = wanted.iter().map(|wanted| (wanted.gguf.as_str(), ())).collect();
    if let Some(tensor) =
        file.tensors.iter().find(|t| t.name != FACTORS && !known.contains_key(t.name.as_str()))
    {
        let expected = format!("tensors of a {} model alone", config.architecture.as_str());
        return Err(Fault::tensor(&tensor.name, expected, format!("one of shape {:?}", tensor.shape)));
    }
    let find = |Wanted { gguf, name, shape, heads }: Wanted| {
        let Some(index) = by_name.get(gguf.as_str()) else {
            return Err(Fault::tensor(&gguf, format!("shape {shape:?}"), "no tensor of that name"));
        };
        let tensor = &file.tensors[*index];
        if tensor.shape != shape {
            let found = format!("{:?}", tensor.shape);
            return Err(Fault::tensor(&gguf, format!("shape {shape:?}"), found));
        }
        if heads.is_some() && shape.len() == 1 && tensor.kind.is_quantised() {
            return Err(Fault::tensor(&gguf, "type F32, F16 or BF16 of a bias", tensor.kind.as_str()));
        }
        Ok(Planned { name, tensor: *index, heads })
    };
    wanted.into_iter().map(find).collect()
}
