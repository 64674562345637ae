//! A latency histogram with one writer: log-linear buckets, four to each power of two, so a
//! percentile is off by at most an eighth.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::HistogramSnapshot;

/// Buckets to each power of two.
const SUB_BUCKETS: usize = 4;

/// Powers of two covered: up to 2^32 eighths of a microsecond, which is nine minutes.
const OCTAVES: usize = 32;

/// Number of buckets of a histogram; longer times are counted in the last.
pub const BUCKETS: usize = OCTAVES * SUB_BUCKETS;

/// Nanoseconds in the unit of the smallest bucket: an eighth of a microsecond, so that every whole
/// power of two in microseconds is a bucket border, as `LATENCY HISTOGRAM` needs.
const UNIT_NS: u64 = 125;

/// Counts durations. Only one thread may record; any thread may read.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; BUCKETS] }
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&self, elapsed: Duration) {
        let nanoseconds = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        let bucket = &self.buckets[bucket_of(nanoseconds)];
        // One writer: a load and a store cost a tenth of a locked increment.
        bucket.store(bucket.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// The counts so far.
    pub fn snapshot(&self) -> HistogramSnapshot {
        let counts = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        HistogramSnapshot::new(counts)
    }
}

/// The bucket that counts a duration.
fn bucket_of(nanoseconds: u64) -> usize {
    let units = nanoseconds / UNIT_NS;
    if units < SUB_BUCKETS as u64 {
        return units as usize;
    }
    let exponent = units.ilog2() as usize;
    let sub = (units >> (exponent - 2)) as usize & (SUB_BUCKETS - 1);
    ((exponent - 1) * SUB_BUCKETS + sub).min(BUCKETS - 1)
}

/// The first nanosecond past a bucket.
pub(super) fn bucket_end_ns(bucket: usize) -> u64 {
    if bucket < SUB_BUCKETS {
        return (bucket as u64 + 1) * UNIT_NS;
    }
    let exponent = bucket / SUB_BUCKETS + 1;
    let sub = (bucket % SUB_BUCKETS) as u64;
    ((SUB_BUCKETS as u64 + sub + 1) << (exponent - 2)) * UNIT_NS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_lies_inside_its_bucket() {
        for nanoseconds in (0..2000).chain((0..38).map(|power| (1 << power) + 7)) {
            let bucket = bucket_of(nanoseconds);
            assert!(nanoseconds < bucket_end_ns(bucket), "{nanoseconds} is past {bucket}");
            assert!(bucket == 0 || nanoseconds >= bucket_end_ns(bucket - 1), "{nanoseconds}");
        }
    }

    #[test]
    fn powers_of_two_in_microseconds_are_bucket_borders() {
        for power in 0..20 {
            let border = 1000 << power;
            assert!((0..BUCKETS).any(|bucket| bucket_end_ns(bucket) == border), "2^{power} us");
        }
    }

    #[test]
    fn the_longest_duration_is_counted_in_the_last_bucket() {
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }
}
