//! How much memory this process may still take, and what of it caches may fill.

#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

/// Where the system does not tell how much there is.
const UNKNOWN: u64 = 1 << 30;

/// Memory that agents may fill with what only saves time, in bytes: half of what [`available`] finds. The other half is
/// for models that are yet to be loaded, for gradients, and for what else the machine does.
pub(crate) fn cache_bytes(limit_mib: Option<u64>) -> u64 {
    available(limit_mib).map_or(UNKNOWN, |bytes| bytes / 2)
}

/// Memory that this process may still take, in bytes: what the machine has available, what the control groups that it is
/// in have left, and what a limit of its own leaves; the least of those that are known.
pub(crate) fn available(limit_mib: Option<u64>) -> Option<u64> {
    available_in(Path::new("/"), limit_mib)
}

/// The same on a machine whose files are below `root`.
fn available_in(root: &Path, limit_mib: Option<u64>) -> Option<u64> {
    let own = limit_mib.map(|mib| {
        let taken = kib(root, "proc/self/status", "VmRSS:").unwrap_or(0);
        mib.saturating_mul(1 << 20).saturating_sub(taken)
    });
    let machine = kib(root, "proc/meminfo", "MemAvailable:");
    own.into_iter().chain(machine).chain(in_groups(root)).min()
}

/// A line of a file of the kernel's that counts in kibibytes, in bytes.
fn kib(root: &Path, file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(root.join(file)).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Names of the files of a control group: its limit, what it has taken, and which counter says what of that is files
/// that the kernel drops when memory is short.
struct Names {
    limit: &'static str,
    taken: &'static str,
    droppable: &'static str,
}

const V1: Names = Names {
    limit: "memory.limit_in_bytes",
    taken: "memory.usage_in_bytes",
    droppable: "total_inactive_file ",
};
const V2: Names = Names { limit: "memory.max", taken: "memory.current", droppable: "inactive_file " };

/// What each control group that the process is in, and each above it, has left.
fn in_groups(root: &Path) -> Vec<u64> {
    let text = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mut left = Vec::new();
    for line in text.lines() {
        // Number, controllers, path; version 2 is number 0 without controllers.
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let (mount, names) = match controllers {
            "" => ("sys/fs/cgroup", V2),
            _ if controllers.split(',').any(|name| name == "memory") => ("sys/fs/cgroup/memory", V1),
            _ => continue,
        };
        let mount = root.join(mount);
        // In a container the path may be the host's, of which there is nothing here but the top.
        let group: PathBuf = mount.join(path.trim_start_matches('/'));
        left.extend(group.ancestors().take_while(|dir| dir.starts_with(&mount)).filter_map(|dir| {
            let number = |name: &str| fs::read_to_string(dir.join(name)).ok()?.trim().parse::<u64>().ok();
            // `max` is no number: no limit.
            let (limit, taken) = (number(names.limit)?, number(names.taken)?);
            let counters = fs::read_to_string(dir.join("memory.stat")).unwrap_or_default();
            let droppable =
                counters.lines().find_map(|line| line.strip_prefix(names.droppable)?.parse().ok());
            Some(limit.saturating_sub(taken.saturating_sub(droppable.unwrap_or(0))))
        }));
    }
    left
}
