//! The command line of flaglab with the plugins of this crate.

mod agent;
mod reward;
mod source;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: flaglab::Allocator = flaglab::Allocator;

fn main() -> ExitCode {
    let mut registry = flaglab::builtins();
    registry = registry.reward(&reward::Underwater);
    registry = registry.source(&source::JsonLines);
    registry = registry.agent(&agent::Breakout);
    flaglab::run(registry)
}
