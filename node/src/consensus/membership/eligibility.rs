//! Whether this node's wall clock lets it lead, see `background/wrong_clock.rs`.

use std::sync::atomic::{AtomicBool, Ordering};

/// What is known of this node's clock.
#[derive(Debug, Default)]
pub(crate) struct Eligibility {
    /// Its clock is too far off.
    pub(crate) clock_wrong: AtomicBool,
    /// For that reason it does not stand for election.
    pub(crate) barred: AtomicBool,
}

impl Eligibility {
    pub(crate) fn is_clock_wrong(&self) -> bool {
        self.clock_wrong.load(Ordering::Relaxed)
    }

    pub(crate) fn is_barred(&self) -> bool {
        self.barred.load(Ordering::Relaxed)
    }
}
