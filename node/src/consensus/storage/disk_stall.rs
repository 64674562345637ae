//! What is known of a disk that does not answer, see `background/stalled_disk.rs`.

use std::sync::atomic::{AtomicBool, Ordering};

/// What is known of the disk.
#[derive(Debug, Default)]
pub(crate) struct DiskStall {
    pub(crate) stalled: AtomicBool,
    pub(crate) gave_up: AtomicBool,
}

impl DiskStall {
    /// Whether this node must not stand for election because of its disk.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Acquire)
    }

    /// Whether this leader has given its leadership up: nothing may enter its log.
    pub(crate) fn gave_up(&self) -> bool {
        self.gave_up.load(Ordering::Acquire)
    }
}
