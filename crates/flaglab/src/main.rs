//! The `flaglab` command.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: flaglab::Allocator = flaglab::Allocator;

fn main() -> ExitCode {
    flaglab::run(flaglab::builtins())
}
