//! Whether the machine was paused. A lease is measured by `CLOCK_MONOTONIC`, which stands still
//! while a machine is suspended, and while a virtual machine is saved, moved or stopped by its
//! host.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::base::clock::Clock;
use crate::base::seeded::{Bug, seeded};

/// Suspensions below this are within what the lease leaves for clocks of different rates.
const SUSPENDED_US_MAX: u64 = 10_000;

/// A step of the wall clock ahead by more than this may be a host that tells a virtual machine,
/// after it was paused, what time it is; it may also be a correction of a wrong clock, and then
/// some reads wait in vain for a majority.
const WALL_STEP_US_MAX: i64 = 100_000;

/// Between two clocks that are read together a thread may lose its processor.
const READINGS: usize = 4;

/// Compares the clocks of the machine. See the module.
pub(super) struct Pauses {
    clock: Arc<dyn Clock>,
    /// For how long the machine was suspended, as far as it was noticed.
    suspended_us: AtomicU64,
    /// How far the wall clock was ahead of the boot clock when they were last compared.
    wall_offset_us: AtomicI64,
}

/// What was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    /// The boot clock went on while the monotonic clock stood still.
    Suspended(Duration),
    /// The wall clock stepped ahead of both.
    WallStepped(Duration),
}

/// Both are at most too large, by the time for which the thread did not run between two clocks.
struct Reading {
    suspended_us: u64,
    wall_offset_us: i64,
}

impl Pauses {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let now = read(&*clock);
        let suspended_us = AtomicU64::new(now.suspended_us);
        let wall_offset_us = AtomicI64::new(now.wall_offset_us);
        Self { clock, suspended_us, wall_offset_us }
    }

    /// Whether there may have been a pause that nothing has noticed. Three readings of clocks, no
    /// system call.
    pub(super) fn may_have_been(&self) -> bool {
        !seeded(Bug::SuspensionUnnoticed) && self.pause(&read(&*self.clock)).is_some()
    }

    /// The pause since the last call. Calls must not overlap.
    pub(super) fn notice(&self) -> Option<Pause> {
        let readings: [Reading; READINGS] = std::array::from_fn(|_| read(&*self.clock));
        let suspended_us = readings.iter().map(|reading| reading.suspended_us).min().unwrap_or(0);
        let wall_offset_us =
            readings.iter().map(|reading| reading.wall_offset_us).min().unwrap_or(0);
        let pause = self.pause(&Reading { suspended_us, wall_offset_us });
        self.suspended_us.store(suspended_us, Ordering::Release);
        self.wall_offset_us.store(wall_offset_us, Ordering::Release);
        pause.filter(|_| !seeded(Bug::SuspensionUnnoticed))
    }

    fn pause(&self, now: &Reading) -> Option<Pause> {
        let suspended_us =
            now.suspended_us.saturating_sub(self.suspended_us.load(Ordering::Acquire));
        if suspended_us > SUSPENDED_US_MAX {
            return Some(Pause::Suspended(Duration::from_micros(suspended_us)));
        }
        let stepped_us =
            now.wall_offset_us.saturating_sub(self.wall_offset_us.load(Ordering::Acquire));
        (stepped_us > WALL_STEP_US_MAX)
            .then(|| Pause::WallStepped(Duration::from_micros(stepped_us.unsigned_abs())))
    }
}

impl std::fmt::Debug for Pauses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pauses").field("suspended_us", &self.suspended_us).finish_non_exhaustive()
    }
}

/// In this order: a pause between two clocks makes the differences larger, never smaller.
fn read(clock: &dyn Clock) -> Reading {
    let awake_us = clock.awake_us();
    let boot_us = clock.boot_us();
    let unix_us = clock.unix_us();
    let signed = |us: u64| i64::try_from(us).unwrap_or(i64::MAX);
    Reading {
        suspended_us: boot_us.saturating_sub(awake_us),
        wall_offset_us: signed(unix_us).saturating_sub(signed(boot_us)),
    }
}
