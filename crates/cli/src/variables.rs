//! Environment variables of the program. A misspelt one would change nothing, and nobody would know.

use plugin::{PROGRAM, nearest};

use crate::failure::{Failure, REBUILD};

/// What all of them begin with.
const PREFIX: &str = "FLAGLAB_";
/// Overrides of keys, whose names the experiment file's check tells.
const SET: &str = "FLAGLAB_SET__";

/// Variables that something reads: this program, its build, or the project's own checks.
const KNOWN: [&str; 10] = [
    "FLAGLAB_DATA",
    "FLAGLAB_RUNS",
    "FLAGLAB_REPORTS",
    PROGRAM,
    REBUILD,
    "FLAGLAB_COMMIT",
    "FLAGLAB_PYTHON",
    "FLAGLAB_KILLS",
    "FLAGLAB_STATISTICS",
    "FLAGLAB_THREADS",
];

/// # Errors
/// For every variable that is a slip of a known one. Others that begin alike are somebody else's.
pub(crate) fn check() -> Result<(), Failure> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut problems: Vec<String> = names.filter_map(|name| problem(&name)).collect();
    problems.sort();
    if problems.is_empty() { Ok(()) } else { Err(Failure::Wrong(problems)) }
}

fn problem(name: &str) -> Option<String> {
    let bare = name.strip_prefix(PREFIX)?;
    if name.starts_with(SET) || KNOWN.contains(&name) {
        return None;
    }
    if bare == "SET" || bare.starts_with("SET_") {
        return Some(format!(
            "{name}: expected FLAGLAB_SET__section__key, such as FLAGLAB_SET__agent__learning_rate"
        ));
    }
    let near = nearest(bare, KNOWN.iter().filter_map(|known| known.strip_prefix(PREFIX)))?;
    Some(format!("{name}: no such environment variable; did you mean {PREFIX}{near}?"))
}

#[cfg(test)]
mod tests {
    use super::problem;

    #[test]
    fn slips_are_told_and_strangers_are_left_alone() {
        for name in ["FLAGLAB_DATA", "FLAGLAB_SET__agnt__x", "FLAGLAB_COLOUR", "FLAG_DATA", "PATH"] {
            assert_eq!(problem(name), None, "{name}");
        }
        assert!(problem("FLAGLAB_DATAA").unwrap().ends_with("did you mean FLAGLAB_DATA?"));
        assert!(problem("FLAGLAB_RUN").unwrap().ends_with("did you mean FLAGLAB_RUNS?"));
        assert!(problem("FLAGLAB_SET_agent__x").unwrap().contains("expected FLAGLAB_SET__section__key"));
    }
}
