//! The tables of ARCHITECTURE.md: which crate uses which, as the manifests say, and paths that are there.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::Outcome;
use crate::workspace;

const PAGE: &str = "ARCHITECTURE.md";

/// Every row of every table of the page.
pub fn check() -> anyhow::Result<Outcome> {
    let root = workspace::root();
    let text = std::fs::read_to_string(root.join(PAGE)).context(PAGE)?;
    let mut manifests = BTreeMap::new();
    for entry in std::fs::read_dir(root.join("crates"))? {
        let folder = entry?;
        let name = folder.file_name().to_string_lossy().into_owned();
        if let Ok(manifest) = std::fs::read_to_string(folder.path().join("Cargo.toml")) {
            manifests.insert(name, manifest);
        }
    }
    let (paths, mut wrong) = missing_paths(&text, |path| root.join(path).exists());
    wrong.extend(wrong_uses(&text, &manifests));
    if !wrong.is_empty() {
        bail!("{} mistakes in {PAGE}:\n{}", wrong.len(), wrong.join("\n"));
    }
    println!("{} crates, {paths} paths in the tables of {PAGE}", manifests.len());
    Ok(Outcome::Passed)
}

/// Rows of tables with their lines, counted from 1.
fn rows(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter(|(_, line)| line.starts_with('|')).map(|(i, line)| (i + 1, line))
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Crates whose row is missing or names others than the dependencies of their manifest among `manifests`, by name.
fn wrong_uses(text: &str, manifests: &BTreeMap<String, String>) -> Vec<String> {
    let mut listed = BTreeSet::new();
    let mut wrong = Vec::new();
    for (line, row) in rows(text) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let ["", name, _, uses, ""] = cells[..] else { continue };
        let name = name.trim_matches('`');
        let Some(manifest) = manifests.get(name) else { continue };
        listed.insert(name);
        let stated: BTreeSet<&str> = quoted(uses).collect();
        let found: BTreeSet<&str> =
            dependencies(manifest).filter(|used| manifests.contains_key(*used)).collect();
        if stated != found {
            let found: Vec<String> = found.iter().map(|used| format!("`{used}`")).collect();
            wrong.push(format!("{PAGE}:{line}: its manifest says that `{name}` uses {}", found.join(", ")));
        }
    }
    let unlisted = manifests.keys().filter(|name| !listed.contains(name.as_str()));
    wrong.extend(unlisted.map(|name| format!("{PAGE}: no row for crates/{name}")));
    wrong
}

/// Names of the dependencies that are built with a crate's library, on any system.
fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let mut is_inside = false;
    manifest.lines().filter_map(move |line| {
        if line.starts_with('[') {
            is_inside =
                line == "[dependencies]" || line.starts_with("[target.") && line.ends_with(".dependencies]");
            return None;
        }
        let name = line.split(['.', ' ', '=']).next().filter(|name| !name.is_empty() && *name != "#");
        name.filter(|_| is_inside)
    })
}

/// The number of paths in tables, and those that lead nowhere.
///
/// A path starts from the root, from `crates/`, or from a folder around an earlier path of its row.
fn missing_paths(text: &str, exists: impl Fn(&Path) -> bool) -> (usize, Vec<String>) {
    let (mut paths, mut missing) = (0, Vec::new());
    for (line, row) in rows(text) {
        let mut folders = vec![PathBuf::new(), PathBuf::from("crates")];
        for path in quoted(row).filter(|word| is_path(word)) {
            paths += 1;
            match folders.iter().map(|folder| folder.join(path)).find(|path| exists(path)) {
                Some(found) => {
                    let around = found.ancestors().skip(1).filter(|folder| folder.components().count() > 1);
                    folders.extend(around.map(Path::to_owned));
                    folders.push(found.with_extension(""));
                }
                None => missing.push(format!("{PAGE}:{line}: {path}: no such file")),
            }
        }
    }
    (paths, missing)
}

/// Whether `word` names a file of the repository or a folder.
fn is_path(word: &str) -> bool {
    let is_name = word.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    let ends = [".rs", ".md", ".toml", ".py", ".csv"].iter().any(|ending| word.ends_with(ending));
    is_name && (ends || word.contains('/'))
}
