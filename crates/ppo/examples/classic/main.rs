//! The update on tasks whose optima are known: `cargo run -p ppo --example classic`, or `cargo xtask ci --only classic`.
//! Exit 1 when a seed stays below what is asked of it.

mod tasks;

use std::process::ExitCode;
use std::time::Instant;

use ppo::PpoConfig;
use rayon::prelude::*;
use tasks::{Bandit, CartPole, Chain, Task, mean_return, small};

const SEEDS: std::ops::Range<u64> = 0..5;

fn main() -> ExitCode {
    let cart_pole = PpoConfig {
        total_timesteps: 100_000,
        learning_rate: 1e-3,
        num_steps: 32,
        gamma: 0.98,
        gae_lambda: 0.8,
        update_epochs: 20,
        minibatch_size: 256,
        gradient_accumulation_steps: 1,
        ent_coef: 0.0,
        kl_coef: 0.0,
        ..PpoConfig::default()
    };
    println!("mean return of 100 episodes with the most probable actions, seed by seed");
    let reached = [
        line::<Bandit>("bandit", &small(10_240), 1.0, 1.0),
        line::<Chain>("chain", &small(20_480), 3.0, 3.0),
        line::<CartPole>("CartPole-v1", &cart_pole, 475.0, 500.0),
    ];
    if reached.iter().all(|r| *r) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether every seed reaches `asked`.
fn line<T: Task>(name: &str, config: &PpoConfig, asked: f64, optimum: f64) -> bool {
    let start = Instant::now();
    let returns: Vec<f64> =
        SEEDS.collect::<Vec<_>>().into_par_iter().map(|seed| mean_return::<T>(config, seed, 100)).collect();
    let texts: Vec<String> = returns.iter().map(|r| format!("{r:.2}")).collect();
    let reached = returns.iter().filter(|r| **r >= asked - 1e-9).count();
    println!(
        "{name:<12} {:>7} steps: {}; {reached} of {} reach {asked} (optimum {optimum}), {:.1} s",
        config.total_timesteps,
        texts.join(" "),
        returns.len(),
        start.elapsed().as_secs_f64(),
    );
    reached == returns.len()
}
