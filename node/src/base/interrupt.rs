//! Ending a long read early, when nobody waits for its result any more.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

thread_local! {
    static CURRENT: RefCell<Option<Interrupt>> = const { RefCell::new(None) };
}

/// A request to end a piece of work early. All clones are the same request.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks the work to end.
    pub fn request(&self) {
        self.0.store(true, Relaxed);
    }

    /// Runs `work`, in which [`is_interrupted`] refers to this request.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = CURRENT.replace(Some(self.clone()));
        let done = work();
        CURRENT.set(before);
        done
    }
}

/// Whether the work on this thread should end, because its result will be dropped. Never true where
/// writes are executed, so that every replica computes the same.
pub fn is_interrupted() -> bool {
    CURRENT.with_borrow(|current| current.as_ref().is_some_and(|own| own.0.load(Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_work_that_was_asked_to_end_sees_the_request() {
        let (first, second) = (Interrupt::default(), Interrupt::default());
        first.request();
        assert!(!is_interrupted());
        assert!(first.during(is_interrupted));
        assert!(!second.during(is_interrupted));
        assert!(!is_interrupted());
    }
}
