//! Checks side by side in two lanes, and the table of their seconds.

use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::{Check, Lane, Outcome};
use crate::{flaglab, workspace};

/// Our own argument by which a check is started in a process of its own: `ci --part NAME`.
pub const PART: &str = "--part";
/// The check that builds what the others start.
const BUILDS: &str = "tests";
/// Names a file that appears when packages of the system are installed, by whoever installs them meanwhile.
const SETUP: &str = "XTASK_SETUP";
/// For what the system's package manager fetches.
const PATIENCE: Duration = Duration::from_secs(1200);
/// Exit of a part that was skipped; 0 and 1 are those of checks that passed and failed.
const SKIPPED: u8 = 3;

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Passed,
    Failed,
    Skipped,
}

/// A check that has ended.
struct Ended {
    name: &'static str,
    end: End,
    seconds: f64,
}

/// Something that happens once.
struct Event {
    has_happened: Mutex<bool>,
    changed: Condvar,
}

/// Whether cargo has nothing to do for them.
static ALL_IS_BUILT: AtomicBool = AtomicBool::new(false);
/// What the checks beside start is compiled, or never will be.
static BUILT: Event = Event::new();
/// What checks need of the system and of Python is there.
static FETCHED: Event = Event::new();

impl Event {
    const fn new() -> Self {
        Self { has_happened: Mutex::new(false), changed: Condvar::new() }
    }

    fn happens(&self) {
        *locked(&self.has_happened) = true;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let mut has_happened = locked(&self.has_happened);
        while !*has_happened {
            has_happened = self.changed.wait(has_happened).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets the checks begin that start what has been compiled.
pub fn is_built() {
    ALL_IS_BUILT.store(true, Ordering::Relaxed);
    BUILT.happens();
}

/// Runs `checks`, prints the seconds of each and how many passed; exit 1 when one failed.
pub fn run(checks: &[&'static Check]) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let (cargo, beside): (Vec<&Check>, Vec<&Check>) =
        checks.iter().partition(|check| check.lane == Lane::Cargo);
    let ended = if cargo.is_empty() {
        fetch(checks);
        beside.into_iter().map(here).collect()
    } else {
        in_lanes(checks, &cargo, beside)
    };
    print!("{}", table(&ended, start.elapsed().as_secs_f64()));
    let count = |end| ended.iter().filter(|ended| ended.end == end).count();
    let failed = count(End::Failed);
    println!("\n{} passed, {failed} failed, {} skipped", count(End::Passed), count(End::Skipped));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `cargo` in this process, `beside` in processes of their own, by a second thread and, in the end, by both.
fn in_lanes(checks: &[&'static Check], cargo: &[&'static Check], beside: Vec<&'static Check>) -> Vec<Ended> {
    let queue = Queue::new(beside);
    let ended = Mutex::new(Vec::new());
    // Nothing is printed into the output of another check.
    let unprinted = Mutex::new(Vec::new());
    let take_from_queue = |print_now: bool| {
        while let Some(check) = queue.next() {
            let (end, text) = in_process(check);
            locked(&ended).push(end);
            queue.done(check);
            locked(&unprinted).push(text);
            if print_now {
                print(&unprinted);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            fetch(checks);
            FETCHED.happens();
            BUILT.wait();
            take_from_queue(false);
        });
        // Up to the one that builds, checks need what is fetched meanwhile as little as it does.
        let alone = cargo.iter().position(|check| check.name == BUILDS).map_or(0, |at| at + 1);
        for (i, check) in cargo.iter().enumerate() {
            if i == alone {
                // Also when nothing could be built: what needs it fails by itself.
                BUILT.happens();
                FETCHED.wait();
            }
            let end = here(check);
            locked(&ended).push(end);
            print(&unprinted);
        }
        BUILT.happens();
        take_from_queue(true);
    });
    print(&unprinted);
    ended.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn print(texts: &Mutex<Vec<Vec<u8>>>) {
    let texts = std::mem::take(&mut *locked(texts));
    let mut stdout = std::io::stdout().lock();
    for text in texts {
        let _ = stdout.write_all(&text);
    }
    let _ = stdout.flush();
}

/// Checks that wait for a lane.
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

struct Waiting {
    checks: Vec<&'static Check>,
    running: Vec<&'static str>,
}

impl Queue {
    fn new(checks: Vec<&'static Check>) -> Self {
        Self { waiting: Mutex::new(Waiting { checks, running: Vec::new() }), changed: Condvar::new() }
    }

    /// The next check that waits for no other, as soon as there is one; `None` when all have begun.
    fn next(&self) -> Option<&'static Check> {
        let mut waiting = locked(&self.waiting);
        loop {
            if waiting.checks.is_empty() {
                return None;
            }
            if let Some(check) = waiting.take() {
                return Some(check);
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self, check: &Check) {
        locked(&self.waiting).running.retain(|name| *name != check.name);
        self.changed.notify_all();
    }
}

impl Waiting {
    fn take(&mut self) -> Option<&'static Check> {
        let is_open =
            |name: &&str| self.running.contains(name) || self.checks.iter().any(|check| check.name == *name);
        let at = self.checks.iter().position(|check| !check.after.iter().any(is_open))?;
        let check = self.checks.remove(at);
        self.running.push(check.name);
        Some(check)
    }
}

/// What the checks need of Python, fetched while cargo compiles; what fails here fails its check, with the reason.
fn fetch(checks: &[&Check]) {
    if let Some(file) = std::env::var_os(SETUP) {
        let deadline = Instant::now() + PATIENCE;
        while fs::metadata(&file).is_err() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    for packages in checks.iter().flat_map(|check| check.needs) {
        let _ = packages.interpreter();
    }
}

/// A check in this process, printed as it goes.
fn here(check: &Check) -> Ended {
    let Check { name, title, run, .. } = *check;
    println!("\n== {title}");
    let start = Instant::now();
    let outcome = run();
    let seconds = start.elapsed().as_secs_f64();
    let end = match outcome {
        Ok(Outcome::Passed) => {
            println!("== {title}: passed in {seconds:.1} s");
            End::Passed
        }
        Ok(Outcome::Skipped(reason)) => {
            println!("== {title}: skipped, {reason}");
            End::Skipped
        }
        Err(error) => {
            println!("== {title}: FAILED in {seconds:.1} s: {error:#}");
            End::Failed
        }
    };
    Ended { name, end, seconds }
}

/// A check in a process of its own, and what it printed.
fn in_process(check: &Check) -> (Ended, Vec<u8>) {
    let start = Instant::now();
    let (end, text) = part_output(check).unwrap_or_else(|error| {
        (End::Failed, format!("\n== {}: FAILED: {error:#}\n", check.title).into_bytes())
    });
    (Ended { name: check.name, end, seconds: start.elapsed().as_secs_f64() }, text)
}

fn part_output(check: &Check) -> anyhow::Result<(End, Vec<u8>)> {
    let folder = workspace::target()?.join("ci/output");
    fs::create_dir_all(&folder)?;
    let path = folder.join(check.name);
    let file = File::create(&path)?;
    let mut part = Command::new(std::env::current_exe()?);
    if ALL_IS_BUILT.load(Ordering::Relaxed) {
        part.env(flaglab::IS_BUILT, "1");
    }
    let status = part
        .args(["ci", PART, check.name])
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .context("cannot start a part")?;
    let end = match status.code() {
        Some(0) => End::Passed,
        Some(code) if code == i32::from(SKIPPED) => End::Skipped,
        _ => End::Failed,
    };
    Ok((end, fs::read(path)?))
}

/// `ci --part NAME`: one check, without the table.
pub fn part(check: &'static Check) -> anyhow::Result<ExitCode> {
    Ok(match here(check).end {
        End::Passed => ExitCode::SUCCESS,
        End::Failed => ExitCode::FAILURE,
        End::Skipped => ExitCode::from(SKIPPED),
    })
}

/// The seconds of each check, the longest first, and those of all by the clock.
fn table(ended: &[Ended], total: f64) -> String {
    let mut ended: Vec<&Ended> = ended.iter().collect();
    ended.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let mut text = "\n   seconds  check\n".to_owned();
    for Ended { name, end, seconds } in ended {
        let said = match end {
            End::Passed => "",
            End::Failed => "  FAILED",
            End::Skipped => "  skipped",
        };
        text += &format!("{seconds:10.1}  {name}{said}\n");
    }
    text + &format!("{total:10.1}  all by the clock, some side by side\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn passes(name: &'static str) -> Check {
        super::super::check(name, name, || Ok(Outcome::Passed)).beside()
    }

    static SWEEP: Check = passes("sweep");
    static REPORTS: Check = passes("reports").after(&["sweep"]);
    static OTHER: Check = passes("other");

    #[test]
    fn a_check_waits_for_those_whose_results_it_reads() {
        let queue = Queue::new(vec![&REPORTS, &SWEEP, &OTHER]);
        let next = || queue.next().map(|check| check.name);
        assert_eq!(next(), Some("sweep"));
        assert_eq!(next(), Some("other"), "the sweep is still running");
        queue.done(&SWEEP);
        assert_eq!(next(), Some("reports"));
        assert_eq!(next(), None);
    }

    #[test]
    fn a_check_without_those_whose_results_it_reads_begins() {
        let queue = Queue::new(vec![&REPORTS]);
        assert_eq!(queue.next().map(|check| check.name), Some("reports"));
    }

    #[test]
    fn the_table_begins_with_the_longest_and_ends_with_the_clock() {
        let ended = |name, end, seconds| Ended { name, end, seconds };
        let ended =
            [ended("a", End::Passed, 1.0), ended("b", End::Failed, 20.0), ended("c", End::Skipped, 0.0)];
        assert_eq!(
            table(&ended, 20.5),
            "\n   seconds  check\n      20.0  b  FAILED\n       1.0  a\n       0.0  c  skipped\n      \
             20.5  all by the clock, some side by side\n"
        );
    }
}
