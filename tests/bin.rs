//! The command line over plugins that need no tensor library.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(it::registry())
}
