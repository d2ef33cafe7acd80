//! `init`: a workspace with what the repository ships, which the binary holds.

#[cfg(test)]
mod tests;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runner::Registry;

use crate::failure::Failure;
use crate::output;
use crate::paths::{MARKER, shown};

/// Arguments of `init`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// New or empty folder.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Paths below the root of the repository, with their bytes.
macro_rules! shipped {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_bytes!(concat!("../../../../", $path)).as_slice())),*]
    };
}

/// What is shipped, the mark of a workspace last: no folder without it is taken for one.
const SHIPPED: &[(&str, &[u8])] = &shipped![
    "datasets/synthetic-news/bars.parquet",
    "datasets/synthetic-news/metadata.json",
    "datasets/synthetic-news/signal.parquet",
    "datasets/synthetic-news-lag2/bars.parquet",
    "datasets/synthetic-news-lag2/metadata.json",
    "datasets/synthetic-news-lag2/signal.parquet",
    "experiments/ablation.toml",
    "experiments/backends.toml",
    "experiments/base.toml",
    "experiments/flag-trader.toml",
    "experiments/investor-bench.toml",
    "experiments/language.toml",
    "experiments/noise.toml",
    "experiments/paper/ablations.toml",
    "experiments/paper/base.toml",
    "experiments/paper/paper-btc.toml",
    "experiments/paper/paper-hon.toml",
    "experiments/paper/paper-jnj.toml",
    "experiments/paper/paper-msft.toml",
    "experiments/paper/paper-uvv.toml",
    "experiments/planted-signal.toml",
    "experiments/search.toml",
    "experiments/smollm2.toml",
    "experiments/walk-forward.toml",
    "models/tiny-llama/README.md",
    "models/tiny-llama/config.json",
    "models/tiny-llama/model.safetensors",
    "models/tiny-llama/tokenizer.json",
    "models/tiny-llama/tokenizer_config.json",
    "flaglab.toml",
];

/// Where the files are before they have their names, below the new folder.
const TEMPORARY: &str = ".init.tmp";

/// `init`.
pub(crate) fn run(registry: &Registry, args: &Args) -> Result<ExitCode, Failure> {
    let dir = &args.dir;
    let is_new = must_be_empty(dir)?;
    let broken = |e: std::io::Error| Failure::Broken(format!("{}: cannot be written: {e}", dir.display()));
    fs::create_dir_all(dir).map_err(broken)?;
    // Of several that come at once, one makes it.
    let temporary = dir.join(TEMPORARY);
    fs::create_dir(&temporary).map_err(broken)?;
    let mut made = vec![temporary];
    fill(registry, dir, &mut made).map_err(|error| {
        clear(dir, &made, is_new);
        broken(error)
    })?;
    let program = plugin::program();
    let at = match shown(dir) {
        here if here.is_empty() || here == "." => String::new(),
        path if path.contains(' ') => format!("cd \"{path}\" && "),
        path => format!("cd {path} && "),
    };
    eprintln!("next: {at}{program} sweep experiments/ablation.toml");
    output::print(&shown(dir));
    Ok(ExitCode::SUCCESS)
}

/// Whether nothing is there at all.
fn must_be_empty(dir: &Path) -> Result<bool, Failure> {
    let refused = |found: String| {
        let dir = dir.display();
        Err(Failure::wrong(format!(
            "{dir}: expected a new or an empty folder, found {found}; nothing was written"
        )))
    };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(dir).is_err() => {
            return Ok(true);
        }
        Err(error) if error.kind() == ErrorKind::NotADirectory => return refused("a file".to_owned()),
        Err(error) => return refused(format!("one that cannot be read: {error}")),
    };
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    match &names[..] {
        [] => Ok(false),
        names if names.iter().any(|name| name == TEMPORARY) => refused(format!(
            "{TEMPORARY}, left by an `init` that was cut off or is at work; a folder that was cut off can go"
        )),
        [first, ..] => refused(format!("{} files and folders in it, the first {first}", names.len())),
    }
}

/// Writes everything below the temporary name that is `made`, then gives the parts their names, the mark last, and adds
/// them to it.
fn fill(registry: &Registry, dir: &Path, made: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let temporary = &dir.join(TEMPORARY);
    let write = |path: &str, bytes: &[u8]| {
        let path = temporary.join(path);
        fs::create_dir_all(path.parent().unwrap_or(temporary))?;
        fs::write(path, bytes)
    };
    for (path, bytes) in SHIPPED {
        write(path, bytes)?;
    }
    let readme = include_str!("init/README.md").replace("{program}", plugin::program());
    write("README.md", readme.as_bytes())?;
    write(".gitignore", include_bytes!("init/gitignore"))?;
    write("docs/options.md", experiment::options_markdown(&registry.sections()).as_bytes())?;
    let mut names = Vec::new();
    for entry in fs::read_dir(temporary)? {
        names.push(entry?.file_name());
    }
    names.sort_by_key(|name| name == MARKER);
    for name in names {
        let path = dir.join(&name);
        fs::rename(temporary.join(name), &path)?;
        made.push(path);
    }
    fs::remove_dir(temporary)
}

/// Removes what was made, and nothing else. The error that led here is the one to tell.
fn clear(dir: &Path, made: &[PathBuf], is_new: bool) {
    for path in made {
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
    if is_new {
        let _ = fs::remove_dir(dir);
    }
}
