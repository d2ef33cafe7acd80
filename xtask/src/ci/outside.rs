//! Plugins from outside of the repository: the example copied to an empty folder, and what `new` writes, built, tested and
//! swept there.
//!
//! They share the repository's target folder, the profile of its dependencies and its lock, so that none of these is
//! compiled once more.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::{Outcome, succeed};
use crate::{flaglab, workspace};

const EXAMPLE: &str = "examples/own-plugins";
const EXPERIMENT: &str = "experiment.toml";
/// Arms of the example's experiment.
const ARMS: [&str; 4] = ["built-in", "underwater", "json-lines", "breakout"];

/// The example, then a new crate of each kind.
pub fn check() -> anyhow::Result<Outcome> {
    let binary = flaglab::build(&[])?;
    let outside = Outside::new()?;
    let example = outside.folder.join("own-plugins");
    copy(&workspace::root().join(EXAMPLE), &example)?;
    let manifest = fs::read_to_string(example.join("Cargo.toml"))?;
    let crates = workspace::root().join("crates");
    let manifest = manifest.replace("../../crates", &crates.display().to_string());
    fs::write(example.join("Cargo.toml"), manifest)?;
    fs::copy(workspace::root().join("Cargo.lock"), example.join("Cargo.lock"))?;
    outside.test(&example)?;
    succeed(outside.cargo(&example)?.args(["fmt", "--check"]))?;
    succeed(outside.cargo(&example)?.args(["run", "--quiet", "--", "sweep", EXPERIMENT]))?;
    let table = ["run", "--quiet", "--", "report", EXPERIMENT, "--format", "markdown"];
    let output = outside.cargo(&example)?.args(table).output()?;
    let table = String::from_utf8(output.stdout)?;
    println!("{table}");
    ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    for arm in ARMS {
        let row = |line: &str| line.starts_with('|') && line.split('|').any(|cell| cell.trim() == arm);
        ensure!(table.lines().any(row), "the table of the report has no arm `{arm}`");
    }

    for kind in ["reward", "agent", "source"] {
        let name = format!("my-{kind}");
        let mut new = Command::new(&binary);
        new.args(["new", kind, &name, "--flaglab"]).arg(workspace::root());
        succeed(new.current_dir(&outside.folder))?;
        let made = outside.folder.join(&name);
        outside.test(&made)?;
        succeed(outside.cargo(&made)?.args(["run", "--quiet", "--", "sweep", EXPERIMENT, "--plan"]))?;
        succeed(outside.cargo(&made)?.args(["fmt", "--check"]))?;
    }
    fs::remove_dir_all(outside.folder)?;
    Ok(Outcome::Passed)
}

/// An empty folder outside of the repository, and the repository's profile as a configuration of cargo.
struct Outside {
    folder: PathBuf,
    profile: PathBuf,
}

impl Outside {
    fn new() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("flaglab-outside-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        let folder = fs::canonicalize(folder)?;
        let profile = folder.join("profile.toml");
        let manifest = fs::read_to_string(workspace::root().join("Cargo.toml"))?;
        fs::write(&profile, outside_profile(&manifest, &crates()?)?)?;
        Ok(Self { folder, profile })
    }

    fn cargo(&self, package: &Path) -> anyhow::Result<Command> {
        let mut cargo = workspace::cargo();
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FLAGLAB_") {
                cargo.env_remove(name);
            }
        }
        cargo.current_dir(package).env("CARGO_TARGET_DIR", workspace::target()?);
        cargo.arg("--config").arg(&self.profile);
        Ok(cargo)
    }

    fn test(&self, package: &Path) -> anyhow::Result<Outcome> {
        succeed(self.cargo(package)?.args(["test", "--quiet"]))
    }
}

/// Names of our crates, which are those of their folders.
fn crates() -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir(workspace::root().join("crates"))?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The profiles of `manifest` as seen from outside, with `crates` compiled in the shortest time.
///
/// Others' crates have the settings that they have in the repository, or they would be compiled once more. Ours are other
/// ones from there, by their paths, and are compiled once more in any case.
fn outside_profile(manifest: &str, crates: &[String]) -> anyhow::Result<String> {
    let start = manifest.find("\n[profile.").context("Cargo.toml: no profile")?;
    let is_ours = |line: &&str| {
        let name = line.split(" = ").next().unwrap_or_default();
        ["bench"].into_iter().chain(crates.iter().map(String::as_str)).any(|ours| ours == name)
    };
    let others: Vec<&str> = manifest[start..].lines().filter(|line| !is_ours(line)).collect();
    let ours: Vec<String> = crates.iter().map(|name| format!("{name} = {{ opt-level = 0 }}")).collect();
    let head = "[profile.dev.package]";
    let others = others.join("\n");
    ensure!(others.matches(head).count() == 1, "Cargo.toml: expected {head} once");
    Ok(others.replace(head, &format!("{head}\n{}", ours.join("\n"))))
}

/// A crate without what building and sweeping left in it.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if ["target", "runs", "reports"].iter().any(|left| name == *left) {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name))?;
        } else {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_keep_their_settings_and_ours_are_compiled_quickly() {
        let manifest = "[workspace]\n\n[profile.dev]\nopt-level = 1\n\n[profile.dev.package]\nburn-nn = { opt-level = 0 }\n\
                        llm = { opt-level = 3 }\n\"*\" = { opt-level = 3 }\n";
        let profile = outside_profile(manifest, &["llm".to_owned(), "plugin".to_owned()]).unwrap();
        assert_eq!(
            profile,
            "\n[profile.dev]\nopt-level = 1\n\n[profile.dev.package]\nllm = { opt-level = 0 }\nplugin = { opt-level = 0 }\n\
             burn-nn = { opt-level = 0 }\n\"*\" = { opt-level = 3 }"
        );
        let real = fs::read_to_string(workspace::root().join("Cargo.toml")).unwrap();
        assert!(outside_profile(&real, &crates().unwrap()).unwrap().contains("burn-nn = { opt-level = 0 }"));
    }
}
