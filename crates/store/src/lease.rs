//! Who works on an attempt: a lease, taken and handed on without a server.
//!
//! ```text
//! <run>/lease.3       host, kernel and process of whoever holds the attempt; an operating-system lock lies on it
//! <run>/live.json     its sign of life, replaced a few times per lease; how far it is
//! <run>/lease.end     who published the result; comes into being once
//! ```
//!
//! A lease is a file that is complete and locked before it has its name, which it gets by a hard link: of all who ask
//! for `lease.3` one succeeds, on NFS too. It lives while
//!
//! - its lock is held, which a kernel frees at the holder's death: for those on the same kernel this alone decides;
//! - for others, whose view of locks may be their own: its last sign of life is younger than it says that it may be.
//!
//! Whoever finds it dead takes the next number. A holder that was only asleep sees that at its next look and gives up;
//! what it would still publish is refused, because `lease.end` exists once.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use crate::{Process, StoreError, atomic};

const PREFIX: &str = "lease.";
const END: &str = "lease.end";
const LIVE: &str = "live.json";
/// Signs of life per lease.
const BEATS: u32 = 6;
/// Time between two looks of the thread that gives them.
const TICK: Duration = Duration::from_millis(250);

/// How far a running attempt is, as its last sign of life told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// Environment steps of training so far.
    pub steps: u64,
    /// Steps that training is going to have; absent before it has said so.
    pub total: Option<u64>,
    /// Steps since this process took the attempt up.
    pub steps_here: u64,
    /// Seconds since then.
    pub seconds: f64,
    /// Updates so far.
    pub updates: u64,
    /// Sum of rewards per episode, mean over those that ended in the last rollout in which some did.
    pub episode_return: Option<f64>,
    /// Entropy of the policy in the last update, nats.
    pub entropy: Option<f64>,
}

/// `lease.N`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// N, so that `lease.end` tells whose it was.
    lease: u32,
    host: String,
    /// The running kernel: locks of processes on it can be trusted.
    kernel: String,
    pid: u32,
    /// Seconds without a sign of life after which the lease is over.
    lasts_s: u64,
}

/// What is known of an attempt's latest lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub process: Process,
    pub lives: bool,
}

/// A lease that this process holds.
pub(crate) struct Lease {
    dir: PathBuf,
    note: Note,
    shared: Arc<Shared>,
    _lock: File,
}

/// What the thread that gives signs of life has of a lease.
#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    number: u32,
    every: Duration,
    lost: Lost,
    beat: Mutex<Beat>,
}

#[derive(Debug)]
struct Beat {
    live: Live,
    begun: Instant,
    last: Instant,
}

/// Whether somebody else has taken over what this process worked on.
#[derive(Debug, Clone, Default)]
pub struct Lost(Arc<AtomicBool>);

impl Lost {
    /// True once that is known.
    pub fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Lease {
    /// Takes the next lease of the attempt in the existing folder `dir`; `None` when somebody else holds or takes it.
    pub(crate) fn take(dir: &Path, lasts: Duration) -> Result<Option<Self>, StoreError> {
        let latest = numbers(dir)?.last().copied().unwrap_or(0);
        if latest > 0 && Lives::of(dir, latest, Clock::Shared)?.lives {
            return Ok(None);
        }
        let number = latest + 1;
        let process = Process::this();
        let lasts_s = lasts.as_secs().max(1);
        let note = Note {
            lease: number,
            host: process.host,
            kernel: kernel().to_owned(),
            pid: process.pid,
            lasts_s,
        };
        let path = dir.join(format!("{PREFIX}{number}"));
        let Some(lock) = link_note(&path, &note)? else { return Ok(None) };
        if numbers(dir)?.last().is_some_and(|last| *last > number) {
            // Others have come, and one of them gone, since we looked.
            let _ = fs::remove_file(&path);
            return Ok(None);
        }
        for old in numbers(dir)?.into_iter().filter(|old| *old < number) {
            // Nobody's any more; one that is there still does no harm.
            let _ = fs::remove_file(dir.join(format!("{PREFIX}{old}")));
        }
        let every = Duration::from_secs(lasts_s) / BEATS;
        let now = Instant::now();
        let beat = Mutex::new(Beat { live: Live::default(), begun: now, last: now });
        let shared = Arc::new(Shared { dir: dir.to_owned(), number, every, lost: Lost::default(), beat });
        keep_alive(&shared);
        Ok(Some(Self { dir: dir.to_owned(), note, shared, _lock: lock }))
    }

    /// Number of the lease: no two holders of an attempt have the same.
    pub(crate) fn number(&self) -> u32 {
        self.note.lease
    }

    pub(crate) fn lost(&self) -> Lost {
        self.shared.lost.clone()
    }

    /// Whether it is still ours, looked at now.
    pub(crate) fn is_ours(&self) -> bool {
        self.shared.look()
    }

    /// Changes what the next sign of life tells.
    pub(crate) fn live(&self, change: impl FnOnce(&mut Live)) {
        change(&mut self.shared.beat.lock().unwrap_or_else(PoisonError::into_inner).live);
    }

    /// Decides that this holder's result is the attempt's; false when another's is already, or the lease is lost.
    pub(crate) fn end(&self) -> Result<bool, StoreError> {
        if !self.is_ours() {
            return Ok(false);
        }
        let end = self.dir.join(END);
        match fs::hard_link(self.path(), &end) {
            Ok(()) => Ok(true),
            // It may be ours: a file server repeats what it was asked for when its answer is lost.
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                Ok(read_note(&end)?.is_some_and(|publisher| publisher == self.note))
            }
            // Ours has been taken over in this moment.
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StoreError::Io { path: end, source }),
        }
    }

    /// The file that says whose it is: [`end`](Self::end) gives it a second name, so it has to be on the disk by then.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join(format!("{PREFIX}{}", self.note.lease))
    }

    /// Removes what only a lease in force needs: the attempt has its end.
    pub(crate) fn remove(&self) {
        for path in [self.dir.join(LIVE), self.path()] {
            // What stays of them says nothing beside a manifest with an end.
            let _ = fs::remove_file(path);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // On other kernels a lease ends by its last sign of life; an old one spares them the wait.
        if self.is_ours() {
            let _ = age(&self.path());
            let _ = fs::remove_file(self.dir.join(LIVE));
        }
    }
}

impl Shared {
    fn look(&self) -> bool {
        let file = |number: u32| self.dir.join(format!("{PREFIX}{number}")).try_exists();
        // A server that does not answer takes nothing away.
        let taken = matches!(file(self.number), Ok(false)) || matches!(file(self.number + 1), Ok(true));
        let ours = !self.lost.is_so() && !taken;
        if !ours {
            self.lost.0.store(true, Ordering::Relaxed);
        }
        ours
    }

    /// Gives a sign of life where one is due.
    fn beat(&self) {
        let live = {
            let mut beat = self.beat.lock().unwrap_or_else(PoisonError::into_inner);
            if beat.last.elapsed() < self.every {
                return;
            }
            beat.last = Instant::now();
            Live { seconds: beat.begun.elapsed().as_secs_f64(), ..beat.live.clone() }
        };
        if self.look() {
            // A disk that is full or away for a moment costs a sign, not the run.
            let _ = atomic::replace(&self.dir.join(LIVE), &serde_json::to_vec(&live).unwrap_or_default());
        }
    }
}

/// One thread of the process gives the signs of life of all its leases.
fn keep_alive(lease: &Arc<Shared>) {
    static LEASES: OnceLock<Mutex<Vec<Weak<Shared>>>> = OnceLock::new();
    let mut begun = false;
    let leases = LEASES.get_or_init(|| {
        begun = true;
        Mutex::default()
    });
    leases.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(lease));
    if begun {
        let beat = || loop {
            sleep(TICK);
            let held: Vec<Arc<Shared>> = {
                let mut leases = leases.lock().unwrap_or_else(PoisonError::into_inner);
                leases.retain(|lease| lease.strong_count() > 0);
                leases.iter().filter_map(Weak::upgrade).collect()
            };
            held.iter().for_each(|lease| lease.beat());
        };
        // Without it, other machines take the runs over after a while; here the locks hold all the same.
        let _ = std::thread::Builder::new().name("leases".to_owned()).spawn(beat);
    }
}

/// The holder of the attempt in `dir`, dead or alive; `None` where nobody ever worked on it.
pub(crate) fn holder(dir: &Path) -> Result<Option<Holder>, StoreError> {
    let Some(latest) = numbers(dir)?.last().copied() else { return Ok(None) };
    let lives = Lives::of(dir, latest, Clock::Own)?;
    let unknown = Process { host: "unknown".to_owned(), pid: 0 };
    let process = lives.note.map_or(unknown, |note| Process { host: note.host, pid: note.pid });
    Ok(Some(Holder { process, lives: lives.lives }))
}

/// Takes back that a result was published, of which nothing is there: a loss of power, or of files. For the holder of a
/// lease.
pub(crate) fn unpublish(dir: &Path) -> Result<(), StoreError> {
    let end = dir.join(END);
    match fs::remove_file(&end) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(StoreError::Io { path: end, source }),
        _ => Ok(()),
    }
}

/// The lease whose holder published the attempt's result; `None` where nobody has.
pub(crate) fn publisher(dir: &Path) -> Result<Option<u32>, StoreError> {
    Ok(read_note(&dir.join(END))?.map(|note| note.lease))
}

/// Whether somebody works on the attempt in `dir`, whatever its manifest says.
pub(crate) fn is_held(dir: &Path) -> Result<bool, StoreError> {
    Ok(holder(dir)?.is_some_and(|holder| holder.lives))
}

/// How long ago the latest holder gave a sign of life.
pub(crate) fn sign_age(dir: &Path) -> Option<Duration> {
    let latest = numbers(dir).ok()?.last().copied()?;
    age_of(dir, &dir.join(format!("{PREFIX}{latest}")), Clock::Own).ok()?
}

/// The last sign of life of the attempt in `dir`.
pub(crate) fn live(dir: &Path) -> Option<Live> {
    serde_json::from_slice(&fs::read(dir.join(LIVE)).ok()?).ok()
}

/// Whether a lease lives.
struct Lives {
    note: Option<Note>,
    lives: bool,
}

/// Which clock tells how old a sign of life is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clock {
    /// That of the file system, which also dates the signs: a file is written to ask it.
    Shared,
    /// This machine's. Good enough for a look.
    Own,
}

impl Lives {
    fn of(dir: &Path, number: u32, clock: Clock) -> Result<Self, StoreError> {
        let path = dir.join(format!("{PREFIX}{number}"));
        let note = read_note(&path)?;
        let Some(known) = &note else { return Ok(Self { note, lives: false }) };
        let lives = match is_locked(&path)? {
            Some(locked) if known.kernel == kernel() => locked,
            // Locks may not reach across machines, or outlive one that has died.
            _ => {
                let lasts = Duration::from_secs(known.lasts_s);
                age_of(dir, &path, clock)?.is_some_and(|age| age < lasts)
            }
        };
        Ok(Self { note, lives })
    }
}

/// How long ago the holder of a lease gave a sign of life; `None` when it has gone meanwhile.
fn age_of(dir: &Path, lease: &Path, clock: Clock) -> Result<Option<Duration>, StoreError> {
    let modified = |path: &Path| match fs::metadata(path).and_then(|m| m.modified()) {
        Ok(time) => Ok(Some(time)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io { path: path.to_owned(), source }),
    };
    let Some(sign) = modified(lease)?.max(modified(&dir.join(LIVE))?) else { return Ok(None) };
    let now = match clock {
        Clock::Own => SystemTime::now(),
        Clock::Shared => {
            let mut probe = atomic::begin(&dir.join("clock"))?;
            let path = probe.path().to_owned();
            let time = probe.write_all(b"?").and_then(|()| fs::metadata(&path)?.modified());
            time.map_err(StoreError::io(&path))?
        }
    };
    Ok(Some(now.duration_since(sign).unwrap_or_default()))
}

/// Dates a file back to the beginning of time.
fn age(path: &Path) -> std::io::Result<()> {
    OpenOptions::new().write(true).open(path)?.set_modified(SystemTime::UNIX_EPOCH)
}

/// Whether somebody holds the lock of a file; `None` where the file system has no locks.
fn is_locked(path: &Path) -> Result<Option<bool>, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Some(false)),
        Err(source) => return Err(StoreError::Io { path: path.to_owned(), source }),
    };
    Ok(match file.try_lock_shared() {
        Ok(()) => Some(false),
        Err(TryLockError::WouldBlock) => Some(true),
        Err(TryLockError::Error(_)) => None,
    })
}

/// The file with its lock, under a name that nobody else has given; `None` when somebody has.
fn link_note(path: &Path, note: &Note) -> Result<Option<File>, StoreError> {
    let mut file = atomic::begin(path)?;
    let text = serde_json::to_vec(note).map_err(StoreError::json(path))?;
    file.write_all(&text).map_err(StoreError::io(path))?;
    match file.as_file().try_lock() {
        // A file system without locks: signs of life have to do.
        Ok(()) | Err(TryLockError::Error(_)) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::Invalid {
                path: file.path().to_owned(),
                problem: "somebody has locked a file that was just made".to_owned(),
            });
        }
    }
    match fs::hard_link(file.path(), path) {
        Ok(()) => {}
        Err(e) if e.kind() == ErrorKind::AlreadyExists => return Ok(None),
        Err(source) => return Err(StoreError::Io { path: path.to_owned(), source }),
    }
    // The file lives on under its name; only the temporary one goes.
    let (file, temporary) = file.into_parts();
    drop(temporary);
    Ok(Some(file))
}

/// Numbers of the leases in `dir`, ascending.
fn numbers(dir: &Path) -> Result<Vec<u32>, StoreError> {
    atomic::numbers(dir, PREFIX)
}

fn read_note(path: &Path) -> Result<Option<Note>, StoreError> {
    match fs::read(path) {
        // A name without its bytes, as a machine leaves it that loses its power: whoever wrote it is gone.
        Ok(text) if text.iter().all(|byte| *byte == 0) => Ok(None),
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(StoreError::json(path)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io { path: path.to_owned(), source }),
    }
}

/// What tells one running kernel from every other; a host's name where the system has no such thing.
fn kernel() -> &'static str {
    static KERNEL: OnceLock<String> = OnceLock::new();
    KERNEL.get_or_init(|| {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        boot.map(|id| id.trim().to_owned())
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| Process::this().host)
    })
}
