//! The commands, over any [`Registry`]: [`run`] is what `flaglab::run` calls, in the `main` of flaglab's own binary and of an
//! outside crate, `flaglab::run(flaglab::builtins().agent(&Mine))`.
//!
//! stdout carries the result, stderr progress and errors. Exit 0 done, 1 some runs failed, 2 the input was wrong:
//! nothing was run, nothing written.

mod arguments;
mod commands;
mod facts;
mod failure;
mod output;
mod paths;
mod progress;
mod scores;
mod screen;
mod stored;
mod variables;

use std::process::ExitCode;
use std::sync::OnceLock;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use plugin::program;
use runner::Registry;

use crate::commands::{
    completions, dataset, diff, evaluate, export, gc, init, metrics, model, new, options, paper, plugins,
    report, status, sweep, why,
};
use crate::failure::Failure;

/// Experiments with LLM trading agents.
#[derive(Parser)]
#[command(name = "flaglab", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A new folder with experiments, data and a model to begin with.
    Init(init::Args),
    /// Plan, check and train what is not finished, write metrics, render the report.
    Sweep(sweep::Args),
    /// Run the failed runs of a sweep again, as new attempts beside the old.
    Retry(sweep::RetryArgs),
    /// Carry out runs for the sweep of another process, which starts this.
    #[command(hide = true)]
    Work(sweep::WorkArgs),
    /// How far a sweep is: states of its runs, progress of those that go on. Writes nothing.
    Status(status::Args),
    /// Render the report again from what is stored.
    Report(report::Args),
    /// Stored runs as CSV tables, or as event files for TensorBoard.
    Export(export::Args),
    /// Which input made a stored run new, or which stored run it is nearest to.
    Why(why::Args),
    /// What two stored runs differ in, and how their scores moved.
    Diff(diff::Args),
    /// What no experiment refers to below the folders of runs and reports; removed with --yes only.
    Gc(gc::Args),
    /// The published tables of FLAG-Trader, audited and beside what the same rules and data give here.
    Paper(paper::Args),
    /// Score a list of decisions, or a trained policy, under trading rules: metrics as JSON.
    Evaluate(evaluate::Args),
    /// Tear-sheet numbers of a return series as JSON.
    Metrics(metrics::Args),
    /// Names, sentences and parameters of plugins.
    Plugins(plugins::Args),
    /// Canonical data sets.
    Dataset(dataset::Args),
    /// Language models: what they are, what they compute, what runs made of them.
    Model(model::Args),
    /// A crate with a plugin of your own to begin from.
    New(new::Args),
    /// Every key of an experiment file, as Markdown.
    Options(options::Args),
    /// A script with which a shell completes commands and options.
    Completions(completions::Args),
}

/// The command line under the name by which the user knows the program.
fn command_line(registry: &Registry) -> clap::Command {
    static VERSION: OnceLock<String> = OnceLock::new();
    Cli::command().bin_name(program()).version(VERSION.get_or_init(|| registry.version()).as_str())
}

/// Parses the process's arguments and carries out the command.
#[expect(
    clippy::needless_pass_by_value,
    reason = "callers build it in place: `flaglab::run(flaglab::builtins().agent(&Mine))`"
)]
pub fn run(registry: Registry) -> ExitCode {
    let arguments = command_line(&registry).try_get_matches().and_then(|found| Cli::from_arg_matches(&found));
    let command = match arguments {
        Ok(cli) => cli.command,
        Err(error) if !error.use_stderr() => {
            output::print(&error.to_string());
            return ExitCode::SUCCESS;
        }
        Err(error) => return Failure::wrong(error.to_string().trim_start_matches("error: ")).report(),
    };
    if let Err(failure) = variables::check() {
        return failure.report();
    }
    let outcome = match command {
        Command::Init(args) => init::run(&registry, &args),
        Command::Sweep(args) => sweep::run(&registry, &args),
        Command::Retry(args) => sweep::retry(&registry, &args),
        Command::Work(args) => sweep::work(&registry, &args),
        Command::Status(args) => status::run(&registry, &args),
        Command::Report(args) => report::run(&registry, &args),
        Command::Export(args) => export::run(&registry, &args),
        Command::Why(args) => why::run(&registry, &args),
        Command::Diff(args) => diff::run(&registry, &args),
        Command::Gc(args) => gc::run(&registry, &args),
        Command::Paper(args) => paper::run(&registry, &args),
        Command::Evaluate(args) => evaluate::run(&registry, &args),
        Command::Metrics(args) => metrics::run(&args),
        Command::Plugins(args) => plugins::run(&registry, &args),
        Command::Dataset(args) => dataset::run(&args),
        Command::Model(args) => model::run(&registry, &args),
        Command::New(args) => new::run(&registry, &args),
        Command::Options(args) => options::run(&registry, &args),
        Command::Completions(args) => completions::run(&args, command_line(&registry)),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
