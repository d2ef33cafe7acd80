//! Turns a panic of one run into a reason, with its place in the code, and keeps its text off the terminal.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Place of the last panic, while a run is at work on this thread.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
    static WATCHED: RefCell<bool> = const { RefCell::new(false) };
}

/// `work()`, or the message and place of its panic.
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    install_hook();
    WATCHED.set(true);
    PLACE.take();
    // The run's state is thrown away after a panic; what it shares guards itself with poisoned locks.
    let outcome = catch_unwind(AssertUnwindSafe(work));
    WATCHED.set(false);
    outcome.map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        let text = text.unwrap_or_else(|| "no message".to_owned());
        match PLACE.take() {
            Some(place) => format!("panicked at {place}: {text}"),
            None => format!("panicked: {text}"),
        }
    })
}

/// Once per process: panics on threads that [`catch`] watches are noted instead of printed, also those of rayon's
/// threads, which rayon hands on to the thread that waits for them.
fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            let in_pool = rayon::current_thread_index().is_some();
            if WATCHED.with_borrow(|w| *w) {
                let place = info.location().map(|l| format!("{}:{}", l.file(), l.line()));
                PLACE.set(place);
            } else if !in_pool {
                default(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_reason_with_its_place() {
        let reason = catch(|| -> u8 { panic!("no bars left, {} wanted", 3) }).unwrap_err();
        assert!(reason.contains("panics.rs:") && reason.ends_with("no bars left, 3 wanted"), "{reason}");
        assert_eq!(catch(|| 7), Ok(7));
    }

    #[test]
    fn a_panic_of_the_thread_pool_is_caught_too() {
        let reason = catch(|| rayon::join(|| 1, || -> u8 { panic!("in the pool") })).unwrap_err();
        assert!(reason.ends_with("in the pool"), "{reason}");
    }
}
