//! Observations as prompts that a language model has read up to its freeze boundary.

use std::sync::Arc;

use llm::{Body, CacheLimits, EncodedSequence, Lane, Lookup, PrefixCache, Sequences, SharedPart, TrainPlan};
use plugin::{BuildError, SharedPool};
use ppo::Usage;
use prompt::{ChatTemplate, Encoder, PromptConfig, PromptError};
use trading_env::{AgentError, Observation, PromptCounts};

use crate::learner::resident_bytes;
use crate::model::Model;

/// Renders, encodes and reads prompts; what runs share comes from the cache.
#[derive(Clone)]
pub(crate) struct Reader {
    encoder: Arc<Encoder>,
    cache: Arc<PrefixCache>,
    usage: Usage,
    prompts: PromptCounts,
}

impl Reader {
    /// A reader for the prompts of one arm and one model, with a cache of `[memory, disk]` MiB that arms share.
    pub fn new(
        config: &PromptConfig,
        model: &Model,
        [memory, disk]: [usize; 2],
        shared: &SharedPool,
    ) -> Result<Self, BuildError> {
        let encoder = Arc::new(encoder(config, model)?);
        let limits = CacheLimits {
            memory: memory.saturating_mul(1 << 20),
            spill: (disk as u64).saturating_mul(1 << 20),
        };
        let cache = shared.get_or_try_init(&format!("prefix-cache/{memory}/{disk}"), || {
            Ok::<_, BuildError>(PrefixCache::new(limits))
        })?;
        Ok(Self { encoder, cache, usage: Usage::default(), prompts: PromptCounts::default() })
    }

    /// Says what will be read, so that arms that come before leave what this one can use.
    pub fn expect(&self, model: &Model, plan: &TrainPlan) {
        self.cache.expect(model.config(), plan);
    }

    /// What turns observations into tokens.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The shared part of a prompt as `body` has read it, with the tokens of the own part.
    pub fn shared(
        &mut self,
        body: &Body,
        observation: &Observation<'_>,
    ) -> Result<(Arc<SharedPart>, Vec<u32>), AgentError> {
        let failed = |e: &dyn std::fmt::Display| AgentError::Other(e.to_string());
        let tokens = self.encoder.encode(observation).map_err(|e| failed(&e))?;
        self.usage.tokens += tokens.own.len() as u64;
        self.prompts.encoded += 1;
        self.prompts.shortened += u64::from(tokens.is_shortened());
        Ok((self.cached(body, &tokens.shared)?, tokens.own))
    }

    /// Own parts after their shared ones as `body` reads them, together with other runs where there is a lane.
    pub fn own(
        &self,
        lane: Option<&Lane>,
        body: &Body,
        prompts: Sequences,
    ) -> Result<Vec<EncodedSequence>, AgentError> {
        self.cache.encode_own(lane, body, prompts).map_err(|e| AgentError::Other(e.to_string()))
    }

    /// The shared part of these tokens as `body` reads it.
    pub fn cached(&mut self, body: &Body, ids: &[u32]) -> Result<Arc<SharedPart>, AgentError> {
        let (shared, lookup) = self.cache.shared(body, ids).map_err(|e| AgentError::Other(e.to_string()))?;
        let usage = &mut self.usage;
        match lookup {
            Lookup::Hit => usage.cache_hits += 1,
            Lookup::Spilled => usage.cache_spilled += 1,
            Lookup::Extended => usage.cache_extended += 1,
            Lookup::Miss => usage.cache_misses += 1,
            Lookup::Bypassed => {}
        }
        if !matches!(lookup, Lookup::Hit | Lookup::Spilled) {
            usage.tokens += ids.len() as u64;
        }
        Ok(shared)
    }

    /// What it has cost so far.
    pub fn usage(&self) -> Usage {
        Usage { rss_bytes: resident_bytes(), ..self.usage }
    }

    /// What its run's log is to say of it.
    pub fn note(&self) -> Option<String> {
        let failure = self.cache.spill_failure()?;
        Some(format!(
            "the prefix cache has no file any more, what memory had no room for was computed again: {failure}"
        ))
    }

    /// Prompts so far.
    pub fn prompts(&self) -> PromptCounts {
        self.prompts
    }

    /// Goes on counting from these.
    pub fn count_from(&mut self, prompts: PromptCounts) {
        self.prompts = prompts;
    }
}

/// What turns observations into the model's tokens.
fn encoder(config: &PromptConfig, model: &Model) -> Result<Encoder, BuildError> {
    let at = |key: &str, e: &PromptError| BuildError::Invalid(format!("{key}{e}"));
    let mut encoder = Encoder::new(config.clone(), model.tokenizer().clone());
    if config.chat_template {
        let template = ChatTemplate::from_dir(model.folder());
        encoder = template
            .and_then(|template| encoder.in_chat(&template))
            .map_err(|e| at("agent.prompt.chat_template: ", &e))?;
    }
    encoder.within(model.config().max_position_embeddings).map_err(|e| match &e {
        PromptError::TooLong { .. } => at("agent.", &e),
        _ => at("agent.prompt: ", &e),
    })
}
