//! Where a result came from: commit, versions, machine, command.

use std::path::Path;
use std::process::Command;

use store::{Machine, Versions};

use crate::{CONTRACT, Registry};

/// What all runs of one execution have in common.
#[derive(Debug, Clone)]
pub(crate) struct Provenance {
    pub versions: Versions,
    pub git_commit: Option<String>,
    pub machine: Machine,
    pub command: Vec<String>,
}

impl Provenance {
    /// Of this process, with the commit of the working tree at `root`.
    pub fn collect(root: &Path, registry: &Registry) -> Self {
        let arguments = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned());
        let command = plugin::program().split_whitespace().map(str::to_owned).chain(arguments).collect();
        Provenance {
            versions: Versions {
                flaglab: registry.version(),
                burn: registry.burn.map(str::to_owned),
                contract: CONTRACT,
            },
            git_commit: git_commit(root),
            machine: Machine {
                cpu: cpu().unwrap_or_else(|| "unknown".to_owned()),
                cores: std::thread::available_parallelism().map_or(1, usize::from),
                os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            },
            command,
        }
    }
}

/// Commit of the repository that `root` belongs to, `-dirty` appended when tracked files have changes.
fn git_commit(root: &Path) -> Option<String> {
    let git = |args: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root).args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() { commit } else { format!("{commit}-dirty") })
}

/// Model name of the CPU, where the system tells it.
fn cpu() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|l| l.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim().to_owned())
}
