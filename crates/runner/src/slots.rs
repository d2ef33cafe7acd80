//! How many runs use a device at the same time.

use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, PoisonError};

/// The slots of one device.
#[derive(Debug)]
pub(crate) struct Slots {
    free: Mutex<usize>,
    changed: Condvar,
}

/// A slot that is held.
pub(crate) struct Slot<'a>(&'a Slots);

impl Slots {
    pub fn new(count: NonZeroUsize) -> Self {
        Self { free: Mutex::new(count.get()), changed: Condvar::new() }
    }

    /// Waits for a slot.
    pub fn take(&self) -> Slot<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.changed.wait_while(free, |free| *free == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
        Slot(self)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn never_more_than_there_are_hold_one() {
        let slots = Slots::new(NonZeroUsize::new(3).unwrap());
        let (holding, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| {
                    let _slot = slots.take();
                    most.fetch_max(holding.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(5));
                    holding.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!((holding.into_inner(), most.into_inner()), (0, 3));
    }
}
