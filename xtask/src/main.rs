//! `cargo xtask`: builds and starts the `flaglab` binary, and runs the project's own checks.
//!
//! Thin on purpose: it links none of the heavy crates, so that `cargo xtask --help` answers at once.

mod bench;
mod ci;
mod flaglab;
#[path = "../../crates/plugin/src/near.rs"]
mod near;
mod python;
#[cfg(test)]
mod tests;
mod workspace;

use std::process::ExitCode;

const HELP: &str = "\
flaglab: experiments with LLM trading agents

Usage: cargo xtask COMMAND [ARGUMENTS]      cargo xtask COMMAND --help for its options

Experiments
  init DIR             a new folder with experiments, data and a model to begin with
  sweep FILE.toml      plan, check and train what is not finished, then render the report (--plan only prints)
  retry FILE.toml      run the failed runs of a sweep again
  status FILE.toml     how far a sweep is, beside it; --watch looks again until it is done
  report FILE.toml...  render the report again from what is stored, several experiments side by side; --format and
                       --fail-unless make tables and CI gates of it, --index lists all experiments
  export FILE.toml     stored runs as CSV tables or as event files for TensorBoard, --to csv|tensorboard
  why RUN              which input made a stored run new
  diff RUN RUN         what two stored runs differ in, and how their scores moved
  gc                   runs, reports and leftovers that no experiment refers to; --yes removes them
  paper                the published tables of FLAG-Trader, each cell with a verdict, and our own runs beside them; --quick
                       audits only and fails on a changed cell, --full trains as long as the paper

Scores
  evaluate             score a list of decisions or a trained policy under trading rules, as JSON
  metrics FILE.csv     tear-sheet numbers of a return series, as JSON

Data and settings
  dataset              fetch real data; list, check, import or synthesise canonical data sets
  model                fetch, inspect or pretrain a language model, print its logits, export what a run trained
  new KIND NAME        a crate with a reward, agent or source of your own to begin from, see docs/plugins.md
  plugins [KIND]       data sources, rules, rewards, agents, backends and launchers with their parameters
  options              every key of an experiment file
  completions SHELL    completion of commands and options for bash, zsh or fish

Project
  ci                   formatting, lints, docs, links, the tables of ARCHITECTURE.md, tests, statistics, audit, sweeps; --full
                       adds transformers, the Python packages of statistics, the audit made again, the paper's trainings, PEFT,
                       a browser, TensorBoard, queries, plugins from outside, the tutorial, a sweep that is killed, a sweep
                       through Slurm, sweeps of noise, classic tasks of control, cuda, wgpu, every bench once;
                       --with parity,peft,browser adds those named, --only runs no others. Ends with the seconds of each
  oracle SCRIPT        a script in a Python with transformers, torch and PEFT, installed on first use
  bench                criterion benches; --peer runs the same work in Python beside and writes benches/RESULTS.md,
                       --sb3 trains ppo-mlp beside Stable-Baselines3 and writes benches/RESULTS-SB3.md,
                       --growth measures what grows with seeds, arms, tokens, layers, bars and runs, and writes
                       benches/GROWTH.md and docs/growth.svg, --orchestration what a sweep of 10,000 runs costs besides
                       its training, into benches/ORCHESTRATION.md, --against COMMIT builds that commit below target/ and
                       prints how much faster this tree sweeps three small experiments; --smoke after any of them, or
                       alone, only shows that it works

stdout carries the result, stderr progress. Exit 0 done, 1 some runs failed, 2 wrong input.
";

/// Commands that are not those of `flaglab`.
const OWN: [&str; 3] = ["ci", "oracle", "bench"];

/// The command of ours that `name` is a slip of, rather than of one of `flaglab`, which tells of its own.
fn meant(name: &str) -> Option<&'static str> {
    let commands = || HELP.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let commands = || commands().filter(|command| !command.is_empty());
    if commands().any(|command| command == name) {
        return None;
    }
    near::nearest(name, commands()).filter(|command| OWN.contains(command))
}

/// Arguments that tell `completions` of the commands that are not those of `flaglab`.
fn completed() -> [String; 6] {
    let [ci, oracle, bench] = [ci::words(), "oracle".to_owned(), format!("bench {}", bench::FLAGS.join(" "))];
    let also = || "--also".to_owned();
    [also(), ci, also(), oracle, also(), bench]
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.first().map(String::as_str) {
        None | Some("--help" | "-h" | "help") => {
            print!("{HELP}");
            return if args.is_empty() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
        Some("ci") => ci::run(&args[1..]),
        Some("oracle") => python::run(&args[1..]),
        Some("bench") => bench::run(&args[1..]),
        Some(flaglab::WITH_FEATURES) => flaglab::start_with(&args[1..]),
        Some("completions") => flaglab::start(&[args.as_slice(), &completed()].concat()),
        Some(name) => match meant(name) {
            Some(own) => Err(anyhow::anyhow!("unknown command `{name}` (did you mean \"{own}\"?)")),
            None => flaglab::start(&args),
        },
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}
