//! Relative links of the Markdown pages: to files that are there, and to headings that they have.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail, ensure};

use super::Outcome;
use crate::near::did_you_mean;
use crate::workspace;

/// Every page that git knows of or would.
pub fn check() -> anyhow::Result<Outcome> {
    let root = workspace::root();
    let mut listed = std::process::Command::new("git");
    listed.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]).current_dir(root);
    let listed = listed.output().context("git")?;
    ensure!(listed.status.success(), "git ls-files: {}", listed.status);
    let names = String::from_utf8(listed.stdout)?;
    let mut pages = BTreeMap::new();
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        // A page that is deleted but not committed so is still listed.
        if let Ok(text) = std::fs::read_to_string(root.join(name)) {
            pages.insert(PathBuf::from(name), text);
        }
    }
    let (links, broken) = broken(&pages, |path| root.join(path).exists());
    if !broken.is_empty() {
        bail!("{} of {links} links lead nowhere:\n{}", broken.len(), broken.join("\n"));
    }
    println!("{links} relative links in {} pages", pages.len());
    Ok(Outcome::Passed)
}

/// The number of relative links, and those that lead nowhere, each with its page and line.
fn broken(pages: &BTreeMap<PathBuf, String>, exists: impl Fn(&Path) -> bool) -> (usize, Vec<String>) {
    let (mut links, mut broken) = (0, Vec::new());
    for (page, text) in pages {
        for (line, link) in relative_links(text) {
            links += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { joined(page, path) };
            let wrong = match pages.get(&target) {
                Some(target) if !anchor.is_empty() => {
                    let known = anchors(target);
                    let near = did_you_mean(anchor, known.iter().map(String::as_str));
                    (!known.contains(anchor)).then(|| format!("no heading #{anchor}{near}"))
                }
                None if !exists(&target) => Some("no such file".to_owned()),
                _ => None,
            };
            broken.extend(wrong.map(|wrong| format!("{}:{line}: {link}: {wrong}", page.display())));
        }
    }
    (links, broken)
}

/// `path` as the page names it, from the root.
fn joined(page: &Path, path: &str) -> PathBuf {
    let mut joined = PathBuf::new();
    for part in page.with_file_name(path).components() {
        match part {
            Component::ParentDir => drop(joined.pop()),
            Component::CurDir => {}
            part => joined.push(part),
        }
    }
    joined
}

/// Lines of a page that are not in a fenced block, counted from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_block = false;
    text.lines().enumerate().filter_map(move |(i, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_block ^= is_fence;
        (!in_block && !is_fence).then_some((i + 1, line))
    })
}

/// Targets of `[text](target)` that are no URLs, with their lines; what stands in backticks is no link.
fn relative_links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        let mut rest = line;
        while let Some(at) = rest.find(['`', ']']) {
            let tail = &rest[at + 1..];
            if rest[at..].starts_with('`') {
                rest = tail.split_once('`').map_or("", |(_, after)| after);
                continue;
            }
            rest = tail;
            let Some((link, after)) = tail.strip_prefix('(').and_then(|tail| tail.split_once(')')) else {
                continue;
            };
            rest = after;
            let is_url = link.contains("://") || link.starts_with("mailto:");
            if !is_url {
                links.push((number, link));
            }
        }
    }
    links
}

/// What GitHub makes of a page's headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        let level = line.len() - title.len();
        if !(1..=6).contains(&level) || !title.starts_with(' ') {
            continue;
        }
        let kept = title.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor: String =
            kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect();
        let earlier = seen.entry(anchor.clone()).or_default();
        anchors.insert(if *earlier == 0 { anchor } else { format!("{anchor}-{earlier}") });
        *earlier += 1;
    }
    anchors
}
