//! Tells the release build the commit of the repository that it is made from.
//!
//! Development builds are not told: each commit would link the binary anew. `FLAGLAB_COMMIT` tells any build, for
//! those made without the repository.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=FLAGLAB_COMMIT");
    let is_told = std::env::var_os("FLAGLAB_COMMIT").is_some();
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if is_told || !is_release {
        return;
    }
    if let Some(commit) = commit(Path::new("../..")) {
        println!("cargo:rustc-env=FLAGLAB_COMMIT={commit}");
    }
}

/// The first digits of the commit at `root`, `-dirty` appended when tracked files have changes. `None` where `root` is not
/// the top of a repository: that of somebody who keeps a copy of the source says nothing about it.
fn commit(root: &Path) -> Option<String> {
    let git = |args: &[&str]| {
        let output =
            Command::new("git").arg("--no-optional-locks").arg("-C").arg(root).args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    // What the answer depends on: the commit, and the tracked files that a build reads.
    let log = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"])?;
    println!("cargo:rerun-if-changed={log}");
    for path in ["crates", "experiments", "datasets", "models", "Cargo.toml", "Cargo.lock", "flaglab.toml"] {
        println!("cargo:rerun-if-changed=../../{path}");
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() { commit } else { format!("{commit}-dirty") })
}
