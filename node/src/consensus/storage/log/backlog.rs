//! What waits for the disk: since when the log thread does, and how many bytes with it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// See the module.
#[derive(Debug)]
pub(super) struct Backlog {
    origin: Instant,
    /// When the write or flush that is under way began, microseconds after `origin`, at least 1; 0
    /// when none is.
    writing_since: AtomicU64,
    /// Bytes of entries that are queued or being written.
    bytes: AtomicU64,
    shrunk: Notify,
}

impl Default for Backlog {
    fn default() -> Self {
        Self {
            origin: Instant::now(),
            writing_since: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            shrunk: Notify::new(),
        }
    }
}

/// The log thread is at the disk until this is dropped.
pub(super) struct Writing<'a>(&'a Backlog);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.writing_since.store(0, Ordering::Release);
    }
}

impl Backlog {
    /// The log thread, which alone calls this, begins to write.
    pub(super) fn begin(&self) -> Writing<'_> {
        let now = u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.writing_since.store(now.max(1), Ordering::Release);
        Writing(self)
    }

    /// For how long the disk has not answered; `None` when nothing waits for it.
    pub(super) fn waits_for(&self) -> Option<Duration> {
        let since = self.writing_since.load(Ordering::Acquire);
        (since != 0).then(|| self.origin.elapsed().saturating_sub(Duration::from_micros(since)))
    }

    /// Bytes of entries that are not durable.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn remove(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.shrunk.notify_waiters();
    }

    /// Returns when fewer than `bytes_max` wait.
    pub(super) async fn below(&self, bytes_max: u64) {
        loop {
            let shrunk = self.shrunk.notified();
            tokio::pin!(shrunk);
            // Registered before looking, so that no change is missed in between.
            shrunk.as_mut().enable();
            if self.bytes() < bytes_max {
                return;
            }
            shrunk.await;
        }
    }
}
