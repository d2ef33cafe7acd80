//! `completions`: what a shell has to know of the commands and their options.

use std::process::ExitCode;

use clap::ValueEnum;
use clap_complete::{Generator, shells};

use crate::failure::Failure;
use crate::output;

/// Arguments of `completions`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
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
    command = command.name(NAME).bin_name(NAME);
    let mut script = Vec::new();
    match args.shell {
        Shell::Bash => generate(shells::Bash, &mut command, &mut script),
        Shell::Zsh => generate(shells::Zsh, &mut command, &mut script),
        Shell::Fish => generate(shells::Fish, &mut command, &mut script),
    }
    output::print(&String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}

const NAME: &str = "flaglab";

fn generate(shell: impl Generator, command: &mut clap::Command, into: &mut Vec<u8>) {
    clap_complete::generate(shell, command, NAME, into);
}
