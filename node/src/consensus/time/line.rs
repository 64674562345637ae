//! A time that runs with the boot clock.

use std::sync::atomic::{AtomicI64, Ordering};

/// What a line that is ahead gives up of the time that passes: it runs at seven eighths of its rate
/// until it is right, so that time neither runs backwards nor stands still.
const SLEW_SHARE: i64 = 8;

const NONE: i64 = i64::MIN;

/// `boot clock + offset`, microseconds, or nothing.
#[derive(Debug)]
pub(super) struct Line(AtomicI64);

impl Default for Line {
    fn default() -> Self {
        Self(AtomicI64::new(NONE))
    }
}

impl Line {
    /// The offset of the line that is at `time_us` when the boot clock is at `boot_us`.
    pub(super) fn through(time_us: u64, boot_us: u64) -> i64 {
        let limited = i64::try_from(time_us).unwrap_or(i64::MAX);
        limited.saturating_sub(i64::try_from(boot_us).unwrap_or(i64::MAX))
    }

    pub(super) fn offset(&self) -> Option<i64> {
        let offset = self.0.load(Ordering::Acquire);
        (offset != NONE).then_some(offset)
    }

    pub(super) fn set(&self, offset: Option<i64>) {
        self.0.store(offset.unwrap_or(NONE), Ordering::Release);
    }

    /// The time of the line at this time of the boot clock, microseconds.
    pub(super) fn at(&self, boot_us: u64) -> Option<u64> {
        let offset = self.offset()?;
        Some(boot_us.saturating_add_signed(offset))
    }
}

/// `offset` after `elapsed_us` in which it was to come to `goal`: up at once, down slowly.
pub(super) fn slewed(offset: i64, goal: i64, elapsed_us: u64) -> i64 {
    let step = i64::try_from(elapsed_us).unwrap_or(i64::MAX) / SLEW_SHARE;
    goal.max(offset.saturating_sub(step))
}
