//! Observations as prompts that a language model has read up to its freeze boundary.

use std::sync::Arc;

use llm::{Body, Boundaries, CacheLimits, EncodedSequence, Lane, Lookup, PrefixCache, Sequences, SharedPart};
use plugin::{BuildError, SharedPool};
use ppo::Usage;
use prompt::{ChatTemplate, Encoded, Encoder, PromptConfig, PromptError};
use trading_env::{AgentError, Observation, PromptCounts};

use crate::learner::resident_bytes;
use crate::model::Model;

/// Renders, encodes and reads prompts; what runs share comes from the cache.
#[derive(Clone)]
pub(crate) struct Reader {
    encoder: Arc<Encoder>,
    cache: Arc<PrefixCache>,
    /// At which the arms of these prompts and this model read them.
    boundaries: Arc<Boundaries>,
    /// What whole prompts begin with, as the run's body has read it; absent before the first one.
    beginning: Option<Arc<SharedPart>>,
    usage: Usage,
    prompts: PromptCounts,
}

impl Reader {
    /// A reader for the prompts of one arm and one model, with a cache that arms with equal limits share.
    pub fn new(
        config: &PromptConfig,
        model: &Model,
        limits: CacheLimits,
        shared: &SharedPool,
    ) -> Result<Self, BuildError> {
        let encoder = Arc::new(encoder(config, model)?);
        let cache = shared.get_or_try_init(&format!("prefix-cache/{limits:?}"), || {
            Ok::<_, BuildError>(PrefixCache::new(limits))
        })?;
        let same = format!("boundaries/{}/{config:?}", model.identity());
        let boundaries = shared.get_or_try_init(&same, || Ok::<_, BuildError>(Boundaries::default()))?;
        let (usage, prompts) = Default::default();
        Ok(Self { encoder, cache, boundaries, beginning: None, usage, prompts })
    }

    /// Says to which boundary prompts will be read, so that arms that come before leave what this one can use.
    pub fn expect(&self, boundary: usize) {
        self.boundaries.expect(boundary);
    }

    /// Whether prompts show the account; without it each is read as a whole, see [`Reader::whole`].
    pub fn shows_account(&self) -> bool {
        self.encoder.config().account
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
        let tokens = self.encoded(observation)?;
        self.usage.tokens += tokens.own.len() as u64;
        Ok((self.cached(body, &tokens.shared)?, tokens.own))
    }

    /// The prompts of observations as `body` reads them, together with other runs where there is a lane.
    pub fn read(
        &mut self,
        lane: Option<&Lane>,
        body: &Body,
        observations: &[Observation<'_>],
    ) -> Result<Vec<EncodedSequence>, AgentError> {
        if self.shows_account() {
            let prompts = observations.iter().map(|o| self.shared(body, o)).collect::<Result<_, _>>()?;
            return self.own(lane, body, prompts);
        }
        let read = |observation| {
            let rest = self.rest(observation)?;
            self.whole(body, &rest)
        };
        observations.iter().map(read).collect()
    }

    /// The tokens of a prompt without account after its beginning.
    pub fn rest(&mut self, observation: &Observation<'_>) -> Result<Vec<u32>, AgentError> {
        let Encoded { shared, own, .. } = self.encoded(observation)?;
        let beginning = self.encoder.beginning().map_err(failed)?;
        Ok([&shared[beginning.len()..], &own].concat())
    }

    /// The prompt without account that these tokens end, as `body` reads it: every prompt once for all runs and arms of
    /// the process, as far as the cache has room for what came of it.
    pub fn whole(&mut self, body: &Body, rest: &[u32]) -> Result<EncodedSequence, AgentError> {
        let beginning = match &self.beginning {
            Some(beginning) if body.is_covered_by(beginning) => beginning.clone(),
            _ => {
                let ids = self.encoder.beginning().map_err(failed)?;
                self.usage.tokens += ids.len() as u64;
                let beginning = Arc::new(body.encode_beginning(&ids).map_err(failed)?);
                self.beginning.insert(beginning).clone()
            }
        };
        let whole = self.cache.whole(body, &beginning, rest, &self.boundaries);
        let (sequence, lookup) = whole.map_err(failed)?;
        self.count(lookup, rest.len());
        Ok(sequence)
    }

    fn encoded(&mut self, observation: &Observation<'_>) -> Result<Encoded, AgentError> {
        let tokens = self.encoder.encode(observation).map_err(failed)?;
        self.prompts.encoded += 1;
        self.prompts.shortened += u64::from(tokens.is_shortened());
        Ok(tokens)
    }

    /// Own parts after their shared ones as `body` reads them, together with other runs where there is a lane.
    fn own(
        &self,
        lane: Option<&Lane>,
        body: &Body,
        prompts: Sequences,
    ) -> Result<Vec<EncodedSequence>, AgentError> {
        self.cache.encode_own(lane, body, prompts).map_err(failed)
    }

    /// The shared part of these tokens as `body` reads it.
    pub fn cached(&mut self, body: &Body, ids: &[u32]) -> Result<Arc<SharedPart>, AgentError> {
        let (shared, lookup) = self.cache.shared_among(body, ids, &self.boundaries).map_err(failed)?;
        self.count(lookup, ids.len());
        Ok(shared)
    }

    fn count(&mut self, lookup: Lookup, tokens: usize) {
        let usage = &mut self.usage;
        match lookup {
            Lookup::Hit => usage.cache_hits += 1,
            Lookup::Spilled => usage.cache_spilled += 1,
            Lookup::Extended => usage.cache_extended += 1,
            Lookup::Miss => usage.cache_misses += 1,
            Lookup::Recomputed => {
                usage.cache_misses += 1;
                usage.cache_recomputed += 1;
            }
            Lookup::Bypassed => {}
        }
        if !matches!(lookup, Lookup::Hit | Lookup::Spilled) {
            usage.tokens += tokens as u64;
        }
    }

    /// Counters of the cache, of all readers that share it.
    #[cfg(test)]
    pub fn cache_stats(&self) -> llm::CacheStats {
        self.cache.stats()
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

fn failed(error: impl std::fmt::Display) -> AgentError {
    AgentError::Other(error.to_string())
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
