//! `completions`: what a shell has to know of the commands and their options.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ValueEnum};
use clap_complete::{Generator, shells};
use plugin::program;

use crate::failure::Failure;
use crate::output;

/// Arguments of `completions`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
    /// A command of whoever starts this: its name, then its options, with the values that one takes after `=`.
    #[arg(long, hide = true, value_name = "COMMAND")]
    also: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// `completions`.
pub(crate) fn run(args: &Args, mut command: clap::Command) -> Result<ExitCode, Failure> {
    // Shells complete the name of a program, and `cargo xtask` is not one.
    let name = if program().contains(' ') { "flaglab" } else { program() };
    command = command.name(name).bin_name(name).subcommands(args.also.iter().map(|text| also(text)));
    let mut script = Vec::new();
    match args.shell {
        Shell::Bash => generate(shells::Bash, &mut command, name, &mut script),
        Shell::Zsh => generate(shells::Zsh, &mut command, name, &mut script),
        Shell::Fish => generate(shells::Fish, &mut command, name, &mut script),
    }
    output::print(&String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}

fn generate(shell: impl Generator, command: &mut clap::Command, name: &str, into: &mut Vec<u8>) {
    clap_complete::generate(shell, command, name, into);
}

/// `ci --full --only=tests,lints` as a command.
fn also(text: &str) -> clap::Command {
    // clap keeps names as long as the process runs, which ends with the script.
    let text: &'static str = text.to_owned().leak();
    let mut words = text.split_whitespace();
    let command = clap::Command::new(words.next().unwrap_or_default());
    let option = |word: &'static str| {
        let (name, values) = word.split_once('=').unwrap_or((word, ""));
        let name = name.trim_start_matches('-');
        let option = Arg::new(name).long(name);
        match values {
            "" => option.action(ArgAction::SetTrue),
            values => option.value_parser(values.split(',').collect::<Vec<_>>()),
        }
    };
    command.args(words.map(option))
}
