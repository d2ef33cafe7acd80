//! The `flaglab` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(flaglab::builtins())
}
