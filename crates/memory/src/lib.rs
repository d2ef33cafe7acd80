//! The allocator of our programs, and how it treats memory that is free.

#![expect(unsafe_code, reason = "options of the allocator are set through its C interface")]

use std::ffi::c_int;

use libmimalloc_sys::mi_option_set;

/// The allocator: every tensor operation allocates its result; with the system's allocator that took a tenth of the
/// training time.
pub use mimalloc::MiMalloc as Allocator;

/// `mi_option_purge_delay` of mimalloc 2 and 3, which the binding does not name.
const PURGE_DELAY: c_int = 15;

/// Keeps freed memory in the process instead of giving it back to the system after a second.
///
/// Training frees and allocates the same megabytes for every minibatch: pages that went back come again cleared, one
/// fault each. On two cores that was 8 to 10 percent of a layer's forward and backward pass. Its peak of memory rose
/// from 192 to 204 MiB.
///
/// Does nothing for a program that has another global allocator.
pub fn keep_freed() {
    // SAFETY: sets a number under the allocator's own synchronisation.
    unsafe { mi_option_set(PURGE_DELAY, -1) };
}

#[cfg(test)]
mod tests {
    use libmimalloc_sys::mi_option_get;

    use super::*;

    #[test]
    fn the_option_is_the_one_meant() {
        // SAFETY: reads a number.
        let delay = || unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(delay(), 1000, "mimalloc 3 waits for a second");
        keep_freed();
        assert_eq!(delay(), -1);
    }
}
