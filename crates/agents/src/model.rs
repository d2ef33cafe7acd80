//! The model folder of an agent: what is read from it, what identifies it, and what runs share of it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Device, FloatDType};
use chrono::NaiveDate;
use hub::{Located, RepoId};
use llm::{Backbone, LlmConfig, LlmError};
use plugin::{BuildError, Content, Files, Imported, ParamError, SharedPool};
use ppo::TrainDtype;
use prompt::{ChatTemplate, Tokenizer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use trading_env::{AgentContext, AgentError};

/// The language model of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelParams {
    /// Folder in Hugging Face layout: `config.json`, `tokenizer.json`, and `model.safetensors` (or its shards and
    /// their index) when the weights come from it; or, where there is no such folder, `OWNER/NAME` of a hub repository
    /// that `model fetch` has brought here. The contents identify a run, the path does not.
    #[schemars(extend("x-unhashed" = true))]
    pub path: PathBuf,
    /// Branch, tag or commit of a hub repository; absent: its default branch. The first sweep writes the commit into
    /// the lock beside the experiment file, and later sweeps read that commit.
    #[schemars(extend("x-unhashed" = true))]
    pub revision: Option<String>,
    /// Where the weights come from.
    pub weights: Weights,
    /// Seed of random weights; absent: the run's own, so that every seed has another model.
    pub weights_seed: Option<u64>,
    /// Last day (`YYYY-MM-DD`) of the text that the model was trained on, as its publisher says; absent: unknown. The
    /// report sets it beside the test window.
    #[schemars(extend("x-unhashed" = true))]
    pub knowledge_until: Option<String>,
}

impl Default for ModelParams {
    fn default() -> Self {
        Self {
            path: PathBuf::from("models/tiny-llama"),
            revision: None,
            weights: Weights::Checkpoint,
            weights_seed: None,
            knowledge_until: None,
        }
    }
}

/// Where a model's weights come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Weights {
    /// The safetensors of the folder.
    #[default]
    Checkpoint,
    /// Drawn from a seed; only the shape and the tokenizer are the folder's.
    Random,
}

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";

impl ModelParams {
    /// Relations that the schema cannot say.
    pub(crate) fn check(&self) -> Vec<ParamError> {
        let mut errors = Vec::new();
        let error = |key: &str, found: String, expected: &str| ParamError {
            key: format!("model.{key}"),
            found,
            expected: expected.to_owned(),
        };
        if self.path.as_os_str().is_empty() {
            let expected = format!("a folder with config.json and tokenizer.json, or {}", RepoId::ACCEPTED);
            errors.push(error("path", "\"\"".to_owned(), &expected));
        }
        if let Some(revision) = &self.revision
            && hub::parse_revision(revision).is_err()
        {
            errors.push(error("revision", format!("{revision:?}"), "a branch, tag or commit"));
        }
        if let (Weights::Checkpoint, Some(seed)) = (self.weights, self.weights_seed) {
            let expected = "nothing, because weights = \"checkpoint\" draws none (or weights = \"random\")";
            errors.push(error("weights_seed", seed.to_string(), expected));
        }
        if let Some(day) = &self.knowledge_until
            && NaiveDate::parse_from_str(day, "%Y-%m-%d").is_err()
        {
            errors.push(error("knowledge_until", format!("{day:?}"), "a day as YYYY-MM-DD"));
        }
        errors
    }

    /// The model's folder.
    fn locate(&self, files: &Files) -> Result<Located, BuildError> {
        hub::locate(&self.path, self.revision.as_deref(), files)
            .map_err(|e| BuildError::Invalid(format!("agent.model.path: {e}")))
    }

    /// Every file that a run reads, with its digest; with those of the chat template if there is to be one.
    pub(crate) fn content(&self, files: &Files, chat_template: bool) -> Result<Content, BuildError> {
        let Located { folder: dir, pin } = self.locate(files)?;
        let mut names = vec![CONFIG.to_owned(), TOKENIZER.to_owned()];
        if chat_template {
            names.extend(ChatTemplate::files(&dir).into_iter().map(str::to_owned));
        }
        if self.weights == Weights::Checkpoint {
            let index = dir.join(llm::checkpoint::INDEX);
            if index.is_file() {
                names.push(llm::checkpoint::INDEX.to_owned());
                names.extend(shards(&dir).map_err(|e| unreadable(&dir, &e))?);
            } else {
                names.push(llm::checkpoint::SINGLE.to_owned());
            }
        }
        let digest = |name: String| Ok((name.clone(), file_digest(&dir.join(name))?));
        let files = names.into_iter().map(digest).collect::<Result<_, BuildError>>()?;
        let imported = match self.weights {
            Weights::Random => None,
            Weights::Checkpoint => {
                imported(&dir).map_err(|e| BuildError::Invalid(format!("agent.model.path: {e}")))?
            }
        };
        Ok(Content { files, pin, imported })
    }
}

/// What a model folder says that it was made of; `None` when it says nothing.
///
/// # Errors
/// In words, when its file cannot be read.
pub fn imported(dir: &Path) -> Result<Option<Imported>, String> {
    let path = dir.join(Imported::FILE);
    let error = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    match std::fs::read(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(error(&e)),
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|e| error(&e)),
    }
}

/// Names of the safetensors files of a folder, sorted.
fn shards(dir: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".safetensors") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn unreadable(path: &Path, e: &std::io::Error) -> BuildError {
    BuildError::Invalid(format!("agent.model.path: {}: {e}", path.display()))
}

fn file_digest(path: &Path) -> Result<String, BuildError> {
    let mut file = File::open(path).map_err(|e| unreadable(path, &e))?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block).map_err(|e| unreadable(path, &e))? {
            0 => break,
            n => hash.update(&block[..n]),
        }
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// An opened model folder.
pub(crate) struct Model {
    folder: PathBuf,
    config: LlmConfig,
    tokenizer: Arc<Tokenizer>,
    weights: Held,
    /// Number format in which it computes.
    dtype: FloatDType,
}

/// A number format by the name that `train_dtype` has for it.
pub fn dtype(name: &str) -> Result<FloatDType, String> {
    let parsed: Result<TrainDtype, _> = serde_json::from_value(Value::from(name));
    parsed.map(dtype_of).map_err(|_| {
        let near = plugin::did_you_mean(name, ["float32", "float16", "bfloat16"]);
        format!("expected float32, float16 or bfloat16{near}")
    })
}

/// burn's name of a number format.
fn dtype_of(dtype: TrainDtype) -> FloatDType {
    match dtype {
        TrainDtype::Float32 => FloatDType::F32,
        TrainDtype::Float16 => FloatDType::F16,
        TrainDtype::Bfloat16 => FloatDType::BF16,
    }
}

/// The weights that an arm holds.
enum Held {
    /// The same for all its seeds.
    One(Arc<Backbone>),
    /// Drawn for each seed, shared with other arms at the same seed.
    PerSeed { content: String, pool: Arc<SharedPool> },
}

impl Model {
    /// Reads what all seeds of an arm need; what another arm holds already is shared.
    pub(crate) fn open(
        params: &ModelParams,
        device: &Device,
        dtype: TrainDtype,
        context: AgentContext<'_>,
    ) -> Result<Self, BuildError> {
        let dtype = dtype_of(dtype);
        let invalid = |e: &dyn std::fmt::Display| BuildError::Invalid(format!("agent.model.path: {e}"));
        let dir = params.locate(context.files)?.folder;
        let digests = params.content(context.files, false)?.files;
        let content: Vec<&str> = digests.iter().map(|(_, digest)| digest.as_str()).collect();
        let content = content.join(".");
        let config = LlmConfig::read(&dir).map_err(|e| invalid(&e))?;
        let tokenizer_digest = digests.iter().find(|(name, _)| name == TOKENIZER).map_or("", |(_, d)| d);
        let tokenizer = context.shared.get_or_try_init(&format!("tokenizer/{tokenizer_digest}"), || {
            Tokenizer::from_file(&dir.join(TOKENIZER)).map_err(|e| invalid(&e))
        })?;
        config.check_vocabulary(&dir, tokenizer.vocab_size()).map_err(|e| invalid(&e))?;
        let one = |key: String, make: &dyn Fn() -> Result<Backbone, LlmError>| {
            let make = || make()?.cast(dtype);
            context.shared.get_or_try_init(&key, make).map(Held::One).map_err(|e| invalid(&e))
        };
        let weights = match (params.weights, params.weights_seed) {
            (Weights::Checkpoint, _) => {
                one(key(&content, None, device, dtype), &|| Backbone::load(&dir, device))?
            }
            (Weights::Random, Some(seed)) => one(key(&content, Some(seed), device, dtype), &|| {
                Ok(Backbone::random(&config, seed, device))
            })?,
            (Weights::Random, None) => {
                let pool = context
                    .shared
                    .get_or_try_init("backbones-per-seed", || Ok::<_, BuildError>(SharedPool::default()))?;
                Held::PerSeed { content, pool }
            }
        };
        Ok(Self { folder: dir, config, tokenizer, weights, dtype })
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Shape of the model.
    pub(crate) fn config(&self) -> &LlmConfig {
        &self.config
    }

    /// Its tokenizer.
    pub(crate) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The frozen weights of a run.
    pub(crate) fn backbone(&self, seed: u64, device: &Device) -> Result<Arc<Backbone>, AgentError> {
        match &self.weights {
            Held::One(backbone) => Ok(backbone.clone()),
            Held::PerSeed { content, pool } => {
                pool.get_or_try_init(&key(content, Some(seed), device, self.dtype), || {
                    let backbone = Backbone::random(&self.config, seed, device).cast(self.dtype);
                    backbone.map_err(|e| AgentError::Other(e.to_string()))
                })
            }
        }
    }
}

/// What makes two backbones one: content of the files, seed of random weights, device, number format.
fn key(content: &str, seed: Option<u64>, device: &Device, dtype: FloatDType) -> String {
    format!("backbone/{content}/{seed:?}/{device:?}/{dtype:?}")
}
