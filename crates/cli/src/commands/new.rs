//! `new`: a crate outside of the repository with one plugin that works, to begin from.
//!
//! Its files are those of `examples/own-plugins`, less the lines of the other kinds, under another name.

mod skeleton;

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use plugin::contract::is_kebab_case;
use plugin::nearest;
use runner::Registry;

use self::skeleton::{KINDS, Template};
use crate::failure::Failure;
use crate::output;
use crate::paths::shown;

/// Arguments of `new`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What it adds.
    #[arg(value_enum)]
    kind: Kind,
    /// Its name in experiment files, such as `my-reward`.
    name: String,
    /// New folder of the crate; default the name.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Folder of a checkout of flaglab; default the one that the current folder lies in.
    #[arg(long, value_name = "PATH")]
    flaglab: Option<PathBuf>,
}

/// What a crate can begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// What an agent is trained on.
    Reward,
    /// Who trades.
    Agent,
    /// Bars and news.
    Source,
}

/// `new`.
pub(crate) fn run(registry: &Registry, args: &Args) -> Result<ExitCode, Failure> {
    let (section, template) = match args.kind {
        Kind::Reward => ("reward", &KINDS[0]),
        Kind::Agent => ("agent", &KINDS[1]),
        Kind::Source => ("data", &KINDS[2]),
    };
    let known: Vec<&str> = registry
        .kinds()
        .into_iter()
        .filter(|(kind, _)| *kind == section)
        .flat_map(|(_, plugins)| plugins.into_iter().map(|plugin| plugin.name))
        .collect();
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let out = std::path::absolute(&out).map_err(|e| Failure::wrong(format!("--out: {e}")))?;
    let name = name_problem(&args.name, &known, template);
    let checkout = checkout(args.flaglab.as_deref());
    let place = name.is_none().then(|| place_problem(&out, checkout.as_deref().ok())).flatten();
    let problems: Vec<String> =
        name.into_iter().chain(place).chain(checkout.as_ref().err().cloned()).collect();
    let checkout = match checkout {
        Ok(checkout) if problems.is_empty() => checkout,
        _ => return Err(Failure::Wrong(problems)),
    };
    if let Some(near) = nearest(&args.name, known) {
        eprintln!("note: the built-in {section} of the nearest name is `{near}`");
    }
    write(&out, &checkout, &args.name, template)
        .map_err(|e| Failure::Broken(format!("{}: {e}", out.display())))?;
    output::print(&shown(&out));
    eprintln!("in that folder: cargo test, then cargo run -- sweep experiment.toml");
    Ok(ExitCode::SUCCESS)
}

/// What is wrong with the name of a plugin beside those that are `known`.
fn name_problem(name: &str, known: &[&str], template: &Template) -> Option<String> {
    if !is_kebab_case(name) {
        let kebab = kebab_case(name);
        let near = if is_kebab_case(&kebab) { format!(" (did you mean `{kebab}`?)") } else { String::new() };
        return Some(format!(
            "NAME: expected words of lower-case letters and digits, joined by hyphens, such as `my-{}`, found {name:?}\
             {near}",
            template.word
        ));
    }
    if known.contains(&name) {
        return Some(format!(
            "NAME: `{name}` is built in, and a plugin of that name would take its place; expected another name, such \
             as `my-{name}`; built in are {}",
            known.join(", ")
        ));
    }
    let made = skeleton::type_name(name);
    template.uses(&made).then(|| {
        format!(
            "NAME: `{name}` would make the type `{made}`, which the source of the crate uses for something else; \
             expected another name, such as `my-{name}`"
        )
    })
}

/// Words of `MyReward`, `my_reward` or `my reward`, joined by hyphens.
fn kebab_case(name: &str) -> String {
    let mut words = String::new();
    for c in name.trim().chars() {
        match c {
            '_' | ' ' | '-' | '.' => words.push('-'),
            _ => {
                if c.is_uppercase() && words.ends_with(|last: char| last != '-') {
                    words.push('-');
                }
                words.extend(c.to_lowercase());
            }
        }
    }
    words
}

/// What is wrong with the folder `out`.
fn place_problem(out: &Path, checkout: Option<&Path>) -> Option<String> {
    let there = shown(out);
    match fs::read_dir(out).map(|mut entries| entries.next().is_some()) {
        Ok(true) => {
            return Some(format!(
                "{there}: is there and not empty, and nothing is overwritten; expected a new folder (`--out`)"
            ));
        }
        Err(e) if e.kind() == ErrorKind::NotADirectory => {
            let file = out.ancestors().find(|path| path.exists()).unwrap_or(out);
            return Some(format!("{there}: expected a new folder (`--out`), found the file {}", shown(file)));
        }
        Err(e) if e.kind() != ErrorKind::NotFound => {
            return Some(format!("{there}: cannot be read: {e}; expected a new folder (`--out`)"));
        }
        _ => {}
    }
    let members = checkout?.join("crates");
    let parent = real(out.parent()?);
    (parent == members).then(|| {
        format!(
            "{there}: folders in crates/ are members of flaglab's workspace; expected another place (`--out`)"
        )
    })
}

/// Root of the checkout at `stated`, or of the nearest one that the current folder lies in.
fn checkout(stated: Option<&Path>) -> Result<PathBuf, String> {
    let is_checkout = |folder: &Path| {
        let manifest = fs::read_to_string(folder.join("crates/flaglab/Cargo.toml")).unwrap_or_default();
        manifest.lines().any(|line| line.trim() == "name = \"flaglab\"")
    };
    let found = match stated {
        Some(stated) if is_checkout(stated) => Ok(real(stated)),
        Some(stated) => Err(format!("no crates/flaglab in {}", stated.display())),
        None => {
            let current = std::env::current_dir().unwrap_or_default();
            let nearest = current.ancestors().find(|folder| is_checkout(folder)).map(real);
            nearest.ok_or_else(|| "nothing, and the current folder lies in none".to_owned())
        }
    };
    found.map_err(|found| format!("--flaglab: expected the folder of a checkout of flaglab, found {found}"))
}

/// `path` without links as far as it exists.
fn real(path: &Path) -> PathBuf {
    match (fs::canonicalize(path), path.parent(), path.file_name()) {
        (Ok(real), ..) => real,
        (Err(_), Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_owned(),
    }
}

/// The way from the folder `from` to `to`, where both lie in the checkout or beside it; else `to` as it is.
fn dependency(from: &Path, to: &Path, checkout: &Path) -> PathBuf {
    let near = checkout.parent().filter(|parent| parent.parent().is_some()).unwrap_or(checkout);
    if !from.starts_with(near) {
        return to.to_owned();
    }
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    up.chain(to.components().skip(common)).collect()
}

/// Writes the crate beside its place and moves it there.
fn write(out: &Path, checkout: &Path, name: &str, template: &Template) -> std::io::Result<()> {
    let flaglab = dependency(&real(out), &checkout.join("crates/flaglab"), checkout);
    let parent = out.parent().unwrap_or(out);
    fs::create_dir_all(parent)?;
    let made = parent.join(format!(".{name}-{}.tmp", std::process::id()));
    let filled = fill(&made, checkout, template.files(name, &flaglab.display().to_string()));
    // An empty folder is in the way where the system does not replace it.
    let _ = fs::remove_dir(out);
    let moved = filled.and_then(|()| fs::rename(&made, out));
    if moved.is_err() {
        let _ = fs::remove_dir_all(&made);
    }
    moved
}

fn fill(folder: &Path, checkout: &Path, files: Vec<(&str, String)>) -> std::io::Result<()> {
    fs::create_dir(folder)?;
    fs::create_dir(folder.join("src"))?;
    for (file, text) in files {
        fs::write(folder.join(file), text)?;
    }
    // The versions that flaglab is tested with.
    let lock = checkout.join("Cargo.lock");
    if lock.is_file() {
        fs::copy(lock, folder.join("Cargo.lock"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_kebab_case() {
        for (name, wanted) in
            [("MyReward", "my-reward"), ("my_reward", "my-reward"), ("My Reward", "my-reward"), ("ÄB", "ä-b")]
        {
            assert_eq!(kebab_case(name), wanted);
        }
    }

    #[test]
    fn dependencies_are_relative_in_a_checkout_and_beside_it() {
        let of = |from: &str| {
            let root = Path::new("/a/b/flaglab");
            dependency(Path::new(from), &root.join("crates/flaglab"), root).display().to_string()
        };
        assert_eq!(of("/a/b/flaglab/mine"), "../crates/flaglab");
        assert_eq!(of("/a/b/flaglab/examples/mine"), "../../crates/flaglab");
        assert_eq!(of("/a/b/mine"), "../flaglab/crates/flaglab");
        assert_eq!(of("/c/mine"), "/a/b/flaglab/crates/flaglab");
        let root = Path::new("/flaglab");
        assert_eq!(dependency(Path::new("/c/mine"), &root.join("x"), root), Path::new("/flaglab/x"));
    }
}
