//! What grows with what, in `cargo xtask bench --growth`. Each point is a process of its own, whose peak of memory is
//! the point's.
//!
//! `growth model FOLDER` writes the model of the points: the shape of the shipped one with 8 layers. `growth train FOLDER
//! SEEDS ARMS TOKENS LAYERS BARS` trains SEEDS runs of each of ARMS arms side by side, as a sweep does, with prompts of
//! about TOKENS tokens, LAYERS trainable layers and BARS bars of training data; `growth data BARS` loads data and walks
//! an environment through them. Both print lines of `name value`: `seconds`, environment `steps`, and the peak of
//! `memory` in bytes; `train` also the mean of `tokens` per prompt, `data` also the seconds of `load`.

use std::fs;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use bench::{Case, peak_bytes, root, trade, traded};
use plugin::SharedPool;
use runner::Local;
use serde_json::{Value, json};
use trading_env::{Action, Arena, NoLog, Training};

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

/// Environment steps of each run's training.
const STEPS: u64 = 128;
/// Environments of a run.
const NUM_ENVS: u64 = 8;
/// Layers of the model.
const MODEL_LAYERS: usize = 8;
/// Steps that are walked through data, by episodes over all of them.
const WALKED: usize = 4_000_000;
/// Bars before the training data, which prompts look back to.
const LOOK_BACK: usize = 500;

fn main() -> ExitCode {
    memory::keep_freed();
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["model", folder] => make_model(Path::new(folder)),
        ["train", folder, seeds, arms, tokens, layers, bars] => {
            let [seeds, arms, tokens, layers, bars] = [seeds, arms, tokens, layers, bars].map(number);
            train(&Point { seeds, arms, tokens, layers, bars }, Path::new(folder));
        }
        ["data", bars] => data(number(bars)),
        _ => {
            eprintln!(
                "error: expected `model FOLDER`, `train FOLDER SEEDS ARMS TOKENS LAYERS BARS` or `data BARS`, found `{}`",
                args.join(" ")
            );
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn number(word: &str) -> usize {
    word.parse().unwrap_or_else(|e| panic!("`{word}`: {e}"))
}

/// The shipped model's shape and tokenizer; weights are drawn by whoever opens it.
fn make_model(folder: &Path) {
    let shipped = root().join("models/tiny-llama");
    let read = |name: &str| fs::read(shipped.join(name)).expect("the shipped model");
    let mut config: Value = serde_json::from_slice(&read("config.json")).expect("the shipped model");
    config["num_hidden_layers"] = MODEL_LAYERS.into();
    fs::create_dir_all(folder).expect("a folder that can be made");
    for (name, bytes) in [
        ("config.json", config.to_string().into_bytes()),
        ("tokenizer.json", read("tokenizer.json")),
        ("tokenizer_config.json", read("tokenizer_config.json")),
    ] {
        fs::write(folder.join(name), bytes).expect("a file that can be written");
    }
}

fn case_of(set: &[String]) -> Case {
    Case::new(&set.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What one process trains.
struct Point {
    seeds: usize,
    arms: usize,
    tokens: usize,
    layers: usize,
    bars: usize,
}

fn train(point: &Point, model: &Path) {
    let case = case_of(&point.settings(model));
    let arena = case.arena();
    let (history, tokens) = history_of(&case, &arena, point.tokens);
    let shared = SharedPool::default();
    let mut prompt = case.spec.params("agent")["prompt"].clone();
    prompt["history"] = history.into();
    // Arms that cost the same and need not give the same.
    let agent = |arm: usize| {
        let set = [
            ("total_timesteps", STEPS.into()),
            ("learning_rate", json!(1e-3 / (arm + 1) as f64)),
            ("prompt", prompt.clone()),
        ];
        case.agent_with(&set, &shared)
    };
    let agents: Vec<_> = (0..point.arms).map(agent).collect();
    let jobs = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let start = Instant::now();
    Local.each(point.seeds * point.arms, jobs, &|run| {
        let seed = (run % point.seeds) as u64;
        let mut learner = agents[run / point.seeds].learner(seed).expect("a fresh learner");
        let training = Training { arena: &arena, validation: None, log: &mut NoLog };
        learner.train(training).expect("a training");
    });
    tell(start, point.seeds * point.arms * STEPS as usize);
    println!("tokens {tokens}");
}

impl Point {
    /// What differs from `experiments/base.toml`.
    fn settings(&self, model: &Path) -> Vec<String> {
        let mut set = data_settings(self.bars);
        set.extend([
            format!("env.num_envs={NUM_ENVS}"),
            "agent.update_epochs=1".to_owned(),
            format!("agent.n_trainable_layers={}", self.layers),
            format!("agent.model.path={:?}", std::path::absolute(model).expect("a path")),
            "agent.model.weights=random".to_owned(),
            "agent.model.weights_seed=0".to_owned(),
            "agent.prompt.news_items=1".to_owned(),
            "agent.prompt.max_tokens=100000".to_owned(),
            "agent.prefix_cache_mib=4096".to_owned(),
        ]);
        set
    }
}

/// Synthetic data with `bars` bars for training after those that only prompts look at.
fn data_settings(bars: usize) -> Vec<String> {
    let first: chrono::NaiveDate = "2000-01-03".parse().expect("a date");
    // Bars are weekdays.
    let at = |bar: usize| first + chrono::Days::new((bar / 5 * 7 + bar % 5) as u64);
    let range = |from: usize, to: usize| format!("[\"{}\",\"{}\"]", at(from), at(to - 1));
    let (train, end) = (LOOK_BACK + bars, LOOK_BACK + bars + 100);
    vec![
        format!("data.generator.bars={end}"),
        format!("data.generator.start={first}"),
        format!("split.train={}", range(LOOK_BACK, train)),
        format!("split.test={}", range(train, end)),
        format!("split.warmup={LOOK_BACK}"),
    ]
}

/// The prices that a prompt shows so that it has about `tokens` tokens, and the mean that it then has.
fn history_of(case: &Case, arena: &Arena, tokens: usize) -> (usize, f64) {
    let envs = traded(arena, 5);
    let mean = |history: usize| {
        let encoder = case.encoder(prompt::PromptConfig { history, ..case.llm().prompt });
        let lengths = (0..envs.len()).map(|i| {
            let prompt = encoder.encode(&envs.observe(i)).expect("a prompt of the data");
            prompt.shared.len() + prompt.own.len()
        });
        lengths.sum::<usize>() as f64 / envs.len() as f64
    };
    let history =
        (0..LOOK_BACK).find(|history| mean(*history) >= tokens as f64).expect("room for the tokens");
    (history, mean(history))
}

/// Loads data with `bars` bars of training and walks an environment through them.
fn data(bars: usize) {
    let set = data_settings(bars);
    let start = Instant::now();
    let case = case_of(&set);
    println!("load {}", start.elapsed().as_secs_f64());
    let mut envs = case.arena().evaluation();
    let start = Instant::now();
    for step in 0..WALKED {
        black_box(trade(&mut envs, 0, Action::ALL[step % 3]));
    }
    tell(start, WALKED);
}

fn tell(start: Instant, steps: usize) {
    println!("seconds {}", start.elapsed().as_secs_f64());
    println!("steps {steps}");
    println!("memory {}", peak_bytes());
}
