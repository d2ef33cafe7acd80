//! Our side of PPO in `cargo xtask bench --peer`; `ppo.py` is the other.
//!
//! `ppo make CASE FILE` writes a workload: settings and the prompts of every step as tokens. `ppo train FILE SEEDS`
//! trains that many seeds side by side and prints lines of `name value`: environment steps and tokens of all seeds per
//! second after a warm-up, peak memory in bytes, seconds of a first visit to a date, share of shared parts found.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Barrier};
use std::time::Instant;

use agents::{LlmPolicy, Parts};
use bench::{Case, cpu_seconds, peak_bytes, root, smol, traded};
use burn::tensor::Device;
use llm::{Backbone, Batcher, Body, Lane, LoraSpec, ParamSet, Phase, PrefixCache, Sequences, TrainSpec};
use ppo::{ActorCritic, Environments, HostOutput, Output, PpoConfig};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use trading_env::{Action, ActionMask, AgentError, NoLog, Step};

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

/// Tokens of a prompt's shared and own part where the shape alone counts.
const LENGTHS: [usize; 2] = [360, 40];

fn main() -> ExitCode {
    memory::keep_freed();
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", case, file] => match Workload::new(case) {
            Some(workload) => {
                let text = serde_json::to_string(&workload).expect("plain data");
                fs::write(file, text).expect("a file that can be written");
                println!("counted {:.2}", workload.counted_limit());
            }
            None => {
                eprintln!("error: unknown case `{case}`");
                return ExitCode::from(2);
            }
        },
        ["train", file, seeds] => {
            let text = fs::read_to_string(file).expect("a workload that was made");
            let workload: Workload = serde_json::from_str(&text).expect("a workload that was made");
            workload.train(seeds.parse().expect("a number of seeds"));
        }
        _ => {
            eprintln!("error: expected `make CASE FILE` or `train FILE SEEDS`, found `{}`", args.join(" "));
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// What both programs do.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Workload {
    /// `smol`, or a folder.
    model: String,
    n_trainable_layers: usize,
    lora: Option<Lora>,
    num_envs: usize,
    warm_up: usize,
    iterations: usize,
    #[serde(flatten)]
    ppo: PpoConfig,
    micro_batch_size: usize,
    /// Tokens at every step, step by step: `(num_steps + 1) * num_envs`.
    prompts: Vec<Vec<u32>>,
    /// Length of the shared part of each.
    shared: Vec<usize>,
}

/// Adapters on all projections of the top layers.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Lora {
    rank: usize,
    alpha: f64,
    layers: usize,
}

impl Workload {
    /// `smol/0` to `smol/30`, `smol/lora`, `smol/kl`: the shape; `prompt`: that of `experiments/flag-trader.toml`; `small`:
    /// the shipped model as `experiments/base.toml` trains it.
    fn new(case: &str) -> Option<Self> {
        let mut workload = Self::shape();
        match case.split_once('/') {
            Some(("smol", "lora")) => {
                workload.n_trainable_layers = 0;
                workload.lora = Some(Lora { rank: 8, alpha: 16.0, layers: 6 });
            }
            Some(("smol", "kl")) => workload.ppo.kl_coef = 0.05,
            Some(("smol", layers)) => workload.n_trainable_layers = layers.parse().ok()?,
            None if case == "prompt" => workload.take_prompts(&flag_trader()),
            None if case == "small" => {
                let case = Case::new(&[]);
                let llm = case.llm();
                workload.model = root().join(&llm.model.path).display().to_string();
                workload.n_trainable_layers = llm.n_trainable_layers;
                workload.ppo = llm.ppo;
                workload.num_envs = case.num_envs();
                [workload.warm_up, workload.iterations] = [2, 8];
                workload.take_prompts(&case);
            }
            _ => return None,
        }
        workload.micro_batch_size = workload.ppo.micro_batch_size();
        Some(workload)
    }

    /// The benchmark's shape with two trainable layers.
    fn shape() -> Self {
        let ppo = PpoConfig { kl_coef: 0.0, ..PpoConfig::default() };
        let [shared, own] = LENGTHS;
        let mut rng = trading_env::rng(0, "prompts");
        let n = ppo.num_steps + 1;
        let vocabulary = smol().vocab_size as u32;
        let mut prompt = |_| (0..shared + own).map(|_| rng.random_range(0..vocabulary)).collect();
        Self {
            model: "smol".to_owned(),
            n_trainable_layers: 2,
            lora: None,
            num_envs: 1,
            warm_up: 1,
            iterations: 2,
            micro_batch_size: ppo.micro_batch_size(),
            ppo,
            prompts: (0..n).map(&mut prompt).collect(),
            shared: vec![shared; n],
        }
    }

    /// The prompts of an experiment's environments, step by step.
    fn take_prompts(&mut self, case: &Case) {
        let encoder = case.encoder(case.llm().prompt);
        let arena = case.arena();
        (self.prompts, self.shared) = (Vec::new(), Vec::new());
        for step in 0..=self.ppo.num_steps {
            let envs = traded(&arena, step);
            for i in 0..self.num_envs {
                let tokens = encoder.encode(&envs.observe(i)).expect("prompts of the shipped data");
                self.shared.push(tokens.shared.len());
                self.prompts.push([tokens.shared, tokens.own].concat());
            }
        }
    }

    fn spec(&self) -> TrainSpec {
        let top = |layers| TrainSpec { n_trainable_layers: layers, ..TrainSpec::default() };
        match &self.lora {
            Some(Lora { rank, alpha, layers }) => TrainSpec {
                lora: LoraSpec { rank: *rank, alpha: *alpha, ..LoraSpec::default() },
                ..top(*layers)
            },
            None => top(self.n_trainable_layers),
        }
    }

    fn backbone(&self, device: &Device) -> Backbone {
        match self.model.as_str() {
            "smol" => Backbone::random(&smol(), 0, device),
            folder => Backbone::load(Path::new(folder), device).expect("the shipped model"),
        }
    }

    fn train(&self, seeds: u64) {
        let backbone = Arc::new(self.backbone(&Device::flex()));
        let shared = Shared {
            cache: Arc::new(PrefixCache::new(2 << 30)),
            batcher: Arc::default(),
            envs: TokenEnvs::new(self, backbone.config().vocab_size as u32),
        };
        let body = |seed| Body::new(backbone.clone(), self.spec(), seed).expect("a valid training spec");
        let start = Instant::now();
        let first = body(0);
        for (prompt, n) in self.prompts.iter().zip(&self.shared) {
            shared.cache.shared(&first, &prompt[..*n]).expect("tokens of the vocabulary");
        }
        let cold = start.elapsed().as_secs_f64();
        drop(first);

        let n_updates = self.warm_up + self.iterations;
        let config = PpoConfig {
            total_timesteps: (n_updates * self.ppo.batch_size(self.num_envs)) as u64,
            ..self.ppo.clone()
        };
        let gate = Barrier::new(seeds as usize + 1);
        let (seconds, cpu) = std::thread::scope(|scope| {
            for seed in 0..seeds {
                let (shared, gate, body, config) = (&shared, &gate, &body, &config);
                scope.spawn(move || {
                    let mut net = TokenNet::new(LlmPolicy::new(body(seed), config, seed), shared);
                    let wait = |_: &mut TokenNet, done: ppo::Update, _: &mut dyn trading_env::RunLog| {
                        if done.index as usize + 1 == self.warm_up {
                            gate.wait();
                        }
                        Ok(())
                    };
                    let envs = shared.envs.of_seed(seed);
                    ppo::learn(&mut net, envs, config, seed, &mut NoLog, wait).expect("a training");
                    gate.wait();
                });
            }
            gate.wait();
            let (start, cpu) = (Instant::now(), cpu_seconds());
            gate.wait();
            (start.elapsed().as_secs_f64(), cpu_seconds() - cpu)
        });
        let steps = (self.iterations * self.ppo.batch_size(self.num_envs)) as u64 * seeds;
        let per_step: usize = self.prompts.iter().map(Vec::len).sum();
        println!("ppo/steps_per_s {}", steps as f64 / seconds);
        println!("ppo/tokens_per_s {}", steps as f64 * per_step as f64 / self.prompts.len() as f64 / seconds);
        println!("ppo/memory {}", peak_bytes());
        eprintln!("processor time per step: {:.4} s", cpu / steps as f64);
        println!("ppo/first_visit {}", cold / self.prompts.len() as f64);
    }

    /// Operations of PyTorch's program over ours when each shared part has been read once, counted as products of
    /// matrices and attention: the ratio of speeds if both computed as fast.
    fn counted_limit(&self) -> f64 {
        let config = match self.model.as_str() {
            "smol" => smol(),
            folder => llm::LlmConfig::read(Path::new(folder)).expect("the shipped model"),
        };
        let (d, ff) = (config.hidden_size, config.intermediate_size);
        let (q, kv) = (config.q_width(), config.kv_width());
        let n_layers = config.num_hidden_layers;
        let trained = self.lora.as_ref().map_or(self.n_trainable_layers, |lora| lora.layers);
        // Of a gradient: that of the input, and that of the weights where they are trained.
        let backward = if self.lora.is_some() { 1.0 } else { 2.0 };
        let passes = f64::from(u32::try_from(self.ppo.update_epochs).expect("a few epochs"));
        let kl = if self.ppo.kl_coef > 0.0 { 1.0 } else { 0.0 };
        let keys = 2 * d * 2 * kv;
        let token = keys + 2 * (2 * d * q + 3 * d * ff);
        let (mut ours, mut theirs) = (0.0, 0.0);
        for (prompt, shared) in self.prompts.iter().zip(&self.shared) {
            let n = prompt.len();
            let own = n - shared;
            // `n` tokens, of which the last `asking` ask, with causal attention; PyTorch's own skips nothing we count.
            let layer = |tokens: usize, asking: usize| {
                let attention = 4 * q * asking * (2 * n - asking + 1) / 2;
                (keys * tokens + (token - keys) * asking + attention) as f64
            };
            let frozen = n_layers - trained;
            let reading = frozen as f64 * layer(own, own)
                - if trained == 0 { layer(own, own) - layer(own, 1) } else { 0.0 };
            let top = if trained == 0 { 0.0 } else { (trained - 1) as f64 * layer(n, n) + layer(n, 1) };
            ours += reading + top * (1.0 + kl + passes * (1.0 + backward));
            let all = n_layers as f64 * layer(n, n);
            theirs += all * (1.0 + kl + passes) + passes * backward * trained as f64 * layer(n, n);
        }
        theirs / ours
    }
}

/// `experiments/flag-trader.toml`'s prompt and account, on the shipped data.
fn flag_trader() -> Case {
    let text = fs::read_to_string(root().join("experiments/flag-trader.toml")).expect("a shipped experiment");
    let table: toml::Table = text.parse().expect("a shipped experiment");
    let mut set = vec![format!("env.memory={}", table["env"]["memory"]), "env.num_envs=1".to_owned()];
    let prompt = table["agent"]["prompt"].as_table().expect("a section");
    set.extend(prompt.iter().map(|(key, value)| format!("agent.prompt.{key}={value}")));
    Case::new(&set.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What the seeds of an arm share.
struct Shared {
    cache: Arc<PrefixCache>,
    batcher: Arc<Batcher>,
    envs: TokenEnvs,
}

/// Environments whose observations are the workload's prompts, one after the other, and whose rewards are noise.
#[derive(Clone)]
struct TokenEnvs {
    /// Shared and own part, step by step.
    prompts: Arc<Vec<[Vec<u32>; 2]>>,
    vocabulary: u32,
    count: usize,
    at: Vec<usize>,
    noise: ChaCha8Rng,
}

impl TokenEnvs {
    fn new(workload: &Workload, vocabulary: u32) -> Self {
        let split = |(prompt, n): (&Vec<u32>, &usize)| {
            let (shared, own) = prompt.split_at(*n);
            [shared.to_vec(), own.to_vec()]
        };
        let prompts = workload.prompts.iter().zip(&workload.shared).map(split).collect();
        let count = workload.num_envs;
        let noise = trading_env::rng(0, "noise");
        Self { prompts: Arc::new(prompts), vocabulary, count, at: vec![0; count], noise }
    }

    /// With an own part of its own: what an account says differs from seed to seed.
    fn of_seed(&self, seed: u64) -> Self {
        let mut prompts = (*self.prompts).clone();
        for [_, own] in &mut prompts {
            own.iter_mut().for_each(|id| *id = (*id + 7 * seed as u32) % self.vocabulary);
        }
        Self { prompts: Arc::new(prompts), noise: trading_env::rng(seed, "noise"), ..self.clone() }
    }
}

impl Environments for TokenEnvs {
    type Observation<'a> = &'a [Vec<u32>; 2];

    fn count(&self) -> usize {
        self.count
    }

    fn observe(&self, i: usize) -> &[Vec<u32>; 2] {
        let steps = self.prompts.len() / self.count;
        &self.prompts[self.at[i] % steps * self.count + i]
    }

    fn mask(&self, _i: usize) -> ActionMask {
        ActionMask::ALL
    }

    fn step(&mut self, i: usize, _action: Action) -> Step {
        self.at[i] += 1;
        Step { reward: self.noise.random_range(-1.0..1.0), terminated: false, truncated: false }
    }

    fn ended(&self, _i: usize) -> bool {
        false
    }

    fn reset(&mut self, _i: usize) {}
}

/// A policy that reads tokens.
struct TokenNet {
    policy: LlmPolicy,
    untrained: Body,
    cache: Arc<PrefixCache>,
    lane: Lane,
}

impl TokenNet {
    fn new(policy: LlmPolicy, shared: &Shared) -> Self {
        let untrained = policy.body().untrained();
        Self { policy, untrained, cache: shared.cache.clone(), lane: shared.batcher.lane() }
    }
}

impl ActorCritic for TokenNet {
    type Envs = TokenEnvs;
    type Encoded = Parts;

    fn encode(&mut self, observations: &[&[Vec<u32>; 2]]) -> Result<Vec<Parts>, AgentError> {
        let failed = |e: llm::LlmError| AgentError::Other(e.to_string());
        let body = self.policy.body();
        let shared = observations.iter().map(|[shared, _]| Ok(self.cache.shared(body, shared)?.0));
        let shared: Vec<_> = shared.collect::<Result<_, _>>().map_err(failed)?;
        let sequences: Sequences =
            shared.iter().cloned().zip(observations.iter().map(|[_, own]| own.clone())).collect();
        let own = self.lane.encode(body, sequences).map_err(failed)?;
        Ok(shared.into_iter().zip(own).collect())
    }

    fn enter(&mut self, phase: Phase) {
        self.lane.enter(phase, self.policy.body());
    }

    fn before_training(
        &mut self,
        initial: &mut ParamSet,
        encoded: &[&Parts],
        chunk: usize,
    ) -> Result<Vec<HostOutput>, AgentError> {
        let deep = encoded.iter().map(|(shared, _)| Ok(self.cache.shared(&self.untrained, shared.ids())?.0));
        let deep: Vec<_> =
            deep.collect::<Result<_, _>>().map_err(|e: llm::LlmError| AgentError::Other(e.to_string()))?;
        let all: Vec<_> = deep.iter().zip(encoded).map(|(deep, (_, own))| (&**deep, own)).collect();
        let outputs = all.chunks(chunk).map(|batch| self.policy.before_training(initial, batch).to_host());
        Ok(outputs.flatten().collect())
    }

    fn forward(&self, batch: &[&Parts]) -> Output {
        self.policy.forward(batch)
    }

    fn forward_frozen(&self, batch: &[&Parts]) -> Output {
        self.policy.forward_frozen(batch)
    }

    fn params(&self) -> &ParamSet {
        self.policy.body().params()
    }

    fn params_mut(&mut self) -> &mut ParamSet {
        self.policy.params_mut()
    }
}
