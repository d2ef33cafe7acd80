//! Where the workspace and its build folders are.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Root of the checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("invariant: xtask lies one level below the root")
}

/// Cargo's target folder: the one this very binary was built into, whatever the configuration says.
pub fn target() -> anyhow::Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let target = exe.parent().and_then(Path::parent);
    target.map(Path::to_owned).ok_or_else(|| anyhow::anyhow!("{}: not in a target folder", exe.display()))
}

/// The cargo that runs us, in the workspace root.
///
/// It does not see what cargo told us of our own package: some build scripts look at these variables, and would run
/// again, with all that depends on them, whenever a plain `cargo` follows a `cargo xtask`.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_PACKAGE"];
    for (name, _) in std::env::vars_os() {
        if ours.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command.current_dir(root());
    command
}

/// Exit code of a child; 1 when a signal ended it.
pub fn exit_code(code: Option<i32>) -> ExitCode {
    ExitCode::from(code.and_then(|c| u8::try_from(c).ok()).unwrap_or(1))
}
