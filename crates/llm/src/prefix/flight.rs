//! A part that somebody is computing, for those who want it too.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::SharedPart;

/// The marker of a computation in progress.
#[derive(Default)]
pub(super) struct Flight {
    /// None while it lasts; then what came of it, none when it failed.
    outcome: Mutex<Option<Option<Arc<SharedPart>>>>,
    ended: Condvar,
}

impl Flight {
    fn outcome(&self) -> MutexGuard<'_, Option<Option<Arc<SharedPart>>>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the end and returns what came of it; none when the computation failed or panicked.
    pub fn wait(&self) -> Option<Arc<SharedPart>> {
        let running = |outcome: &mut Option<_>| outcome.is_none();
        let outcome = self.ended.wait_while(self.outcome(), running).unwrap_or_else(PoisonError::into_inner);
        outcome.clone().flatten()
    }

    /// Ends it, for all who wait. What it ended with first stays.
    pub fn end(&self, part: Option<Arc<SharedPart>>) {
        self.outcome().get_or_insert(part);
        self.ended.notify_all();
    }
}
