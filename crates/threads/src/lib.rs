//! Which threads share a run's work.
//!
//! rayon's own pool serves the whole process. A run that asks it from outside wakes its threads and waits for them, once
//! per operation; where several runs of a small model ask at once, that costs more than the operations. [`own`] gives the
//! calling thread a pool that it is itself a part of: what runs there in parallel is shared among its threads alone, and
//! with one thread nothing is shared or waited for.

use std::cell::Cell;
use std::num::NonZeroUsize;

use rayon::ThreadPoolBuilder;

thread_local! {
    /// Whether this thread has begun a pool of its own.
    static OWN: Cell<bool> = const { Cell::new(false) };
}

/// `work()`, with what it does in parallel shared among `n` threads, the calling one and `n - 1` others. No result
/// depends on `n`: the pieces of our parallel work do not depend on the number of threads.
///
/// Where the system has no threads left, or the calling thread belongs to a pool already, the work is shared as
/// elsewhere. The calling thread belongs to its pool until it ends, so a thread that lives on should not call this.
pub fn own<R>(n: NonZeroUsize, work: impl FnOnce() -> R) -> R {
    let pool = ThreadPoolBuilder::new().num_threads(n.get()).use_current_thread();
    let pool = pool.thread_name(|i| format!("run-{i}")).build();
    if pool.is_ok() {
        OWN.set(true);
    }
    // The calling thread is a worker of the pool from here on; there is nothing to be installed.
    let result = work();
    drop(pool);
    result
}

/// Whether this thread may wait for another run: it does not belong to a pool that the other one could need.
pub fn may_wait() -> bool {
    OWN.get() || rayon::current_thread_index().is_none()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use rayon::prelude::*;

    use super::*;

    /// The threads that carry out parallel work in a pool of `n`.
    fn threads_of(n: usize) -> (thread::ThreadId, HashSet<thread::ThreadId>, usize) {
        let work = move || {
            let seen = (0..1000)
                .into_par_iter()
                .map(|_| {
                    thread::yield_now();
                    thread::current().id()
                })
                .collect();
            (thread::current().id(), seen, rayon::current_num_threads())
        };
        thread::spawn(move || own(NonZeroUsize::new(n).unwrap(), work)).join().unwrap()
    }

    #[test]
    fn alone_a_thread_does_everything_itself() {
        let (own, seen, n) = threads_of(1);
        assert_eq!((seen, n), (HashSet::from([own]), 1));
    }

    #[test]
    fn others_help_where_there_are_some() {
        let (_, seen, n) = threads_of(3);
        assert!(n == 3 && (1..=3).contains(&seen.len()), "{n} threads, {} at work", seen.len());
    }

    #[test]
    fn one_waits_outside_of_shared_pools_only() {
        assert!(may_wait());
        assert!(!rayon::scope(|_| may_wait()));
        let in_own = thread::spawn(|| own(NonZeroUsize::MIN, may_wait)).join().unwrap();
        assert!(in_own);
        let of_another =
            thread::spawn(|| own(NonZeroUsize::new(2).unwrap(), || rayon::broadcast(|_| may_wait())));
        assert_eq!(of_another.join().unwrap().into_iter().filter(|may| *may).count(), 1);
    }

    #[test]
    fn a_panic_goes_on() {
        let work = || own(NonZeroUsize::MIN, || panic!("as it was"));
        assert!(thread::spawn(work).join().is_err());
    }

    #[test]
    fn a_thread_that_has_a_pool_keeps_it() {
        let twice =
            || own(NonZeroUsize::MIN, || own(NonZeroUsize::new(2).unwrap(), rayon::current_num_threads));
        assert_eq!(thread::spawn(twice).join().unwrap(), 1);
    }
}
