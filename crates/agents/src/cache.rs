//! Settings of the prefix cache, which agents that read prompts have in common.

use std::borrow::Cow;

use burn::tensor::Device;
use llm::CacheLimits;
use plugin::BuildError;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use trading_env::AgentContext;

use crate::backend::BurnDevice;

/// Room for what frozen layers say of prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CacheParams {
    /// Memory for the activations of prompts that runs share, in MiB; 0 keeps none. `"auto"`: as they are needed, up to
    /// half of the memory that the process may still take at the start of the sweep (the machine's, its control
    /// group's, `run.memory_limit_mib`, shared among the processes of the sweep); on a GPU an eighth of its own. What
    /// does not fit goes to disk or is computed again: this changes the time of a run and nothing else.
    #[schemars(extend("x-unhashed" = true))]
    pub prefix_cache_mib: CacheMib,
    /// Disk space for those that `prefix_cache_mib` has no room for, in MiB, where reading them back takes less time than
    /// computing them; 0 is none. It is taken as it is needed, by a file in the folder for temporary files (`TMPDIR`)
    /// that goes with the process. This changes the time of a run and nothing else.
    #[schemars(range(min = 0, max = 1_000_000), extend("x-unhashed" = true))]
    pub prefix_spill_mib: usize,
}

impl Default for CacheParams {
    fn default() -> Self {
        Self { prefix_cache_mib: CacheMib::Word(Auto::Auto), prefix_spill_mib: 4096 }
    }
}

/// Memory of the prefix cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CacheMib {
    /// In MiB.
    Mib(usize),
    /// By what there is.
    Word(Auto),
}

/// The one word that stands for a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auto {
    /// `auto`.
    Auto,
}

impl JsonSchema for CacheMib {
    fn schema_name() -> Cow<'static, str> {
        "CacheMib".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "const": "auto" }, { "type": "integer", "minimum": 0, "maximum": 1_000_000 }]
        })
    }
}

const MIB: usize = 1 << 20;
/// Of an accelerator whose memory is unknown.
const UNKNOWN: u64 = 256 * MIB as u64;

impl CacheParams {
    /// What the cache of an agent built in this context may hold.
    pub(crate) fn limits(&self, agent: &str, context: AgentContext<'_>) -> Result<CacheLimits, BuildError> {
        let memory = match self.prefix_cache_mib {
            CacheMib::Mib(mib) => mib.saturating_mul(MIB),
            CacheMib::Word(Auto::Auto) => {
                let bytes = match *BurnDevice::of(context.compute, agent)?.device() == Device::flex() {
                    true => context.cache_bytes,
                    // The tensors are there, not here.
                    false => {
                        context.compute.device_info().and_then(|i| i.memory_bytes).map_or(UNKNOWN, |b| b / 8)
                    }
                };
                usize::try_from(bytes).unwrap_or(usize::MAX)
            }
        };
        Ok(CacheLimits { memory, spill: (self.prefix_spill_mib as u64).saturating_mul(MIB as u64) })
    }
}

#[cfg(test)]
mod tests {
    use plugin::SharedPool;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{agent_plugin, resolved, with_context};

    fn limits(given: Value) -> CacheLimits {
        let params: CacheParams = serde_json::from_value(given).unwrap();
        let shared = SharedPool::default();
        with_context(&shared, |context| {
            params.limits("ppo-llm", AgentContext { cache_bytes: 77, ..context }).unwrap()
        })
    }

    #[test]
    fn auto_is_what_the_context_allows_and_a_number_is_that_many_mebibytes() {
        assert_eq!(limits(json!({})), CacheLimits { memory: 77, spill: 4096 << 20 });
        assert_eq!(limits(json!({ "prefix_cache_mib": "auto" })).memory, 77);
        let given = json!({ "prefix_cache_mib": 3, "prefix_spill_mib": 0 });
        assert_eq!(limits(given), CacheLimits { memory: 3 << 20, spill: 0 });
        assert_eq!(limits(json!({ "prefix_cache_mib": 0 })).memory, 0);
    }

    #[test]
    fn other_words_and_numbers_are_refused() {
        for name in ["ppo-llm", "zero-shot-llm"] {
            let schema = agent_plugin(name).schema();
            assert!(plugin::unhashed_keys(&schema).contains(&"prefix_cache_mib".to_owned()));
            let error = |value: Value| {
                let mut params = resolved(name, json!({}));
                assert_eq!(params["prefix_cache_mib"], "auto");
                params["prefix_cache_mib"] = value;
                plugin::check_value(&schema, &params).into_iter().map(|e| e.to_string()).collect::<Vec<_>>()
            };
            assert_eq!(error(json!(512)), Vec::<String>::new());
            let word = error(json!("atuo"));
            assert!(word[0].starts_with("prefix_cache_mib: expected auto"), "{word:?}");
            let below = error(json!(-1));
            assert!(below[0].starts_with("prefix_cache_mib: expected a whole number"), "{below:?}");
            let fraction = error(json!(1.5));
            assert!(fraction[0].contains("auto") && fraction[0].contains("whole number"), "{fraction:?}");
        }
    }
}
