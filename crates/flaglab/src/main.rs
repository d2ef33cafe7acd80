//! The `flaglab` command.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

fn main() -> ExitCode {
    memory::keep_freed();
    cli::run(flaglab::builtins())
}
