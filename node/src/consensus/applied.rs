//! How far this node has applied the log: read by every I/O thread, written by the apply thread.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// Progress of apply.
#[derive(Debug)]
pub(crate) struct Applied {
    index: AtomicU64,
    time_ms: AtomicU64,
    memory_bytes: AtomicU64,
    maxmemory_bytes: AtomicU64,
    progress: watch::Sender<u64>,
}

impl Applied {
    pub(crate) fn new(index: u64, time_ms: u64) -> Self {
        Self {
            index: AtomicU64::new(index),
            time_ms: AtomicU64::new(time_ms),
            memory_bytes: AtomicU64::new(0),
            maxmemory_bytes: AtomicU64::new(0),
            progress: watch::Sender::new(index),
        }
    }

    /// Index of the last entry whose whole effect is visible.
    pub(crate) fn index(&self) -> u64 {
        self.index.load(Ordering::Acquire)
    }

    /// Time of the last entry, Unix milliseconds.
    pub(crate) fn time_ms(&self) -> u64 {
        self.time_ms.load(Ordering::Acquire)
    }

    /// Before the entry's effects become visible, so that no read sees them with an older time.
    pub(crate) fn advance_time(&self, time_ms: u64) {
        self.time_ms.fetch_max(time_ms, Ordering::AcqRel);
    }

    /// After the entry's effects are visible.
    pub(crate) fn advance(&self, index: u64) {
        self.index.store(index, Ordering::Release);
        self.progress.send_replace(index);
    }

    /// Waits until the entry at `index` is applied.
    pub(crate) async fn wait_for(&self, index: u64) {
        if self.index() >= index {
            return;
        }
        // The sender lives as long as `self`, so the wait ends only with success.
        let _ = self.progress.subscribe().wait_for(|applied| *applied >= index).await;
    }

    /// Sizes as of now, so that admission needs no lock. A maximum of 0 is none.
    pub(crate) fn set_memory(&self, bytes: u64, bytes_max: u64) {
        self.memory_bytes.store(bytes, Ordering::Relaxed);
        self.maxmemory_bytes.store(bytes_max, Ordering::Relaxed);
    }

    /// Approximate bytes of all keys and values.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes.load(Ordering::Relaxed)
    }

    /// Bytes above `maxmemory`; 0 when there is room.
    pub(crate) fn excess_bytes(&self) -> u64 {
        match self.maxmemory_bytes.load(Ordering::Relaxed) {
            0 => 0,
            maximum => self.memory_bytes().saturating_sub(maximum),
        }
    }
}
