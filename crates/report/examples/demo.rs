//! Renders reports of made-up sweeps, to be looked at: `cargo run -p report --example demo -- FOLDER`.

// The tests use more of it than we do.
#[allow(dead_code)]
#[path = "../src/tests/demo.rs"]
mod demo;

use std::path::PathBuf;

use demo::Demo;
use report::{ComparedExperiment, ReportInput};

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
