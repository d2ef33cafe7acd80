//! Our side of `cargo xtask bench --peer` and `--sb3`: one measurement per process, printed as lines of `name value`.
//!
//! `peer layer` times one decoder layer, in seconds; `peer load FOLDER` a checkpoint, in seconds, with the peak of
//! resident memory in bytes. `peer.py` is the other side. `peer train` counts the environment steps per second of
//! `ppo-mlp` from the first rollout to the last update, and its processor time; `sb3.py` is the other side, on the
//! closes that `peer closes FILE` writes.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use bench::{Case, cpu_seconds, peak_bytes, smol_layer};
use burn::tensor::{Device, Tensor, TensorData};
use llm::{Backbone, Body, TrainSpec, init};
use plugin::SharedPool;
use trading_env::{NoLog, Training};

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

/// Sequences and tokens of a batch.
const BATCH: [usize; 2] = [4, 256];
/// Passes whose median is printed.
const PASSES: usize = 15;

fn main() -> ExitCode {
    memory::keep_freed();
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["layer"] => layer(),
        ["load", folder] => load(Path::new(folder)),
        ["closes", file] => closes(Path::new(file)),
        ["train"] => train(),
        _ => {
            eprintln!(
                "error: expected `layer`, `load FOLDER`, `closes FILE` or `train`, found `{}`",
                args.join(" ")
            );
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn layer() {
    let config = smol_layer();
    let device = Device::flex();
    let backbone = Arc::new(Backbone::random(&config, 0, &device));
    let [batch, tokens] = BATCH;
    let shape = [batch * tokens, config.hidden_size];
    let random = |name: &str| {
        let values = init::normal(0, name, shape[0] * shape[1], 1.0);
        Tensor::<2>::from_data(TensorData::new(values, shape), &device)
    };
    let (x, gradient) = (random("x"), random("gradient"));
    let body = |n_trainable_layers| {
        let spec = TrainSpec { n_trainable_layers, ..TrainSpec::default() };
        Body::new(backbone.clone(), spec, 0).expect("a valid training spec")
    };
    let frozen = body(0);
    println!("layer/forward {}", median(|| drop(frozen.layer_alone(0, x.clone(), batch))));
    let trained = body(1);
    let both = || {
        let x = x.clone().autodiff().require_grad();
        let loss = trained.layer_alone(0, x.clone(), batch).mul(gradient.clone()).sum();
        let mut gradients = loss.backward();
        x.grad_remove(&mut gradients).expect("the input is tracked");
        trained.params().gradients(&mut gradients)
    };
    println!("layer/forward+backward {}", median(|| drop(both())));
}

fn load(folder: &Path) {
    let start = Instant::now();
    let backbone = Backbone::load(folder, &Device::flex()).expect("a checkpoint made for this");
    println!("load/time {}", start.elapsed().as_secs_f64());
    println!("load/memory {}", peak_bytes());
    drop(backbone);
}

/// Settings of `sb3.py`, whose `vf_coef` is half of ours because its value loss is twice ours.
const SB3: &[&str] = &[
    "data.kind=synthetic-news",
    "rules=investor-bench",
    "reward.kind=log-return",
    "reward.scale=100",
    "env.num_envs=8",
    "env.max_episode_steps=65",
    "env.random_start=true",
    "agent.kind=ppo-mlp",
    "agent.window=20",
    "agent.return_scale=100",
    "agent.widths=[]",
    "agent.policy_head=[64, 64]",
    "agent.value_head=[64, 64]",
    "agent.activation=relu",
    "agent.num_steps=128",
    "agent.update_epochs=4",
    "agent.minibatch_size=256",
    "agent.gradient_accumulation_steps=1",
    "agent.learning_rate=3e-4",
    "agent.anneal_lr=false",
    "agent.gamma=0.99",
    "agent.gae_lambda=0.95",
    "agent.clip_coef=0.2",
    "agent.clip_vloss=false",
    "agent.norm_adv=true",
    "agent.ent_coef=0.01",
    "agent.vf_coef=1.0",
    "agent.kl_coef=0.0",
    "agent.max_grad_norm=0.5",
    "agent.adam_eps=1e-5",
];
/// Environment steps of one rollout of these settings.
const ROLLOUT: u64 = 8 * 128;
/// Rollouts before the clock starts.
const WARM_UP: u64 = 2;
/// Rollouts that are timed.
const ROLLOUTS: u64 = 32;

/// One close per line, of the training split.
fn closes(file: &Path) {
    let arena = Case::new(SB3).arena();
    let segment = arena.segment();
    let lines = segment.series.closes()[segment.first..].iter().map(|close| format!("{close}\n"));
    std::fs::write(file, lines.collect::<String>()).expect("a file that can be written");
}

fn train() {
    let case = Case::new(SB3);
    let arena = case.arena();
    let shared = SharedPool::default();
    let seconds = |rollouts: u64| {
        let agent = case.agent(rollouts * ROLLOUT, &shared);
        let mut learner = agent.learner(0).expect("a fresh learner");
        let (start, cpu) = (Instant::now(), cpu_seconds());
        learner.train(Training { arena: &arena, validation: None, log: &mut NoLog }).expect("a training");
        (start.elapsed().as_secs_f64(), cpu_seconds() - cpu)
    };
    seconds(WARM_UP);
    let (wall, cpu) = seconds(ROLLOUTS);
    println!("ppo-mlp/steps_per_s {}", (ROLLOUTS * ROLLOUT) as f64 / wall);
    println!("ppo-mlp/cpu_of_1024_steps {}", cpu / ROLLOUTS as f64);
}

/// Median seconds of a call, after two that are not counted.
fn median(mut call: impl FnMut()) -> f64 {
    let mut time = || {
        let start = Instant::now();
        call();
        start.elapsed().as_secs_f64()
    };
    time();
    time();
    let mut seconds: Vec<f64> = (0..PASSES).map(|_| time()).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[PASSES / 2]
}
