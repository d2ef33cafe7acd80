//! Inputs that the benches share: the settings of `experiments/base.toml`, as a sweep resolves them.

mod process;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agents::PpoLlmParams;
use experiment::RunSpec;
use llm::LlmConfig;
use market_data::{SplitSpec, Splits};
use plugin::{Files, SharedPool};
use prompt::{Encoder, PromptConfig, Tokenizer};
use runner::Registry;
use serde_json::Value;
use trading_env::{Action, Agent, AgentContext, Arena, Compute, EnvBatch, RewardFn, Rules, SplitName};

pub use process::{cpu_seconds, peak_bytes};

/// Backend of everything with tensors, as in experiment files; part of the ids.
pub const DEVICE: &str = "flex";

/// The workspace root, where the paths of experiment files start.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Paths as a sweep resolves them.
pub fn files() -> Files {
    Files { root: root(), ..Files::default() }
}

/// One arm with its data: what a run is made of.
pub struct Case {
    /// Resolved settings.
    pub spec: RunSpec,
    splits: Splits,
    registry: Registry,
}

impl Case {
    /// `experiments/base.toml` with `set` on top (`key=value`), on the shipped data.
    pub fn new(set: &[&str]) -> Self {
        let registry = flaglab::builtins();
        let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
        let path = root().join("experiments/base.toml");
        let experiment =
            experiment::load(&path, &set, &[], &registry.sections()).expect("settings are valid");
        Self::of(experiment.arms[0].run(0), registry)
    }

    /// The arms of an experiment (a path from the root) with `set` on top that train a language model, and its number of
    /// seeds.
    pub fn arms(path: &str, set: &[&str]) -> (Vec<Self>, usize) {
        let sections = flaglab::builtins().sections();
        let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
        let experiment =
            experiment::load(&root().join(path), &set, &[], &sections).expect("a shipped experiment");
        let arms = experiment.arms.iter().map(|arm| arm.run(0));
        let arms = arms.filter(|spec| spec.kind("agent") == "ppo-llm");
        (arms.map(|spec| Self::of(spec, flaglab::builtins())).collect(), experiment.seeds.len())
    }

    /// What the first arm of an experiment (a path from the root) shows a model, and how much an account remembers: its
    /// prompt and `env.memory` as settings (`key=value`) for [`Case::new`]. No data are read.
    pub fn prompt_settings(path: &str, set: &[&str]) -> Vec<String> {
        let sections = flaglab::builtins().sections();
        let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
        let experiment =
            experiment::load(&root().join(path), &set, &[], &sections).expect("a shipped experiment");
        let spec = experiment.arms[0].run(0);
        let agent = spec.params("agent");
        let prompt = agent["prompt"].as_object().expect("a section");
        let settings = prompt.iter().map(|(key, value)| (format!("agent.prompt.{key}"), value));
        let memory = ("env.memory".to_owned(), &spec.section("env")["memory"]);
        // JSON's texts and numbers are TOML's; a key without a value is "none".
        let text = |value: &Value| if value.is_null() { "\"none\"".to_owned() } else { value.to_string() };
        settings.chain([memory]).map(|(key, value)| format!("{key}={}", text(value))).collect()
    }

    fn of(spec: RunSpec, registry: Registry) -> Self {
        let split: SplitSpec = plugin::params(spec.section("split")).expect("a split was checked");
        let source = registry.sources.get(spec.kind("data")).expect("a source was checked");
        let source = source.build(&spec.params("data"), &files()).expect("a source was checked");
        let series = source.load().expect("the shipped data are valid");
        let splits = split.apply(&series).expect("the shipped data cover the split");
        Self { spec, splits, registry }
    }

    /// The training segment under the case's rules, reward and `[env]`.
    pub fn arena(&self) -> Arena {
        let rules = self.registry.rules.get(self.spec.kind("rules")).expect("rules were checked");
        let rules: Arc<dyn Rules> =
            Arc::from(rules.build(&self.spec.params("rules"), ()).expect("valid rules"));
        let reward = self.registry.rewards.get(self.spec.kind("reward")).expect("a reward was checked");
        let reward: Arc<dyn RewardFn> =
            Arc::from(reward.build(&self.spec.params("reward"), ()).expect("valid reward"));
        let env = plugin::params(self.spec.section("env")).expect("an environment was checked");
        Arena::new(self.splits.train.clone(), SplitName::Train, rules, reward, env).expect("valid arena")
    }

    /// The agent, trained for `total_timesteps`; what its like share in a process is taken from `shared`.
    pub fn agent(&self, total_timesteps: u64, shared: &SharedPool) -> Box<dyn Agent> {
        self.agent_with(&[("total_timesteps", total_timesteps.into())], shared)
    }

    /// The agent with other values of its parameters.
    pub fn agent_with(&self, set: &[(&str, Value)], shared: &SharedPool) -> Box<dyn Agent> {
        let compute = self.compute();
        let files = files();
        let mut params = self.spec.params("agent");
        set.iter().for_each(|(key, value)| params[key] = value.clone());
        let plugin = self.registry.agents.get(self.spec.kind("agent")).expect("an agent was checked");
        let context = AgentContext { files: &files, compute: &*compute, shared, cache_bytes: 1 << 30 };
        plugin.build(&params, context).expect("valid agent")
    }

    /// Steps of the trained policy that a run scores: the test, and as much of the training data.
    pub fn evaluation_steps(&self) -> usize {
        2 * (self.splits.test.n_bars() - 1)
    }

    /// Environments of the training.
    pub fn num_envs(&self) -> usize {
        let env: trading_env::EnvConfig =
            plugin::params(self.spec.section("env")).expect("an environment was checked");
        env.num_envs
    }

    fn compute(&self) -> Box<dyn Compute> {
        let backend = self.registry.backends.get(DEVICE).expect("a backend that is always there");
        backend.build(&serde_json::json!({}), ()).expect("a backend without parameters")
    }

    /// Parameters of `ppo-llm`.
    pub fn llm(&self) -> PpoLlmParams {
        plugin::params(&self.spec.params("agent")).expect("an agent was checked")
    }

    /// Encoder of the shipped model's tokenizer.
    pub fn encoder(&self, config: PromptConfig) -> Encoder {
        let path = root().join("models/tiny-llama/tokenizer.json");
        Encoder::new(config, Tokenizer::from_file(&path).expect("the shipped tokenizer is valid"))
    }
}

/// The case's environments (`env.num_envs`) after `n_steps` of trading each, so that observations have a memory.
pub fn traded(arena: &Arena, n_steps: usize) -> EnvBatch {
    let mut envs = arena.training(0);
    for t in 0..n_steps {
        for i in 0..envs.len() {
            trade(&mut envs, i, Action::ALL[(t + i) % 3]);
        }
    }
    envs
}

/// Steps environment `i`, with `hold` where `action` is illegal, and begins the next episode when one ends. Returns
/// the reward.
pub fn trade(envs: &mut EnvBatch, i: usize, action: Action) -> f64 {
    let legal = envs.observe(i).mask.allows(action);
    let reward = envs.step(i, if legal { action } else { Action::Hold }).reward;
    if envs.ended(i) {
        envs.reset(i);
    }
    reward
}

/// SmolLM2-135M's shape.
pub fn smol() -> LlmConfig {
    let config: Value = serde_json::from_str(include_str!("against/smol/config.json")).expect("JSON");
    LlmConfig::from_json(&config, Path::new("SmolLM2-135M")).expect("a valid config")
}

/// The same with one layer and hardly a vocabulary.
pub fn smol_layer() -> LlmConfig {
    LlmConfig { vocab_size: 16, num_hidden_layers: 1, ..smol() }
}
