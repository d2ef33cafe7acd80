//! A trained policy of `ppo-llm` as files that other tools read.

use std::path::{Path, PathBuf};

use llm::{Body, LoraAdapter};
use plugin::BuildError;
use serde_json::Value;
use trading_env::AgentContext;

use super::net::HEAD_INPUT;
use super::{PpoLlm, PpoLlmParams};

/// Files of a model folder that travel with its weights.
const COMPANIONS: &[&str] = &[
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "chat_template.jinja",
];
/// The policy head and the value head of an exported model, with what their input is standardised by.
pub const HEADS: &str = "heads.safetensors";

/// A policy that a run left, with the model that it belongs to.
pub struct TrainedLlm {
    body: Body,
    /// Folder of the base model.
    base: PathBuf,
    /// The base model as the experiment names it.
    base_name: String,
}

impl TrainedLlm {
    /// Opens the policy in `checkpoint` of a run with these parameters and this seed. The base model must have the
    /// content that it had in training.
    pub fn open(
        params: &Value,
        seed: u64,
        checkpoint: &Path,
        context: AgentContext<'_>,
    ) -> Result<Self, BuildError> {
        let parsed: PpoLlmParams = plugin::params(params)?;
        let base_name = parsed.model.path.display().to_string();
        let agent = PpoLlm::build(parsed, context)?;
        let base = agent.model.folder().to_owned();
        let learner = agent.fresh(seed).and_then(|fresh| fresh.load(checkpoint));
        let body = learner.map_err(|e| BuildError::Invalid(e.to_string()))?.into_network().into_body();
        Ok(Self { body, base, base_name })
    }

    /// Its adapters, or why there is no folder of PEFT's that holds all that was trained of the model.
    pub fn adapter(&self) -> Result<LoraAdapter, String> {
        let plan = self.body.plan();
        if plan.embedding || plan.norm || plan.full.contains(&true) {
            return Err("trained tensors in full, which an adapter does not hold".to_owned());
        }
        self.body.adapter().ok_or_else(|| "trained no adapters, expected agent.lora.rank > 0".to_owned())
    }

    /// Writes the adapters into the existing folder `dir`, as PEFT loads them.
    pub fn write_adapter(&self, adapter: &LoraAdapter, dir: &Path) -> Result<(), BuildError> {
        let config = self.body.backbone().config();
        adapter.write(dir, config, &self.base_name).map_err(|e| BuildError::Invalid(e.to_string()))?;
        self.write_heads(dir)
    }

    /// Writes the whole model into the existing folder `dir`, trained tensors in place and adapters merged, as
    /// `transformers` loads it.
    pub fn write_model(&self, dir: &Path) -> Result<(), BuildError> {
        self.body.save_merged(dir).map_err(|e| BuildError::Invalid(e.to_string()))?;
        for name in COMPANIONS {
            let source = self.base.join(name);
            if source.is_file() {
                let copied = std::fs::copy(&source, dir.join(name));
                copied.map_err(|e| BuildError::Invalid(format!("{}: {e}", source.display())))?;
            }
        }
        self.write_heads(dir)
    }

    fn write_heads(&self, dir: &Path) -> Result<(), BuildError> {
        let groups = [HEAD_INPUT, ppo::POLICY_HEAD, ppo::VALUE_HEAD];
        let heads = self.body.params().filtered(|p| groups.contains(&p.group()));
        heads.save(&dir.join(HEADS)).map_err(|e| BuildError::Invalid(e.to_string()))
    }
}
