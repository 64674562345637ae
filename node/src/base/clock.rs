//! The only place that reads clocks. Timeouts use `tokio::time::Instant`, which the simulator
//! controls. Wall time, and whether the machine was suspended, come from a [`Clock`], which the
//! simulator can make wrong.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, Timespec, clock_gettime};

/// A source of time.
pub trait Clock: Send + Sync + 'static {
    /// Microseconds since the Unix epoch. May be wrong, and may step in both directions.
    fn unix_us(&self) -> u64;

    /// Microseconds since the machine started, including the time for which it was suspended
    /// (`CLOCK_BOOTTIME`). Never goes back.
    fn boot_us(&self) -> u64;

    /// Microseconds since the machine started, without the time for which it was suspended
    /// (`CLOCK_MONOTONIC`, the clock of every `Instant`). Never goes back.
    fn awake_us(&self) -> u64;

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

    fn boot_us(&self) -> u64 {
        microseconds(clock_gettime(ClockId::Boottime))
    }

    fn awake_us(&self) -> u64 {
        microseconds(clock_gettime(ClockId::Monotonic))
    }
}

const fn microseconds(time: Timespec) -> u64 {
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000
}
