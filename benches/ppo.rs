//! Our side of PPO in `cargo xtask bench --peer`; `ppo.py` is the other.
//!
//! `ppo make CASE FILE` writes a workload, settings and the prompts of every step as tokens, and prints the limit that
//! counting operations sets to the ratio of speeds; `ppo make CASE FILE tiny` one that takes seconds. `ppo train FILE SEEDS..` trains that many seeds side by side, for each
//! number in turn, and prints lines of `SEEDS/name value`: environment steps and tokens of all seeds per second after a
//! warm-up, and peak memory so far in bytes; besides, `first_visit`, the seconds that reading a new shared part takes.
//! `ppo arms FOLDER SETTINGS..` writes a workload per arm of `experiments/ablation.toml`, with settings of the kind
//! `key=value` on top, and prints `arm runs updates forwards`;
//! `ppo lookups RUNS` counts how the runs of that sweep came to shared parts.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Barrier};
use std::time::Instant;

use agents::LlmPolicy;
use bench::{Case, peak_bytes, root, smol, traded};
use burn::tensor::Device;
use llm::{
    Backbone, Batcher, Body, CacheLimits, EncodedSequence, Lane, LoraSpec, ParamSet, Phase, PrefixCache,
    Sequences, TrainSpec,
};
use ppo::{ActorCritic, Environments, HostOutput, Output, PpoConfig};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use runner::Local;
use serde::{Deserialize, Serialize};
use trading_env::{Action, ActionMask, AgentError, NoLog, Step};

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

/// Tokens of a prompt's shared and own part where the shape alone counts.
const LENGTHS: [usize; 2] = [360, 40];
/// The same where the prompt leaves the account out, so that its own part is the cue.
const CUE: [usize; 2] = [396, 4];

fn main() -> ExitCode {
    memory::keep_freed();
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", case, file, ref size @ ..] if matches!(size, [] | ["tiny"]) => match Workload::new(case) {
            Some(mut workload) => {
                if !size.is_empty() {
                    workload.shrink();
                }
                let text = serde_json::to_string(&workload).expect("plain data");
                fs::write(file, text).expect("a file that can be written");
                println!("counted {:.2}", workload.counted_limit());
            }
            None => {
                eprintln!("error: unknown case `{case}`");
                return ExitCode::from(2);
            }
        },
        ["train", file, ref seeds @ ..] if !seeds.is_empty() => {
            let text = fs::read_to_string(file).expect("a workload that was made");
            let workload: Workload = serde_json::from_str(&text).expect("a workload that was made");
            workload.measure(seeds.iter().map(|seeds| seeds.parse().expect("a number of seeds")));
        }
        ["arms", folder, ref set @ ..] => arms(Path::new(folder), set),
        ["lookups", runs] => lookups(Path::new(runs)),
        _ => {
            eprintln!(
                "error: expected `make CASE FILE [tiny]`, `train FILE SEEDS..`, `arms FOLDER SETTINGS..` or `lookups RUNS`, \
                 found `{}`",
                args.join(" ")
            );
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
    /// Of `smol`.
    n_layers: usize,
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
    /// Whether own parts differ from seed to seed, as accounts do.
    own_differs: bool,
    /// Single forward passes that PyTorch times besides.
    evaluate: usize,
}

/// Adapters on all projections of the top layers.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Lora {
    rank: usize,
    alpha: f64,
    layers: usize,
}

impl Workload {
    /// `smol/0` to `smol/30`, `smol/lora`, `smol/kl`: the shape; `smol/cue`: heads alone on prompts without an account;
    /// `prompt`: the prompts of `experiments/flag-trader.toml`; `small`: the shipped model as `experiments/base.toml`
    /// trains it.
    fn new(case: &str) -> Option<Self> {
        let mut workload = Self::shape();
        match case.split_once('/') {
            Some(("smol", "lora")) => {
                workload.n_trainable_layers = 0;
                workload.lora = Some(Lora { rank: 8, alpha: 16.0, layers: 6 });
            }
            Some(("smol", "kl")) => workload.ppo.kl_coef = 0.05,
            Some(("smol", "cue")) => {
                workload.n_trainable_layers = 0;
                workload.own_differs = false;
                workload.draw_prompts(CUE);
            }
            Some(("smol", layers)) => workload.n_trainable_layers = layers.parse().ok()?,
            None if case == "prompt" => workload.take_prompts(&flag_trader()),
            None if case == "small" => {
                workload = Self::of_case(&Case::new(&[]));
                workload.iterations = 10;
            }
            _ => return None,
        }
        workload.micro_batch_size = workload.ppo.micro_batch_size();
        Some(workload)
    }

    /// What an arm of an experiment trains, in as many iterations as it has updates.
    fn of_case(case: &Case) -> Self {
        let llm = case.llm();
        let LoraSpec { rank, alpha, .. } = llm.lora;
        let lora = (rank > 0).then_some(Lora { rank, alpha, layers: llm.n_trainable_layers });
        let num_envs = case.num_envs();
        let mut workload = Self {
            model: root().join(&llm.model.path).display().to_string(),
            n_trainable_layers: if lora.is_some() { 0 } else { llm.n_trainable_layers },
            lora,
            num_envs,
            warm_up: 0,
            iterations: llm.ppo.n_updates(num_envs) as usize,
            micro_batch_size: llm.ppo.micro_batch_size(),
            ppo: llm.ppo,
            evaluate: 40,
            ..Self::shape()
        };
        workload.take_prompts(case);
        workload
    }

    /// The benchmark's shape with two trainable layers.
    fn shape() -> Self {
        let ppo = PpoConfig { kl_coef: 0.0, ..PpoConfig::default() };
        let mut workload = Self {
            model: "smol".to_owned(),
            n_layers: smol().num_hidden_layers,
            n_trainable_layers: 2,
            lora: None,
            num_envs: 1,
            warm_up: 0,
            iterations: 1,
            micro_batch_size: ppo.micro_batch_size(),
            ppo,
            prompts: Vec::new(),
            shared: Vec::new(),
            own_differs: true,
            evaluate: 0,
        };
        workload.draw_prompts(LENGTHS);
        workload
    }

    /// A prompt per step, with shared and own parts of these lengths.
    fn draw_prompts(&mut self, [shared, own]: [usize; 2]) {
        let mut rng = trading_env::rng(0, "prompts");
        let n = self.ppo.num_steps + 1;
        let vocabulary = smol().vocab_size as u32;
        let mut prompt = |_| (0..shared + own).map(|_| rng.random_range(0..vocabulary)).collect();
        self.prompts = (0..n).map(&mut prompt).collect();
        self.shared = vec![shared; n];
    }

    /// A workload of seconds that takes the same way: few layers, steps and tokens.
    fn shrink(&mut self) {
        let trained = self.lora.as_ref().map_or(self.n_trainable_layers, |lora| lora.layers);
        self.n_layers = trained + 1;
        self.iterations = 1;
        self.evaluate = self.evaluate.min(2);
        self.ppo.num_steps = 4;
        self.ppo.minibatch_size = self.ppo.batch_size(self.num_envs).min(8);
        self.micro_batch_size = self.ppo.micro_batch_size();
        let n = (self.ppo.num_steps + 1) * self.num_envs;
        self.prompts.truncate(n);
        self.shared.truncate(n);
        // Where the shape alone counts, the length of the own part decides what is computed.
        if self.model == "smol" {
            for (prompt, shared) in self.prompts.iter_mut().zip(&mut self.shared) {
                let cut = shared.saturating_sub(16);
                prompt.drain(..cut);
                *shared -= cut;
            }
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
            "smol" => Backbone::random(&self.smol(), 0, device),
            folder => Backbone::load(Path::new(folder), device).expect("the shipped model"),
        }
    }

    fn smol(&self) -> llm::LlmConfig {
        llm::LlmConfig { num_hidden_layers: self.n_layers, ..smol() }
    }

    fn measure(&self, seeds: impl Iterator<Item = u64>) {
        let backbone = Arc::new(self.backbone(&Device::flex()));
        let shared = Shared {
            cache: Arc::new(PrefixCache::new(CacheLimits { memory: 2 << 30, spill: 0 })),
            batcher: Batcher::pays(backbone.config()).then(Arc::default),
            envs: TokenEnvs::new(self, backbone.config().vocab_size as u32),
        };
        let body = |seed| Body::new(backbone.clone(), self.spec(), seed).expect("a valid training spec");
        let start = Instant::now();
        let first = body(0);
        for (prompt, n) in self.prompts.iter().zip(&self.shared) {
            shared.cache.shared(&first, &prompt[..*n]).expect("tokens of the vocabulary");
        }
        println!("first_visit {}", start.elapsed().as_secs_f64() / self.prompts.len() as f64);
        for seeds in seeds {
            let seconds = self.train(seeds, &shared, &body);
            let steps = (self.iterations * self.ppo.batch_size(self.num_envs)) as u64 * seeds;
            let tokens: usize = self.prompts.iter().map(Vec::len).sum();
            println!("{seeds}/steps_per_s {}", steps as f64 / seconds);
            let tokens = tokens as f64 / self.prompts.len() as f64;
            println!("{seeds}/tokens_per_s {}", steps as f64 * tokens / seconds);
            println!("{seeds}/memory {}", peak_bytes());
        }
    }

    /// Seconds of the timed iterations of all seeds; those of a small model have no warm-up.
    fn train(&self, seeds: u64, shared: &Shared, body: &(dyn Fn(u64) -> Body + Sync)) -> f64 {
        let n_updates = self.warm_up + self.iterations;
        let config = PpoConfig {
            total_timesteps: (n_updates * self.ppo.batch_size(self.num_envs)) as u64,
            ..self.ppo.clone()
        };
        // As in a sweep: runs of a small model take a core each.
        if shared.batcher.is_none() {
            let jobs = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
            let train = |seed: usize| {
                let seed = seed as u64;
                let mut net = TokenNet::new(LlmPolicy::new(body(seed), &config, seed), shared);
                let envs = shared.envs.of_seed(seed);
                let nothing = |_: &mut TokenNet, _: ppo::Update, _: &mut dyn trading_env::RunLog| Ok(());
                ppo::learn(&mut net, envs, &config, seed, &mut NoLog, nothing).expect("a training");
            };
            let start = Instant::now();
            Local.each(seeds as usize, jobs, &train);
            return start.elapsed().as_secs_f64();
        }
        let gate = Barrier::new(seeds as usize + 1);
        std::thread::scope(|scope| {
            for seed in 0..seeds {
                let (gate, config) = (&gate, &config);
                scope.spawn(move || {
                    let mut net = TokenNet::new(LlmPolicy::new(body(seed), config, seed), shared);
                    let wait = |_: &mut TokenNet, done: ppo::Update, _: &mut dyn trading_env::RunLog| {
                        if done.index as usize + 1 == self.warm_up {
                            gate.wait();
                        }
                        Ok(())
                    };
                    let envs = shared.envs.of_seed(seed);
                    if self.warm_up == 0 {
                        gate.wait();
                    }
                    ppo::learn(&mut net, envs, config, seed, &mut NoLog, wait).expect("a training");
                    gate.wait();
                });
            }
            gate.wait();
            let start = Instant::now();
            gate.wait();
            start.elapsed().as_secs_f64()
        })
    }

    /// Operations of PyTorch's program over ours when each shared part has been read once, counted as products of
    /// matrices and attention: the ratio of speeds if both computed as fast.
    fn counted_limit(&self) -> f64 {
        let config = match self.model.as_str() {
            "smol" => self.smol(),
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
        // Tokens with which all prompts begin: trained layers compute them once per pass, not once per prompt.
        let equal =
            |prompt: &Vec<u32>| prompt.iter().zip(&self.prompts[0]).take_while(|(a, b)| a == b).count();
        let common = self.prompts.iter().map(equal).chain(self.shared.iter().copied()).min().unwrap_or(0);
        let saved = |batch: usize| 1.0 - 1.0 / batch as f64;
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
            let top = |batch: usize| {
                if trained == 0 {
                    return 0.0;
                }
                let beginning = (token * common + 4 * q * common * (common + 1) / 2) as f64;
                let whole = layer(n, n) - saved(batch) * beginning;
                (trained - 1) as f64 * whole + layer(n, 1) - saved(batch) * (keys * common) as f64
            };
            let update = passes * (1.0 + backward);
            ours += reading + top(self.num_envs) + kl * top(1) + update * top(self.micro_batch_size);
            let all = n_layers as f64 * layer(n, n);
            theirs += all * (1.0 + kl + passes) + passes * backward * trained as f64 * layer(n, n);
        }
        theirs / ours
    }
}

/// A workload per arm of the ablation in `folder`, and what a sweep does of it.
fn arms(folder: &Path, set: &[&str]) {
    let (cases, seeds) = Case::arms("experiments/ablation.toml", set);
    for (i, case) in cases.iter().enumerate() {
        let workload = Workload::of_case(case);
        let text = serde_json::to_string(&workload).expect("plain data");
        fs::write(folder.join(format!("arm-{i}.json")), text).expect("a file that can be written");
        println!("arm-{i} {seeds} {} {}", workload.iterations, case.evaluation_steps());
    }
}

/// Lookups of all completed runs of the ablation in training, by how they ended.
fn lookups(runs: &Path) {
    let store = store::ExperimentStore::open(runs, "ablation");
    let mut totals = [("found", 0), ("spilled", 0), ("extended", 0), ("computed", 0)];
    for run in store.runs().expect("a folder of runs") {
        let timing = store.read_timing(&run.dir).expect("a run's timing");
        if let Some(last) = timing.last() {
            let counts = [last.cache_hits, last.cache_spilled, last.cache_extended, last.cache_misses];
            totals.iter_mut().zip(counts).for_each(|((_, total), count)| *total += count);
        }
    }
    for (name, total) in totals {
        println!("{name} {total}");
    }
}

/// `experiments/flag-trader.toml`'s prompt and account, on the shipped data.
fn flag_trader() -> Case {
    let mut set = Case::prompt_settings("experiments/flag-trader.toml", &[]);
    set.push("env.num_envs=1".to_owned());
    Case::new(&set.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What the seeds of an arm share.
struct Shared {
    cache: Arc<PrefixCache>,
    batcher: Option<Arc<Batcher>>,
    envs: TokenEnvs,
}

/// Environments whose observations are the workload's prompts, one after the other, and whose rewards are noise.
#[derive(Clone)]
struct TokenEnvs {
    /// Shared and own part, step by step.
    prompts: Arc<Vec<[Vec<u32>; 2]>>,
    vocabulary: u32,
    own_differs: bool,
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
        let own_differs = workload.own_differs;
        Self { prompts: Arc::new(prompts), vocabulary, own_differs, count, at: vec![0; count], noise }
    }

    /// With an own part of its own where there is an account: what it says differs from seed to seed.
    fn of_seed(&self, seed: u64) -> Self {
        let mut prompts = (*self.prompts).clone();
        let shift = if self.own_differs { 7 * seed as u32 } else { 0 };
        for [_, own] in &mut prompts {
            own.iter_mut().for_each(|id| *id = (*id + shift) % self.vocabulary);
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
    lane: Option<Lane>,
}

impl TokenNet {
    fn new(policy: LlmPolicy, shared: &Shared) -> Self {
        let untrained = policy.body().untrained();
        Self {
            policy,
            untrained,
            cache: shared.cache.clone(),
            lane: shared.batcher.as_ref().map(Batcher::lane),
        }
    }
}

impl ActorCritic for TokenNet {
    type Envs = TokenEnvs;
    type Encoded = EncodedSequence;

    fn encode(&mut self, observations: &[&[Vec<u32>; 2]]) -> Result<Vec<EncodedSequence>, AgentError> {
        let failed = |e: llm::LlmError| AgentError::Other(e.to_string());
        let body = self.policy.body();
        let shared = observations.iter().map(|[shared, _]| Ok(self.cache.shared(body, shared)?.0));
        let shared: Vec<_> = shared.collect::<Result<_, _>>().map_err(failed)?;
        let sequences: Sequences =
            shared.iter().cloned().zip(observations.iter().map(|[_, own]| own.clone())).collect();
        llm::encode_own(self.lane.as_ref(), body, sequences).map_err(failed)
    }

    fn micro_batch_size(&self, minibatch: &[&EncodedSequence], least: usize) -> usize {
        self.policy.micro_batch_size(minibatch, least)
    }

    fn enter(&mut self, phase: Phase) {
        if let Some(lane) = &mut self.lane {
            lane.enter(phase, self.policy.body());
        }
    }

    fn before_training(
        &mut self,
        initial: &mut ParamSet,
        encoded: &[&EncodedSequence],
        chunk: usize,
    ) -> Result<Vec<HostOutput>, AgentError> {
        let mut outputs = Vec::with_capacity(encoded.len());
        for batch in encoded.chunks(chunk) {
            let shared = batch.iter().map(|s| Ok(self.cache.shared(&self.untrained, s.shared_ids())?.0));
            let shared: Vec<_> = shared
                .collect::<Result<_, _>>()
                .map_err(|e: llm::LlmError| AgentError::Other(e.to_string()))?;
            outputs.extend(self.policy.before_training(initial, &shared, batch).to_host());
        }
        Ok(outputs)
    }

    fn forward(&self, batch: &[&EncodedSequence]) -> Output {
        self.policy.forward(batch)
    }

    fn forward_frozen(&self, batch: &[&EncodedSequence]) -> Output {
        self.policy.forward_frozen(batch)
    }

    fn params(&self) -> &ParamSet {
        self.policy.body().params()
    }

    fn params_mut(&mut self) -> &mut ParamSet {
        self.policy.params_mut()
    }
}
