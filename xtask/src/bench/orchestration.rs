//! What orchestration costs, in `cargo xtask bench --orchestration`: sweeps of thousands of runs of an agent that does
//! nothing, each in a process of its own.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, ensure};

use super::{Size, Values, collect, machine, output, program};
use crate::workspace;

const PAGE: &str = "benches/ORCHESTRATION.md";
/// Runs of the smaller and of the larger sweep.
const RUNS: [usize; 2] = [1_000, 10_000];
/// The same in a smoke run.
const FEW_RUNS: [usize; 2] = [20, 40];
/// Seeds of an arm.
const SEEDS: usize = 10;
/// Times that what only reads is measured; the fastest counts, which other programs on the machine have disturbed least.
const TURNS: usize = 5;

/// Measures and writes the page.
pub fn run(size: Size) -> anyhow::Result<ExitCode> {
    let (sizes, turns) = (size.pick(RUNS, FEW_RUNS), size.pick(TURNS, 1));
    let many = program("many")?;
    let program = program("it")?;
    // What an earlier measurement left stays: ext4 passes over inodes that were freed in the last minutes, and takes the
    // longer to make a file the more there are. For the same reason nothing is removed in between.
    let scratch = workspace::target()?.join(format!("bench/orchestration-{}", std::process::id()));
    let mut sweeps = Vec::new();
    for runs in sizes {
        eprintln!("a sweep of {runs} runs");
        let folder = scratch.join(runs.to_string());
        fs::create_dir_all(&folder)?;
        let words = [runs, SEEDS].map(|n| n.to_string());
        let mut found = Values::new();
        collect(&mut found, &output(Command::new(&many).args(words).arg(&folder).arg("idle"))?)?;
        for turn in 1..=turns {
            eprintln!("looks at {runs} runs: turn {turn} of {turns}");
            collect(&mut found, &output(Command::new(&many).arg("look").arg(&folder))?)?;
            collect(&mut found, &format!("status {}", status(&program, &folder, runs)?))?;
        }
        sweeps.push(found);
    }
    let mounted = output(Command::new("stat").args(["--file-system", "--format", "%T"]).arg(&scratch));
    let file_system = mounted.unwrap_or_else(|_| "unknown".to_owned());
    fs::remove_dir_all(&scratch)?;
    let text = page(sizes, &sweeps, file_system.trim())?;
    fs::write(size.page(PAGE)?, &text)?;
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}

/// Seconds that `status` takes, from its start to its end.
fn status(program: &Path, folder: &Path, runs: usize) -> anyhow::Result<f64> {
    let start = Instant::now();
    let text = output(
        Command::new(program)
            .args(["status", "many.toml"])
            .current_dir(folder)
            .env("FLAGLAB_RUNS", folder.join("runs")),
    )?;
    let seconds = start.elapsed().as_secs_f64();
    let first = text.lines().next().unwrap_or_default();
    ensure!(first == format!("many: {runs} runs, {runs} completed"), "status says `{first}`");
    Ok(seconds)
}

fn page(sizes: [usize; 2], sweeps: &[Values], file_system: &str) -> anyhow::Result<String> {
    let [few, many] = sweeps else { anyhow::bail!("expected two sweeps, found {}", sweeps.len()) };
    let least = |values: &Values, name: &str| -> anyhow::Result<f64> {
        let turns = values.get(name).with_context(|| format!("no `{name}`"))?;
        Ok(turns.iter().copied().fold(f64::INFINITY, f64::min))
    };
    let [n_few, n_many] = sizes.map(|runs| runs as f64);
    let mib = |bytes: f64| bytes / 1024.0 / 1024.0;
    let memory = [least(few, "memory")?, least(many, "memory")?];
    let per_run = (memory[1] - memory[0]) / (n_many - n_few);
    let mut table = String::new();
    let mut row =
        |what: String, measured: String, aim: &str| writeln!(table, "| {what} | {measured} | {aim} |");
    let seconds = |name: &str| least(many, name).map(|s| format!("{s:.2} s"));
    row(format!("{n_many} runs planned from their file"), seconds("load+plan")?, "< 1 s")?;
    row(format!("{n_many} finished runs: nothing is to do"), seconds("decide")?, "< 1 s")?;
    row(format!("`status` over {n_many} runs, the whole command"), seconds("status")?, "< 1 s")?;
    for (values, n) in [(few, n_few), (many, n_many)] {
        let [wall, cpu] = ["execute", "cpu/execute"].map(|name| least(values, name).map(|s| 1e3 * s / n));
        let measured = format!("{:.2} ms; {:.2} ms of processors", wall?, cpu?);
        row(format!("a run from claim to result, of {n}"), measured, "< 5 ms")?;
    }
    row(
        format!("peak of memory, {n_few} and {n_many} runs"),
        format!("{:.1} and {:.1} MiB, {per_run:.0} bytes per run", mib(memory[0]), mib(memory[1])),
        "flat: < 16 kB per run",
    )?;
    Ok(format!(
        "# Orchestration\n\n\
         Written by `cargo xtask bench --orchestration`: sweeps of an agent that does nothing (`flat` on 250 bars, {SEEDS} seeds\n\
         per arm), each in a process of its own. What only reads was measured {TURNS} times, the fastest counts; sweeps once.\n\
         A run's time is that of the sweep by the clock, one run per core at a time, divided by the runs: its episodes, scores\n\
         under all rules, files, `fsync` and the summary are in it. Planned in a folder without runs.\n\n\
         | what | measured | aim |\n|---|---|---|\n{table}\n\
         {}\n",
        machine(&format!("file system {file_system}"))?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_the_fastest_turn_and_bytes_per_run() {
        let values = |execute: f64, memory: f64| {
            let mut values = Values::new();
            let text = format!(
                "load+plan 0.9\nload+plan 0.5\ndecide 0.8\nstatus 1.25\nexecute {execute}\ncpu/execute 2\n\
                 memory {memory}\n"
            );
            collect(&mut values, &text).unwrap();
            values
        };
        let text = page(RUNS, &[values(3.0, 1048576.0), values(40.0, 10048576.0)], "ext4").unwrap();
        for row in [
            "| 10000 runs planned from their file | 0.50 s | < 1 s |",
            "| `status` over 10000 runs, the whole command | 1.25 s | < 1 s |",
            "| a run from claim to result, of 1000 | 3.00 ms; 2.00 ms of processors | < 5 ms |",
            "| a run from claim to result, of 10000 | 4.00 ms; 0.20 ms of processors | < 5 ms |",
            "1.0 and 9.6 MiB, 1000 bytes per run",
        ] {
            assert!(text.contains(row), "{text}");
        }
    }
}
