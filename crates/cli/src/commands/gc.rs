//! `gc`: what no experiment refers to below the folders of runs and reports.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runner::Registry;
use serde_json::json;
use store::{Attempt, ExperimentStore, Leftover, LeftoverKind, Remover, RunState, StoreError};

use crate::commands::sweep::{self, Loaded};
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::paths::{MARKER, Paths, shown};

/// Arguments of `gc`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Experiment files besides those below the workspace.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Removes what is listed. Without it nothing is changed.
    #[arg(long)]
    yes: bool,
    /// Lists attempts of completed runs that a later completed one stands before, too.
    #[arg(long)]
    attempts: bool,
    /// How to print the result.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Folders that experiment files are not looked for in.
const PASSED_OVER: [&str; 2] = ["target", "node_modules"];
/// Folders below the workspace in which they are looked for.
const DEEP: usize = 8;

/// Something that can go.
struct Garbage {
    path: PathBuf,
    bytes: u64,
    reason: String,
    what: What,
}

/// How it goes.
enum What {
    /// An attempt of an experiment, by index into the stores.
    Attempt { store: usize, run_id: String, number: u32 },
    /// Something in an experiment's folder.
    Leftover { store: usize, leftover: Leftover },
    /// A file or folder that nobody works on.
    Other,
}

/// What was found.
#[derive(Default)]
struct Found {
    stores: Vec<ExperimentStore>,
    garbage: Vec<Garbage>,
    /// What could not be judged, or stays for another reason.
    left: Vec<String>,
}

/// `gc`.
pub(crate) fn run(registry: &Registry, args: &Args) -> Result<ExitCode, Failure> {
    let current = std::env::current_dir().unwrap_or_default();
    let paths = Paths::of(args.files.first().unwrap_or(&current));
    let files = experiment_files(&paths, &args.files)?;
    let found = find(registry, &paths, &files, args.attempts)?;
    if !args.yes {
        tell(&found, args.format, None);
        return Ok(ExitCode::SUCCESS);
    }
    let (removed, problems) = sweep_out(&found);
    tell(&found, args.format, Some(&removed));
    problems.iter().for_each(|problem| eprintln!("{problem}"));
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The workspace's experiment files and those that are named, by the experiment's name. Several may have one name, and so
/// one folder of runs.
fn experiment_files(paths: &Paths, named: &[PathBuf]) -> Result<BTreeMap<String, Vec<PathBuf>>, Failure> {
    let mut all = Vec::new();
    collect_files(paths, &paths.root, DEEP, &mut all)?;
    for file in named {
        let (text, runs) = (file.display(), Paths::of(file).runs);
        if !file.is_file() {
            let near = plugin::did_you_mean_path(file, Path::is_file);
            return Err(Failure::wrong(format!(
                "{text}: expected an experiment file, found none of that name{near}"
            )));
        }
        if runs != paths.runs {
            let (found, expected) = (shown(&runs), shown(&paths.runs));
            return Err(Failure::wrong(format!(
                "{text}: its runs are in {found}, expected {expected}, where those of the first file are"
            )));
        }
        all.push(std::path::absolute(file).unwrap_or_else(|_| file.clone()));
    }
    all.sort();
    all.dedup();
    let mut by_name: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for file in all {
        if let Some(name) = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()) {
            by_name.entry(name).or_default().push(file);
        }
    }
    Ok(by_name)
}

/// All `*.toml` at or below a folder. A file too many keeps something, one too few loses it: links to files count, and no
/// folder is left out that experiments may be in.
///
/// # Errors
/// When a folder cannot be read: nobody knows then which experiments are gone.
fn collect_files(paths: &Paths, dir: &Path, deep: usize, into: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unread = |e: std::io::Error| {
        let dir = dir.display();
        Failure::Broken(format!("{dir}: cannot be read, so nobody knows which experiments are gone: {e}"))
    };
    for entry in fs::read_dir(dir).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            let passed_over = name.starts_with('.') || PASSED_OVER.contains(&name.as_str());
            if !passed_over && path != paths.runs && path != paths.reports && deep > 0 {
                collect_files(paths, &path, deep - 1, into)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "toml") && name != MARKER {
            into.push(path);
        }
    }
    Ok(())
}

fn find(
    registry: &Registry,
    paths: &Paths,
    files: &BTreeMap<String, Vec<PathBuf>>,
    attempts: bool,
) -> Result<Found, Failure> {
    let mut found = Found { stores: ExperimentStore::all(&paths.runs)?, ..Found::default() };
    if files.is_empty() && !found.stores.is_empty() {
        // The wrong folder rather than one whose experiments are all gone.
        let (root, runs) = (paths.root.display(), shown(&paths.runs));
        return Err(Failure::wrong(format!(
            "{root}: found no experiment file at all there, expected the workspace whose runs are in {runs}"
        )));
    }
    let mut gone = HashSet::new();
    for store in 0..found.stores.len() {
        let name = found.stores[store].name();
        let wanted = match files.get(&name) {
            Some(files) => match planned(registry, files) {
                Ok(ids) => Wanted::Ids(ids, files.iter().map(|file| shown(file)).collect()),
                Err(problem) => {
                    let dir = shown(found.stores[store].dir());
                    found.left.push(format!("{dir}: left alone, because {problem}"));
                    continue;
                }
            },
            None if !paths.runs.starts_with(&paths.root) => {
                let (dir, root) = (shown(found.stores[store].dir()), paths.root.display());
                found.left.push(format!(
                    "{dir}: left alone, because it is outside of {root} and may be another workspace's; name its file"
                ));
                continue;
            }
            None => Wanted::Nothing,
        };
        // All or nothing: what of it could not be read is told once.
        match of_experiment(&found.stores[store], store, &wanted, attempts) {
            Ok(Judged { garbage, left }) => {
                if matches!(wanted, Wanted::Nothing) && left.is_empty() {
                    gone.insert(name);
                }
                found.garbage.extend(garbage);
                found.left.extend(left);
            }
            Err(error) => {
                let dir = shown(found.stores[store].dir());
                found.left.push(format!("{dir}: left alone, because it cannot be read: {error}"));
            }
        }
    }
    of_reports(paths, &gone, &mut found)?;
    Ok(found)
}

/// Which runs of an experiment's folder are wanted.
enum Wanted {
    /// Those of the plans of these files.
    Ids(HashSet<String>, Vec<String>),
    /// None: there is no file.
    Nothing,
}

/// Ids of the runs that the plans of all these files have, or why they cannot be told.
fn planned(registry: &Registry, files: &[PathBuf]) -> Result<HashSet<String>, String> {
    let mut ids = HashSet::new();
    for file in files {
        let of_file = || -> Result<Vec<String>, Failure> {
            let Loaded { experiment, files, lock, store, .. } = Loaded::of(registry, file, &[])?;
            let (plan, _) = sweep::plan(registry, &experiment, &files, lock, store)?;
            Ok(plan.runs.into_iter().map(|run| run.id).collect())
        };
        ids.extend(
            of_file()
                .map_err(|failure| format!("{} cannot be planned: {}", shown(file), failure.first_line()))?,
        );
    }
    Ok(ids)
}

/// What can go of one experiment, and what stays though nothing refers to it.
struct Judged {
    garbage: Vec<Garbage>,
    left: Vec<String>,
}

fn of_experiment(
    store: &ExperimentStore,
    index: usize,
    wanted: &Wanted,
    older: bool,
) -> Result<Judged, StoreError> {
    let listing = store.list()?;
    let mut runs: Vec<(&str, Vec<Attempt>)> = Vec::new();
    for id in listing.ids() {
        runs.push((id, listing.attempts(id)?));
    }
    let mut held: HashSet<&str> = HashSet::new();
    for (id, attempts) in &runs {
        for attempt in attempts {
            if matches!(attempt.state, RunState::Running { .. }) || store.is_held(&attempt.dir)? {
                held.insert(id);
            }
        }
    }
    let mut judged = Judged { garbage: Vec::new(), left: Vec::new() };
    let is_gone = matches!(wanted, Wanted::Nothing);
    if is_gone && !held.is_empty() {
        judged.left.push(format!(
            "{}: left alone, because somebody works on {} of its runs, though no experiment file {}.toml was found",
            shown(store.dir()),
            held.len(),
            store.name()
        ));
        return Ok(judged);
    }
    let attempt = |id: &str, attempt: &Attempt, reason: String| Garbage {
        path: attempt.dir.clone(),
        bytes: size(&attempt.dir),
        reason,
        what: What::Attempt { store: index, run_id: id.to_owned(), number: attempt.number },
    };
    let leftover = |leftover: Leftover| Garbage {
        path: leftover.path.clone(),
        bytes: size(&leftover.path),
        reason: match leftover.kind {
            LeftoverKind::Temporary => "a temporary name, and nobody writes there any more".to_owned(),
            LeftoverKind::Resume => "points to resume from, and the run has its end".to_owned(),
        },
        what: What::Leftover { store: index, leftover },
    };
    for (id, attempts) in &runs {
        let unwanted = match wanted {
            Wanted::Nothing => Some(format!("no experiment file {}.toml was found", store.name())),
            Wanted::Ids(ids, _) if ids.contains(*id) => None,
            Wanted::Ids(_, files) => Some(format!("no run of {} has these settings now", files.join(" or "))),
        };
        let is_held = held.contains(id);
        if let Some(reason) = unwanted {
            match is_held {
                true => judged.left.push(format!(
                    "{}: left alone, because somebody works on it, though {reason}",
                    shown(&store.dir().join(id))
                )),
                false => judged.garbage.extend(attempts.iter().map(|a| attempt(id, a, reason.clone()))),
            }
            continue;
        }
        let completed = attempts.iter().rev().find(|a| a.state == RunState::Completed).map(|a| a.number);
        for one in attempts {
            match completed.filter(|number| older && !is_held && one.number < *number) {
                Some(number) => {
                    judged.garbage.push(attempt(id, one, format!("attempt {number} completed after it")));
                }
                None => judged.garbage.extend(store.leftovers_of(id, one)?.into_iter().map(leftover)),
            }
        }
    }
    judged.garbage.extend(store.leftovers()?.into_iter().map(leftover));
    let summary = store.summary_file();
    if is_gone && fs::symlink_metadata(&summary).is_ok() {
        judged.garbage.push(Garbage {
            bytes: size(&summary),
            path: summary,
            reason: "derived from runs of an experiment whose file is gone".to_owned(),
            what: What::Other,
        });
    }
    Ok(judged)
}

/// Reports of the experiments that are gone, and temporary names.
fn of_reports(paths: &Paths, gone: &HashSet<String>, found: &mut Found) -> Result<(), Failure> {
    let mut add = |path: PathBuf, reason: String| {
        found.garbage.push(Garbage { bytes: size(&path), path, reason, what: What::Other });
    };
    let mut folders: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&paths.reports).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            folders.push(entry.path());
        }
    }
    folders.sort();
    for path in store::temporaries(&paths.reports)? {
        add(path, "a temporary name, and nobody writes there any more".to_owned());
    }
    for folder in folders {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if gone.contains(&name) {
            add(folder, format!("the report of {name}, whose experiment file is gone"));
            continue;
        }
        for path in store::temporaries(&folder)? {
            add(path, "a temporary name, and nobody writes there any more".to_owned());
        }
    }
    Ok(())
}

/// Bytes of the files at or below a path; of a link those of the link.
fn size(path: &Path) -> u64 {
    let Ok(meta) = fs::symlink_metadata(path) else { return 0 };
    if !meta.is_dir() {
        return meta.len();
    }
    fs::read_dir(path).into_iter().flatten().flatten().map(|entry| size(&entry.path())).sum()
}

/// Removes what was found: whether each went, and what went wrong.
fn sweep_out(found: &Found) -> (Vec<bool>, Vec<String>) {
    let mut problems = Vec::new();
    // By index of their store.
    let mut removers: BTreeMap<usize, Remover<'_>> = BTreeMap::new();
    let mut removed = Vec::new();
    for garbage in &found.garbage {
        let mut remove = || match &garbage.what {
            What::Attempt { store, run_id, number } => {
                remover(&mut removers, found, *store)?.attempt(run_id, *number)
            }
            What::Leftover { store, leftover } => remover(&mut removers, found, *store)?.leftover(leftover),
            What::Other => store::remove(&garbage.path).map(|()| true),
        };
        let went = remove();
        match went {
            Ok(true) => {}
            Ok(false) => problems.push(format!(
                "{}: left alone, because somebody has begun to work there",
                shown(&garbage.path)
            )),
            Err(ref error) => problems.push(error.to_string()),
        }
        removed.push(went.unwrap_or(false));
    }
    // Where there was not even a ledger.
    removers.values().for_each(Remover::empty_folder);
    (removed, problems)
}

fn remover<'r, 'f>(
    removers: &'r mut BTreeMap<usize, Remover<'f>>,
    found: &'f Found,
    store: usize,
) -> Result<&'r mut Remover<'f>, StoreError> {
    Ok(match removers.entry(store) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(new) => new.insert(found.stores[store].remover()?),
    })
}

/// Prints what was found, and whether it went where `removed` says so.
fn tell(found: &Found, format: Format, removed: Option<&[bool]>) {
    let bytes: u64 = found.garbage.iter().map(|garbage| garbage.bytes).sum();
    let went = |i: usize| removed.is_some_and(|removed| removed[i]);
    if format == Format::Json {
        let garbage = found.garbage.iter().enumerate().map(|(i, garbage)| {
            json!({
                "path": shown(&garbage.path),
                "bytes": garbage.bytes,
                "reason": garbage.reason,
                "removed": went(i),
            })
        });
        output::print_json(&json!({
            "garbage": garbage.collect::<Vec<_>>(),
            "bytes": bytes,
            "left_alone": found.left,
        }));
        return;
    }
    let mut text = String::new();
    for garbage in &found.garbage {
        text += &format!("{:>9}  {}: {}\n", size_text(garbage.bytes), shown(&garbage.path), garbage.reason);
    }
    let of_stores = found.garbage.iter().any(|g| matches!(g.what, What::Attempt { .. }));
    if of_stores {
        text += "ledger.jsonl stays in every folder: it counts the trials that were ever started\n";
    }
    for line in &found.left {
        text += &format!("{line}\n");
    }
    let n = found.garbage.len();
    text += &match removed {
        _ if n == 0 => "nothing to remove".to_owned(),
        None => format!("{} in {n} files and folders; --yes removes them", size_text(bytes)),
        Some(removed) => {
            let freed = found.garbage.iter().zip(removed).filter(|(_, went)| **went);
            let freed: u64 = freed.map(|(garbage, _)| garbage.bytes).sum();
            let count = removed.iter().filter(|went| **went).count();
            format!("removed {} in {count} of {n} files and folders", size_text(freed))
        }
    };
    output::print(&text);
}

/// `12 B`, `3.4 MiB`.
fn size_text(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1000.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}
