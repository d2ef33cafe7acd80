//! `local`: threads of this process.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use plugin::{BuildError, Plugin};
use serde_json::Value;

use super::{LaunchError, Launcher, LauncherKind, Work};

/// Runs on threads of this process.
pub struct Local;

impl Plugin<LauncherKind> for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn summary(&self) -> &'static str {
        "Runs side by side on threads of this process; `run.jobs` says how many."
    }

    fn schema(&self) -> Value {
        serde_json::json!({ "type": "object", "properties": {}, "additionalProperties": false })
    }

    fn build(&self, _params: &Value, _context: ()) -> Result<Box<dyn Launcher>, BuildError> {
        Ok(Box::new(Local))
    }
}

impl Launcher for Local {
    fn launch(&self, work: &Work<'_>) -> Result<(), LaunchError> {
        Local.each(work.groups.len(), work.jobs, work.execute);
        Ok(())
    }
}

impl Local {
    /// Calls `execute(i)` once for each `i` in `0..n`, at most `jobs` at a time, and returns when all have ended.
    ///
    /// Scoped threads and not rayon's pool: matrix products use that one, and a run waiting in it could be given another
    /// whole run to do. Each has its share of the cores to itself.
    pub fn each(&self, n: usize, jobs: NonZeroUsize, execute: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= n {
                    break;
                }
                execute(i);
            }
        };
        let workers = jobs.get().min(n);
        let share = rayon::current_num_threads() / workers.max(1);
        let share = NonZeroUsize::new(share).unwrap_or(NonZeroUsize::MIN);
        std::thread::scope(|scope| {
            for i in 0..workers {
                if !run_thread(scope, || threads::own(share, work)) {
                    // With the threads that there are; without any, here.
                    if i == 0 {
                        work();
                    }
                    break;
                }
            }
        });
    }
}

/// Begins a thread with room for a run; false when the system has none left.
pub(crate) fn run_thread<'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    work: impl FnOnce() + Send + 'scope,
) -> bool {
    let thread = std::thread::Builder::new().name("run".to_owned()).stack_size(16 << 20);
    thread.spawn_scoped(scope, work).is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn every_group_is_executed_once() {
        for jobs in [1, 3, 50] {
            let seen = Mutex::new(Vec::new());
            Local.each(20, NonZeroUsize::new(jobs).unwrap(), &|i| seen.lock().unwrap().push(i));
            let mut seen = seen.into_inner().unwrap();
            seen.sort_unstable();
            assert_eq!(seen, (0..20).collect::<Vec<_>>());
        }
    }
}
