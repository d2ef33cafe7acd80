//! Sweeps on markets in which there is nothing to find: how often their reports claim something all the same.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::ensure;

use super::{Outcome, fresh_folder};
use crate::{flaglab, workspace};

const EXPERIMENT: &str = "experiments/noise.toml";
const SWEEPS: u64 = 20;
/// Sweeps that may claim that an arm is better: a test at 5% claims 1 of 20 on average.
const ALLOWED: usize = 2;

/// Each sweep has a market of its own and a ledger of its own.
pub fn check() -> anyhow::Result<Outcome> {
    let binary = flaglab::build(&[])?;
    let scratch = fresh_folder("noise")?;
    let mut claims = Vec::new();
    for seed in 1..=SWEEPS {
        let summary = sweep(&binary, &scratch.join(seed.to_string()), seed)?;
        // This program stays without a parser; the texts are those of `docs/report.md`.
        let of = |claim: &str| summary.matches(&format!("\"claim\": \"{claim}")).count();
        let (judged, better, worse) = (of(""), of("better than Buy & Hold"), of("worse than Buy & Hold"));
        ensure!(judged > 0, "market {seed}: the summary has no claims");
        println!("market {seed:2}: of {judged} arms {better} claimed as better, {worse} as worse");
        if better > 0 {
            claims.push(seed);
        }
    }
    println!("{} of {SWEEPS} reports claim that an arm is better", claims.len());
    ensure!(claims.len() <= ALLOWED, "expected at most {ALLOWED}; markets {claims:?}");
    fs::remove_dir_all(scratch)?;
    Ok(Outcome::Passed)
}

fn sweep(binary: &Path, folder: &Path, seed: u64) -> anyhow::Result<String> {
    let run = |args: &[&str]| -> anyhow::Result<String> {
        let output = Command::new(binary)
            .args(args)
            .args(["--set", &format!("data.generator.seed={seed}")])
            .env("FLAGLAB_RUNS", folder.join("runs"))
            .env("FLAGLAB_REPORTS", folder.join("reports"))
            .current_dir(workspace::root())
            .stdin(Stdio::null())
            .output()?;
        let problem = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {}: {problem}", args.join(" "), output.status);
        Ok(String::from_utf8(output.stdout)?)
    };
    run(&["sweep", EXPERIMENT])?;
    run(&["report", EXPERIMENT, "--format", "json"])
}
