//! Renders reports of made-up sweeps, to be looked at: `cargo run -p report --example demo -- FOLDER`.

#[path = "../src/tests/demo.rs"]
mod demo;

use std::path::PathBuf;

use demo::Demo;

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
        },
    ];
    for demo in demos {
        let plan = demo.plan();
        let runs = out.join("runs").join(format!("{}", std::process::id()));
        let store = demo.run(&runs, &plan);
        println!("{}", report::render(&report::collect(&store, &plan)?, &out.join("reports"))?.display());
    }
    Ok(())
}
