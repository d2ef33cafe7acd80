//! Renders reports of made-up sweeps, to be looked at: `cargo run -p report --example demo -- FOLDER`.

// The tests use more of it than we do.
#[allow(dead_code)]
#[path = "../src/tests/demo.rs"]
mod demo;
#[allow(dead_code)]
#[path = "../src/tests/twins.rs"]
mod twins;

use std::path::PathBuf;

use demo::{Demo, Noise};
use report::{ComparedExperiment, ReportInput};
use trading_env::{Action, StepRecord, UpdateRecord};
use twins::{Left, step};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(std::env::args().nth(1).ok_or("expected the folder to write into")?);
    let demos = [
        Demo {
            name: "ablation",
            title: "Which part did it? Freezing depth, LoRA rank and reward",
            symbols: vec!["SYN"],
            seeds: 5,
            days: 504,
            updates: 346,
            mode: "one-at-a-time",
            troubled: true,
            controls: true,
            rescored: true,
        },
        Demo {
            name: "grid",
            title: "Depth by rank",
            symbols: vec!["SYN"],
            seeds: 3,
            days: 252,
            updates: 43,
            mode: "grid",
            troubled: false,
            controls: false,
            rescored: true,
        },
        Demo {
            name: "investor-bench",
            title: "Five assets, two depths",
            symbols: vec!["MSFT", "JNJ", "UVV", "HON", "BTC"],
            seeds: 3,
            days: 147,
            updates: 43,
            mode: "grid",
            troubled: false,
            controls: false,
            rescored: true,
        },
        Demo {
            name: "search",
            title: "A random search",
            symbols: vec!["SYN"],
            seeds: 3,
            days: 147,
            updates: 43,
            mode: "random",
            troubled: false,
            controls: false,
            rescored: true,
        },
        // Many runs: arms have pages of their own.
        Demo {
            name: "large",
            title: "More seeds than one page lists",
            symbols: vec!["SYN"],
            seeds: 24,
            days: 147,
            updates: 43,
            mode: "one-at-a-time",
            troubled: false,
            controls: false,
            rescored: true,
        },
    ];
    let (root, reports) = (out.join("runs").join(std::process::id().to_string()), out.join("reports"));
    let mut compared = Vec::new();
    for demo in demos {
        let plan = demo.plan();
        let store = demo.run(&root, &plan);
        let input = ReportInput { markets: demo.markets(), ..report::collect(&store, &plan)? };
        println!("{}", report::render(&input, &reports)?.display());
        compared.push(input);
    }
    let (demo, plan) = twins::plan(&["flex", "wgpu", "cuda"], &[0, 4], 5);
    let store = twins::run(&root, &demo, &plan, parted);
    println!("{}", report::render(&report::collect(&store, &plan)?, &reports)?.display());
    let compared: Vec<ComparedExperiment<'_>> = compared[..2]
        .iter()
        .map(|input| ComparedExperiment {
            input,
            report: Some(format!("../{}/index.html", input.plan.experiment)),
        })
        .collect();
    println!("{}", report::compare(&compared, &reports)?.display());
    println!("{}", report::index(&report::experiments(&root, &reports)?, &reports)?.display());
    Ok(())
}

/// A training as it goes: the last digits differ from the first step on, and with rank 4 some seeds take another action in the
/// end. There is no device for `cuda`.
fn parted(kind: &str, rank: u64, seed: u64) -> Result<Left, &'static str> {
    if kind == "cuda" {
        return Err("backend: backend `cuda`: no adapter on this machine");
    }
    let (mut noise, mut bits) = (Noise(100 * rank + seed), Noise(9_000 + 100 * rank + seed));
    let is_other = kind != "flex";
    let breaks = (is_other && rank == 4 && seed.is_multiple_of(2)).then_some(70 + 20 * seed as u32);
    let mut size = if is_other { 6e-8 } else { 0.0 };
    let row = |t: u32| {
        let drawn = noise.normal();
        size *= 1.03;
        let apart = size * bits.normal();
        let action = match breaks {
            Some(at) if t >= at => Action::ALL[t as usize % 3],
            _ => Action::ALL[(drawn.abs() * 10.0) as usize % 3],
        };
        StepRecord { action, log_prob: Some((-1.1 + 0.05 * drawn + apart) as f32), ..step(t) }
    };
    let steps: Vec<StepRecord> = (0..160).map(row).collect();
    let grad_norm = 0.4 + if is_other { 1e-7 } else { 0.0 };
    let updates = (0..10).map(|update| UpdateRecord { update, grad_norm, ..UpdateRecord::default() });
    let mut start = Noise(seed + 1);
    let apart = if breaks.is_some() { 3e-2 } else { 1e-6 };
    let mut moved = Noise(77 + seed);
    let number = |_| (start.normal() + if is_other { apart * moved.normal() } else { 0.0 }) as f32;
    Ok(Left {
        steps,
        updates: updates.collect(),
        speeds: vec![if is_other { 850.0 + 3.0 * seed as f64 } else { 210.0 + seed as f64 }; 10],
        parameters: (0..256).map(number).collect(),
        sharpe: Some(0.7 + 0.35 * Noise(seed + rank).normal() + if breaks.is_some() { 0.12 } else { 0.0 }),
    })
}
