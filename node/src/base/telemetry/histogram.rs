//! A latency histogram with one writer: log-linear buckets, four to each power of two, so a
//! percentile is off by at most an eighth.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets per power of two.
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

/// Counts of durations in buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistogramSnapshot {
    counts: Vec<u64>,
}

impl HistogramSnapshot {
    /// From the counts of all buckets.
    pub const fn new(counts: Vec<u64>) -> Self {
        Self { counts }
    }

    /// Durations counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The duration below which `percent` of all lie; `None` when nothing was counted.
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        let total = self.count();
        if total == 0 {
            return None;
        }
        let wanted = ((total as f64 * percent / 100.0).ceil() as u64).clamp(1, total);
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(Duration::from_nanos(bucket_end_ns(bucket)))
    }

    /// Running totals at the ends of the buckets that are `limit_us` or shorter.
    pub fn count_below_us(&self, limit_us: u64) -> u64 {
        let limit_ns = limit_us.saturating_mul(1000);
        let ends = (0..self.counts.len()).take_while(|&bucket| bucket_end_ns(bucket) <= limit_ns);
        ends.map(|bucket| self.counts[bucket]).sum()
    }

    /// Non-empty steps of the running total at whole powers of two in microseconds:
    /// `(upper bound us, durations at or below it)`.
    pub fn powers_of_two_us(&self) -> Vec<(u64, u64)> {
        let total = self.count();
        let mut steps = Vec::new();
        let mut reached = 0;
        for power in 0..40 {
            let count = self.count_below_us(1 << power);
            if count > reached {
                steps.push((1 << power, count));
                reached = count;
            }
            if count == total {
                break;
            }
        }
        steps
    }

    pub(super) fn add(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (sum, count) in self.counts.iter_mut().zip(&other.counts) {
            *sum += count;
        }
    }

    pub(super) fn subtract(&mut self, earlier: &Self) {
        for (now, then) in self.counts.iter_mut().zip(&earlier.counts) {
            *now = now.saturating_sub(*then);
        }
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
fn bucket_end_ns(bucket: usize) -> u64 {
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

    fn recorded(microseconds: &[u64]) -> HistogramSnapshot {
        let histogram = Histogram::default();
        for &time in microseconds {
            histogram.record(Duration::from_micros(time));
        }
        histogram.snapshot()
    }

    #[test]
    fn a_percentile_is_the_end_of_the_bucket_it_falls_into() {
        let times: Vec<u64> = (1..=100).collect();
        let p50 = recorded(&times).percentile(50.0).map(|time| time.as_micros());
        assert!(p50.is_some_and(|time| (50..=57).contains(&time)), "{p50:?}");
        assert_eq!(recorded(&[]).percentile(50.0), None);
    }

    #[test]
    fn steps_are_cumulative_and_skip_empty_powers() {
        assert_eq!(recorded(&[0, 3, 3, 100]).powers_of_two_us(), [(1, 1), (4, 3), (128, 4)]);
    }
}
