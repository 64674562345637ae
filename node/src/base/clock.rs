//! The only reader of wall-clock time. Monotonic time is `tokio::time::Instant`, which the
//! simulator controls; wall time comes from a [`Clock`], which the simulator skews.

use std::time::{SystemTime, UNIX_EPOCH};

/// A source of wall-clock time.
pub trait Clock: Send + Sync + 'static {
    /// Microseconds since the Unix epoch.
    fn unix_us(&self) -> u64;

    /// Milliseconds since the Unix epoch.
    fn unix_ms(&self) -> u64 {
        self.unix_us() / 1000
    }

    /// Seconds since the Unix epoch.
    fn unix_s(&self) -> u64 {
        self.unix_us() / 1_000_000
    }
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn unix_us(&self) -> u64 {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
        let now = SystemTime::now();
        now.duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX))
    }
}
