//! What the user calls the program.

use std::path::Path;
use std::sync::OnceLock;

/// Variable with which whoever starts the program says what the user typed to start it: `cargo xtask`.
pub const PROGRAM: &str = "FLAGLAB_PROGRAM";

/// What stands before a command that a message tells the user to type: what `FLAGLAB_PROGRAM` says, else the file name
/// under which the program was started.
pub fn program() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let said = std::env::var(PROGRAM).ok();
        let started = std::env::args_os().next().unwrap_or_default();
        called(said.as_deref(), Path::new(&started))
    })
}

fn called(said: Option<&str>, started: &Path) -> String {
    let said = said.map(str::trim).filter(|name| !name.is_empty());
    let started = || {
        let name = started.file_name()?.to_str()?;
        Some(name.strip_suffix(std::env::consts::EXE_SUFFIX).unwrap_or(name))
    };
    said.or_else(started).filter(|name| !name.is_empty()).unwrap_or("flaglab").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_called_as_it_was_started_unless_told_otherwise() {
        let started = format!("/usr/local/bin/my-lab{}", std::env::consts::EXE_SUFFIX);
        assert_eq!(called(None, Path::new(&started)), "my-lab");
        assert_eq!(called(Some("cargo xtask"), Path::new(&started)), "cargo xtask");
        assert_eq!(called(Some(" "), Path::new(&started)), "my-lab");
        assert_eq!(called(None, Path::new("")), "flaglab");
    }
}
