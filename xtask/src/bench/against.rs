//! This tree compared with an earlier commit: both programs sweep the experiments of `benches/against` in turn.
//!
//! The commit is checked out into a worktree below `target`, and built there into a target folder that is kept, so that a
//! second comparison compiles what differs. That folder begins with the packages of others that this tree has built.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, ensure};

use super::{Size, Values, output, rows, with_turns};
use crate::{flaglab, workspace};

/// Turns of each workload.
const TURNS: usize = 5;
const EXPERIMENTS: &str = "benches/against";
/// Whose tokenizer the model of random weights has.
const SHIPPED: &str = "models/tiny-llama";

struct Workload {
    /// File in [`EXPERIMENTS`].
    name: &'static str,
    title: &'static str,
    /// A setting with which it takes a moment.
    smoke: &'static str,
}

const WORKLOADS: [Workload; 3] = [
    Workload { name: "base", title: "shipped model", smoke: "agent.total_timesteps=128" },
    Workload {
        name: "smol",
        title: "SmolLM2-135M's shape, 1 trained layer",
        smoke: "agent.total_timesteps=32",
    },
    Workload { name: "mlp", title: "`ppo-mlp`", smoke: "agent.total_timesteps=1024" },
];

/// `--against COMMIT [--turns N]`: prints a table of both programs' seconds, a row per workload and measure.
pub fn run(args: &[String], size: Size) -> anyhow::Result<ExitCode> {
    let (args, turns) = with_turns(args)?;
    let [commit] = args else {
        anyhow::bail!("--against takes a commit, and --turns N after it; found `{}`", args.join(" "))
    };
    let turns = turns.unwrap_or(size.pick(TURNS, 1));
    let sha = git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{commit}^{{commit}}")])
        .map_err(|_| anyhow::anyhow!("--against: `{commit}` is no commit of this repository"))?;
    let subject = git(&["log", "-1", "--format=%h %s", &sha])?;

    let ours = flaglab::build(&[])?;
    let theirs = build(&sha)?;
    let folder = size.folder("against")?;
    let model = model(&folder)?;
    let mut table = String::new();
    for workload in &WORKLOADS {
        let sweep = |program: &Program| program.sweep(workload, size, &model, &folder.join("scratch"));
        let [ours, theirs] = [Program { binary: &ours }, Program { binary: &theirs }];
        let (mut our_values, mut their_values) = (Values::new(), Values::new());
        for turn in 1..=turns {
            eprintln!("{}: turn {turn} of {turns}", workload.title);
            // Whoever is second finds files in memory and a warm processor: both are, as often.
            if turn % 2 == 1 {
                sweep(&theirs)?.add_to(&mut their_values);
                sweep(&ours)?.add_to(&mut our_values);
            } else {
                sweep(&ours)?.add_to(&mut our_values);
                sweep(&theirs)?.add_to(&mut their_values);
            }
        }
        rows(&mut table, workload.title, &our_values, &their_values)?;
    }
    println!(
        "Sweeps of {EXPERIMENTS} with the program of this tree and with that of\n{subject}\n\
         in turn, {turns} times each, medians. A ratio is the median over neighbouring turns, with its range; above 1 this tree\n\
         is faster. Processor time is that of all threads, which other programs on the machine lengthen less.\n\n\
         | what | measure | this tree | commit | ratio | range |\n|---|---|---|---|---|---|\n{table}\n{}",
        super::machine("Flex backend, f32")?
    );
    Ok(ExitCode::SUCCESS)
}

struct Program<'a> {
    binary: &'a Path,
}

/// What one sweep took, in seconds.
struct Taken {
    wall: f64,
    /// `None` where the system does not tell.
    processors: Option<f64>,
}

impl Taken {
    fn add_to(&self, values: &mut Values) {
        values.entry("by the clock".to_owned()).or_default().push(self.wall);
        if let Some(seconds) = self.processors {
            values.entry("processor time".to_owned()).or_default().push(seconds);
        }
    }
}

impl Program<'_> {
    /// The same files for both programs, in an empty folder.
    fn sweep(&self, workload: &Workload, size: Size, model: &Path, scratch: &Path) -> anyhow::Result<Taken> {
        if scratch.exists() {
            fs::remove_dir_all(scratch)?;
        }
        fs::create_dir_all(scratch)?;
        let mut command = Command::new(self.binary);
        command.arg("sweep").arg(format!("{EXPERIMENTS}/{}.toml", workload.name));
        if workload.name == "smol" {
            command.args(["--set", &format!("agent.model.path={:?}", model.display().to_string())]);
        }
        command.args(size.pick(None, Some(["--set", workload.smoke])).into_iter().flatten());
        command.envs([("FLAGLAB_RUNS", scratch.join("runs")), ("FLAGLAB_REPORTS", scratch.join("reports"))]);
        let (start, before) = (Instant::now(), children_seconds());
        output(command.current_dir(workspace::root()))?;
        let wall = start.elapsed().as_secs_f64();
        let processors = children_seconds().zip(before).map(|(after, before)| after - before);
        Ok(Taken { wall, processors })
    }
}

/// Processor time of all processes that this one has waited for, in steps of 0.01 s.
fn children_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name before the last parenthesis may hold spaces. Times of children are the fields 16 and 17.
    let ticks = stat.rsplit_once(')')?.1.split_whitespace().skip(13).take(2);
    let ticks: Vec<u64> = ticks.map(str::parse).collect::<Result<_, _>>().ok()?;
    (ticks.len() == 2).then(|| ticks.iter().sum::<u64>() as f64 / 100.0)
}

/// SmolLM2-135M's shape with the shipped model's tokenizer; the program draws the weights.
fn model(folder: &Path) -> anyhow::Result<PathBuf> {
    let model = std::path::absolute(folder.join("smol"))?;
    fs::create_dir_all(&model)?;
    let root = workspace::root();
    fs::copy(root.join(EXPERIMENTS).join("smol/config.json"), model.join("config.json"))?;
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        fs::copy(root.join(SHIPPED).join(name), model.join(name))?;
    }
    Ok(model)
}

fn git(args: &[&str]) -> anyhow::Result<String> {
    let text = output(Command::new("git").args(args).current_dir(workspace::root()))?;
    Ok(text.trim().to_owned())
}

/// The program of a commit. Nothing of the checkout changes but git's list of worktrees.
fn build(sha: &str) -> anyhow::Result<PathBuf> {
    let folder = workspace::target()?.join("against");
    let (tree, target) = (folder.join("tree"), folder.join("build"));
    let path = tree.to_str().context("the target folder's name is not UTF-8")?;
    if tree.join(".git").exists() {
        // What has not changed keeps its time of change, by which cargo knows what to compile.
        git(&["-C", path, "checkout", "--quiet", "--force", "--detach", sha])?;
    } else {
        fs::create_dir_all(&folder)?;
        git(&["worktree", "prune"])?;
        git(&["worktree", "add", "--quiet", "--force", "--detach", path, sha])?;
    }
    if !target.exists() {
        seed(&workspace::target()?.join("debug"), &target.join("debug"))?;
    }
    eprintln!("building flaglab of {sha}");
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--quiet", "--locked", "--package", "flaglab", "--target-dir"]).arg(&target);
    let status = cargo.current_dir(&tree).status().context("cannot start cargo")?;
    ensure!(status.success(), "flaglab of {sha} does not build");
    Ok(target.join("debug").join(format!("flaglab{}", std::env::consts::EXE_SUFFIX)))
}

/// Copies what is built of others' packages, so that a commit with the same lock compiles our own alone.
///
/// Packages of a registry are known to cargo by version, features and profile, wherever the workspace lies. Ours are left
/// out: cargo tells them apart by times of change alone.
fn seed(from: &Path, to: &Path) -> anyhow::Result<()> {
    let ours = own_crates()?;
    let is_ours = |name: &str| ours.contains(&crate_of(name));
    for folder in [".fingerprint", "build"] {
        let Ok(entries) = fs::read_dir(from.join(folder)) else { continue };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !is_ours(&name) {
                copy(&entry.path(), &to.join(folder).join(&name))?;
            }
        }
    }
    let Ok(entries) = fs::read_dir(from.join("deps")) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let crate_name = name.strip_prefix("lib").unwrap_or(&name);
        let is_built =
            [".rlib", ".rmeta", ".d", std::env::consts::DLL_SUFFIX].iter().any(|e| name.ends_with(e));
        if is_built && !is_ours(crate_name) {
            copy(&entry.path(), &to.join("deps").join(&name))?;
        }
    }
    Ok(())
}

/// Crate of a file or folder of cargo's: `NAME-HASH`, with or without an ending.
fn crate_of(name: &str) -> String {
    let (name, _) = name.rsplit_once('-').unwrap_or((name, ""));
    name.replace('-', "_")
}

/// Names of the workspace's libraries.
fn own_crates() -> anyhow::Result<BTreeSet<String>> {
    let mut names: BTreeSet<String> = ["xtask", "it", "bench"].map(str::to_owned).into();
    for entry in fs::read_dir(workspace::root().join("crates"))? {
        names.insert(crate_of(&format!("{}-", entry?.file_name().to_string_lossy())));
    }
    Ok(names)
}

/// With times of change, by which cargo knows what is fresh.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).with_context(|| from.display().to_string())?;
    fs::File::options().write(true).open(to)?.set_modified(fs::metadata(from)?.modified()?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_crate_from_names_of_cargo() {
        for (name, of) in [
            ("market_data-0123.rmeta", "market_data"),
            ("market-data-0123", "market_data"),
            ("serde_json-0123.d", "serde_json"),
        ] {
            assert_eq!(crate_of(name), of, "{name}");
        }
    }

    #[test]
    fn seeds_a_target_folder_without_our_own_crates() {
        let folder = workspace::target().unwrap().join(format!("seed-test-{}", std::process::id()));
        let (from, to) = (folder.join("from"), folder.join("to"));
        for name in [
            ".fingerprint/burn-1/lib-burn",
            ".fingerprint/market-data-1/lib-market_data",
            "build/ring-1/out/file",
            "deps/libburn-1.rlib",
            "deps/libmarket_data-1.rlib",
            "deps/parity-1",
        ] {
            fs::create_dir_all(from.join(name).parent().unwrap()).unwrap();
            fs::write(from.join(name), name).unwrap();
        }
        let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        fs::File::options()
            .write(true)
            .open(from.join("deps/libburn-1.rlib"))
            .unwrap()
            .set_modified(time)
            .unwrap();
        seed(&from, &to).unwrap();
        let is_there = |name: &str| to.join(name).exists();
        for name in [".fingerprint/burn-1/lib-burn", "build/ring-1/out/file", "deps/libburn-1.rlib"] {
            assert!(is_there(name), "{name}");
        }
        for name in [".fingerprint/market-data-1", "deps/libmarket_data-1.rlib", "deps/parity-1"] {
            assert!(!is_there(name), "{name}");
        }
        assert_eq!(fs::metadata(to.join("deps/libburn-1.rlib")).unwrap().modified().unwrap(), time);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn rejects_what_is_no_commit() {
        let error = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
            run(&args, Size::Smoke).unwrap_err().to_string()
        };
        assert_eq!(error(&["no-such-commit"]), "--against: `no-such-commit` is no commit of this repository");
        assert!(error(&[]).starts_with("--against takes a commit"));
        assert!(error(&["HEAD", "--turns", "0"]).contains("expected at least 1"));
    }
}
