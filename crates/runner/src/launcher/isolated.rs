//! `isolated`: each arm in a process of its own, so that an abort or an out-of-memory kill takes nothing else with it.

use std::collections::HashSet;
use std::fs;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use plugin::{BuildError, Plugin};
use serde_json::Value;
use store::RunState;

use crate::memory;

use super::{Group, LaunchError, Launcher, LauncherKind, Local, Place, Work, Worker};

/// Time between two looks at a process.
const LOOK: Duration = Duration::from_millis(100);

/// Runs each arm in a process of its own.
pub struct Isolated;

impl Plugin<LauncherKind> for Isolated {
    fn name(&self) -> &'static str {
        "isolated"
    }

    fn summary(&self) -> &'static str {
        "Each arm in a process of its own, which an abort, a crash or the memory limit ends alone."
    }

    fn schema(&self) -> Value {
        serde_json::json!({ "type": "object", "properties": {}, "additionalProperties": false })
    }

    fn build(&self, _params: &Value, _context: ()) -> Result<Box<dyn Launcher>, BuildError> {
        Ok(Box::new(Isolated))
    }
}

impl Launcher for Isolated {
    fn place(&self) -> Place {
        Place::ThisMachine
    }

    fn launch(&self, work: &Work<'_>) -> Result<(), LaunchError> {
        let problem = std::sync::Mutex::new(None);
        let share = share(work);
        Local.each(work.groups.len(), work.jobs, &|i| {
            if let Err(error) = group(work, &work.groups[i], share) {
                problem.lock().unwrap_or_else(|e| e.into_inner()).get_or_insert(error);
            }
        });
        problem.into_inner().unwrap_or_else(|e| e.into_inner()).map_or(Ok(()), Err)
    }
}

/// Mebibytes for each process: an equal share of what there is now for all that run at once, and no more than a run may
/// take.
fn share(work: &Work<'_>) -> Option<u64> {
    let at_once = work.jobs.get().min(work.groups.len()).max(1) as u64;
    let share = memory::available(None).map(|bytes| (bytes >> 20) / at_once);
    let limit = Some(work.memory_limit_mib).filter(|limit| *limit > 0);
    share.into_iter().chain(limit).min()
}

/// Processes one after the other until each run of the group has been tried: what a process takes down when it dies is
/// failed, the rest goes on in the next.
fn group(work: &Work<'_>, group: &Group, memory_mib: Option<u64>) -> Result<(), LaunchError> {
    let mut tried: HashSet<&str> = HashSet::new();
    while (work.may_start)() {
        let mut left = Vec::new();
        for run in group.runs.iter().filter(|run| !tried.contains(run.as_str())) {
            match (work.state)(run)? {
                RunState::Planned | RunState::Interrupted | RunState::Skipped { .. } => left.push(run),
                RunState::Running { .. } | RunState::Completed | RunState::Failed { .. } => {}
            }
        }
        if work.one_by_one {
            left.truncate(1);
        }
        if left.is_empty() {
            break;
        }
        let runs: Vec<String> = left.iter().map(|run| (*run).clone()).collect();
        let mut command = work.worker.command(&runs);
        // A signal of the terminal is for us, who tell the processes once.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        // It ends when its input does: when we are dead, however we died.
        command.arg(Worker::ATTACHED).stdin(Stdio::piped());
        if let Some(mib) = memory_mib {
            command.args([Worker::MEMORY, &mib.to_string()]);
        }
        let mut child = command
            .spawn()
            .map_err(|e| LaunchError(format!("cannot start {}: {e}", work.worker.program.display())))?;
        let pid = child.id();
        (work.began)(pid);
        match watch(work, &mut child)? {
            End::Exit(2) => {
                return Err(LaunchError(format!("{}: the process found the input wrong", group.arm)));
            }
            End::Exit(_) => {
                for run in left {
                    // A look tells whoever asks `may_start` of failures.
                    (work.state)(run)?;
                    tried.insert(run);
                }
            }
            End::Died(_) if (work.stopped)() => break,
            End::Died(how) => {
                // What it worked on when it died; before it began anything, what it would have begun with.
                let mut struck = Vec::new();
                for run in &left {
                    // Without locks its lease lives on for a while.
                    let open = matches!((work.state)(run)?, RunState::Interrupted | RunState::Running { .. });
                    if open && (work.process)(run)?.is_some_and(|process| process.pid == pid) {
                        struck.push(*run);
                    }
                }
                if struck.is_empty() {
                    struck.push(left[0]);
                }
                for run in struck {
                    (work.fail)(run, &how)?;
                    tried.insert(run);
                }
            }
        }
    }
    Ok(())
}

/// How a process ended.
enum End {
    /// By itself, with this code.
    Exit(i32),
    /// In words.
    Died(String),
}

/// Waits for the end of a process, hands it the stop that was asked for, and ends it where it takes too much memory.
fn watch(work: &Work<'_>, child: &mut Child) -> Result<End, LaunchError> {
    let lost = |e: std::io::Error| LaunchError(format!("lost sight of a process: {e}"));
    let (mut told, mut over) = (false, None);
    let status = loop {
        if let Some(status) = child.try_wait().map_err(lost)? {
            break status;
        }
        if (work.stopped)() && !told {
            told = true;
            ask_to_end(child);
        }
        let limit = work.memory_limit_mib;
        let taken = if limit > 0 { memory_mib(child.id()) } else { None };
        if let Some(taken) = taken.filter(|taken| *taken > limit && over.is_none()) {
            over = Some(taken);
            child.kill().map_err(lost)?;
        }
        std::thread::sleep(LOOK);
    };
    let died = match over {
        Some(taken) => {
            format!("took {taken} MiB of memory, more than run.memory_limit_mib = {}", work.memory_limit_mib)
        }
        None => match status.code() {
            Some(code @ 0..=2) => return Ok(End::Exit(code)),
            _ => died(status),
        },
    };
    Ok(End::Died(died))
}

/// `its process was ended by signal 9 (SIGKILL; the system does that where memory is short)`.
fn died(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let name = match signal {
            4 => " (SIGILL)",
            6 => " (SIGABRT)",
            7 => " (SIGBUS)",
            8 => " (SIGFPE)",
            9 => " (SIGKILL; the system does that where memory is short)",
            11 => " (SIGSEGV)",
            15 => " (SIGTERM)",
            _ => "",
        };
        return format!("its process was ended by signal {signal}{name}");
    }
    format!("its process ended with {status}")
}

/// Asks for an end with a point saved.
fn ask_to_end(child: &mut Child) {
    #[cfg(unix)]
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // One that has ended meanwhile needs no signal.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    #[cfg(not(unix))]
    let _ = child.kill();
}

/// Resident memory of a process; `None` where the system does not tell.
fn memory_mib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}
