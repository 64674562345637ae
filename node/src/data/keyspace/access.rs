//! The access stamp of an object: when, or how often, its key was used. It is local to a node.

/// The meaning of stamps. After a change of the rule, old stamps are meaningless and adapt with
/// use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessRule {
    /// The Unix second of the last use; 0 when not used since the node started.
    Recency,
    /// Redis's LFU: 16 bits of Unix minutes of the last use, then an 8-bit logarithmic counter.
    Frequency {
        /// A higher factor means more uses until the counter is at its maximum.
        log_factor: u64,
        /// Minutes without use that decrement the counter; 0 for never.
        decay_minutes: u64,
    },
}

/// The counter of a new key, so that it is not evicted first.
const NEW_COUNT: u8 = 5;

impl AccessRule {
    /// The stamp of a new key.
    pub const fn new_stamp(self, now_ms: u64) -> u32 {
        match self {
            Self::Recency => seconds(now_ms),
            Self::Frequency { .. } => pack(now_ms, NEW_COUNT),
        }
    }

    /// The stamp of a key last used some seconds ago (`RESTORE IDLETIME`), under
    /// [`AccessRule::Recency`].
    pub fn idle_stamp(self, now_ms: u64, idle_seconds: u64) -> Option<u32> {
        let idle = u32::try_from(idle_seconds).unwrap_or(u32::MAX);
        (self == Self::Recency).then(|| seconds(now_ms).saturating_sub(idle).max(1))
    }

    /// The stamp of a key with this counter (`RESTORE FREQ`), under [`AccessRule::Frequency`].
    pub fn frequency_stamp(self, now_ms: u64, count: u8) -> Option<u32> {
        (self != Self::Recency).then(|| pack(now_ms, count))
    }

    /// The stamp after a use; `draw` is random in 0.0 ..= 1.0 and called at most once.
    pub(super) fn used(self, stamp: u32, now_ms: u64, draw: impl FnOnce() -> f64) -> u32 {
        let Self::Frequency { log_factor, decay_minutes } = self else { return seconds(now_ms) };
        let count = decayed(stamp, now_ms, decay_minutes);
        let above_new = f64::from(count.saturating_sub(NEW_COUNT));
        let grows = count < u8::MAX && draw() < 1.0 / above_new.mul_add(log_factor as f64, 1.0);
        pack(now_ms, count + u8::from(grows))
    }
}

/// The Unix second, as a stamp of [`AccessRule::Recency`] keeps it.
pub(super) const fn seconds(now_ms: u64) -> u32 {
    (now_ms / 1000) as u32
}

const fn minutes(now_ms: u64) -> u16 {
    (now_ms / 60_000) as u16
}

const fn pack(now_ms: u64, count: u8) -> u32 {
    ((minutes(now_ms) as u32) << 8) | count as u32
}

/// The counter of a stamp of [`AccessRule::Frequency`] as of now.
pub(super) fn decayed(stamp: u32, now_ms: u64, decay_minutes: u64) -> u8 {
    let [_, high, low, count] = stamp.to_be_bytes();
    // The minutes wrap around every 45 days, as in Redis.
    let elapsed = minutes(now_ms).wrapping_sub(u16::from_be_bytes([high, low]));
    let periods = u64::from(elapsed).checked_div(decay_minutes).unwrap_or(0);
    count.saturating_sub(u8::try_from(periods).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    const NOW_MS: u64 = 1_700_000_000_000;

    #[test]
    fn recency_is_the_second_of_the_last_use() {
        let stamp = AccessRule::Recency.new_stamp(NOW_MS);
        assert_eq!(AccessRule::Recency.used(stamp, NOW_MS + 2500, || 0.0), stamp + 2);
    }

    #[test]
    fn the_counter_grows_slower_the_higher_it_is_and_stops_at_the_top() {
        let count_after = |log_factor, uses| {
            let rule = AccessRule::Frequency { log_factor, decay_minutes: 1 };
            let mut random = Random::new(7);
            let start = rule.new_stamp(NOW_MS);
            (0..uses).fold(start, |stamp, _| rule.used(stamp, NOW_MS, || random.fraction())) & 0xFF
        };
        assert_eq!(count_after(0, 1000), 255);
        assert!((8..=14).contains(&count_after(10, 100)), "{}", count_after(10, 100));
        assert!((12..=26).contains(&count_after(10, 1000)), "{}", count_after(10, 1000));
    }

    #[test]
    fn a_count_is_lost_for_every_period_without_use() {
        let stamp = pack(NOW_MS, 9);
        let check = |later_minutes: u64, decay, expected| {
            assert_eq!(decayed(stamp, NOW_MS + later_minutes * 60_000, decay), expected);
        };
        check(0, 1, 9);
        check(3, 1, 6);
        check(3, 2, 8);
        check(3, 0, 9);
        check(1000, 1, 0);
    }
}
