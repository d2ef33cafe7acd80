use super::*;

const MIB: u64 = 1 << 20;

/// A machine of these files.
fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn found(files: &[(&str, &str)], limit_mib: Option<u64>) -> Option<u64> {
    available_in(machine(files).path(), limit_mib)
}

const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:  9000 kB\nMemAvailable:    8192 kB\n");
const STATUS: (&str, &str) = ("proc/self/status", "Name:\tflaglab\nVmRSS:\t    1024 kB\n");

#[test]
fn without_groups_it_is_what_the_machine_has() {
    assert_eq!(found(&[MEMINFO], None), Some(8 * MIB));
    assert_eq!(found(&[], None), None);
    assert_eq!(found(&[("proc/meminfo", "MemAvailable: many")], None), None);
}

#[test]
fn a_limit_of_its_own_counts_what_the_process_has_taken() {
    assert_eq!(found(&[MEMINFO, STATUS], Some(3)), Some(2 * MIB));
    assert_eq!(found(&[MEMINFO, STATUS], Some(100)), Some(8 * MIB));
    assert_eq!(found(&[STATUS], Some(1)), Some(0));
    assert_eq!(found(&[], Some(5)), Some(5 * MIB));
}

/// Files that the kernel drops are not taken; a group above may be the tighter one.
#[test]
fn groups_of_version_2_and_those_above_them() {
    let own = [
        MEMINFO,
        ("proc/self/cgroup", "0::/jobs/one\n"),
        ("sys/fs/cgroup/jobs/one/memory.max", "6291456\n"),
        ("sys/fs/cgroup/jobs/one/memory.current", "4194304\n"),
        ("sys/fs/cgroup/jobs/one/memory.stat", "anon 7\ninactive_file 1048576\nactive_file 9\n"),
    ];
    assert_eq!(found(&own, None), Some(3 * MIB));
    let unlimited = ("sys/fs/cgroup/jobs/memory.max", "max\n");
    let taken = ("sys/fs/cgroup/jobs/memory.current", "4194304\n");
    assert_eq!(found(&[&own[..], &[unlimited, taken]].concat(), None), Some(3 * MIB));
    let tighter = ("sys/fs/cgroup/jobs/memory.max", "5242880\n");
    assert_eq!(found(&[&own[..], &[tighter, taken]].concat(), None), Some(MIB));
    let over = ("sys/fs/cgroup/jobs/memory.max", "1\n");
    assert_eq!(found(&[&own[..], &[over, taken]].concat(), None), Some(0));
}

/// In a container the path is often the host's, and the limit stands at the top.
#[test]
fn groups_of_version_1() {
    let files = [
        MEMINFO,
        ("proc/self/cgroup", "8:pids:/a\n4:cpu,memory:/docker/0123\n0::/docker/0123\n"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "4194304\n"),
        ("sys/fs/cgroup/memory/memory.usage_in_bytes", "3145728\n"),
        ("sys/fs/cgroup/memory/memory.stat", "inactive_file 5\ntotal_inactive_file 1048576\n"),
    ];
    assert_eq!(found(&files, None), Some(2 * MIB));
    let unlimited = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_eq!(found(&[&files[..2], &[unlimited, files[3]]].concat(), None), Some(8 * MIB));
}

#[test]
fn half_of_it_is_for_caches() {
    let all = available(Some(64));
    assert!(all.is_none_or(|bytes| bytes <= 64 * MIB), "{all:?}");
    assert!(cache_bytes(Some(64)) <= 32 * MIB || all.is_none());
    assert_eq!(cache_bytes(Some(0)), 0);
}
