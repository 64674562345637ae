//! The sum of all threads' counters at one moment.

use std::collections::BTreeMap;
use std::time::Duration;

use super::histogram::bucket_end_ns;
use super::stat::Stat;

/// Counters of the whole process.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// By command number, as given to `Metrics::new`.
    pub commands: Vec<CommandSnapshot>,
    /// By [`Stat`].
    pub stats: [u64; Stat::COUNT],
    /// Error replies by code.
    pub errors: BTreeMap<String, u64>,
}

/// Counters of one command.
#[derive(Debug, Clone, Default)]
pub struct CommandSnapshot {
    /// Runs, failed ones included.
    pub calls: u64,
    /// Runs that answered an error.
    pub failed: u64,
    /// Refused before they ran: arity, AUTH, MULTI, OOM.
    pub rejected: u64,
    /// Time spent running, nanoseconds.
    pub busy_ns: u64,
    /// Durations of the runs.
    pub latency: HistogramSnapshot,
}

/// Counts of durations in buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistogramSnapshot {
    counts: Vec<u64>,
}

impl Snapshot {
    /// One process-wide counter.
    pub const fn stat(&self, stat: Stat) -> u64 {
        self.stats[stat as usize]
    }

    /// All commands run.
    pub fn calls(&self) -> u64 {
        self.commands.iter().map(|command| command.calls).sum()
    }

    /// Error replies of every kind.
    pub fn error_replies(&self) -> u64 {
        self.errors.values().sum()
    }

    /// What was counted since `earlier`.
    #[must_use]
    pub fn since(mut self, earlier: &Self) -> Self {
        for (now, then) in self.commands.iter_mut().zip(&earlier.commands) {
            now.subtract(then);
        }
        for (now, then) in self.stats.iter_mut().zip(&earlier.stats) {
            *now = now.saturating_sub(*then);
        }
        for (code, then) in &earlier.errors {
            if let Some(now) = self.errors.get_mut(code) {
                *now = now.saturating_sub(*then);
            }
        }
        self.errors.retain(|_, count| *count > 0);
        self
    }
}

impl CommandSnapshot {
    /// Adds another thread's counters.
    pub(super) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.rejected += other.rejected;
        self.busy_ns += other.busy_ns;
        self.latency.add(&other.latency);
    }

    fn subtract(&mut self, earlier: &Self) {
        self.calls = self.calls.saturating_sub(earlier.calls);
        self.failed = self.failed.saturating_sub(earlier.failed);
        self.rejected = self.rejected.saturating_sub(earlier.rejected);
        self.busy_ns = self.busy_ns.saturating_sub(earlier.busy_ns);
        for (now, then) in self.latency.counts.iter_mut().zip(&earlier.latency.counts) {
            *now = now.saturating_sub(*then);
        }
    }
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

    fn add(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (sum, count) in self.counts.iter_mut().zip(&other.counts) {
            *sum += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Histogram;
    use super::*;

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

    #[test]
    fn since_takes_away_what_was_counted_before() {
        let mut before = Snapshot::default();
        before.stats[Stat::BytesIn as usize] = 5;
        before.errors.insert("ERR".to_owned(), 2);
        let mut now = before.clone();
        now.stats[Stat::BytesIn as usize] = 12;
        let difference = now.since(&before);
        assert_eq!(difference.stat(Stat::BytesIn), 7);
        assert_eq!(difference.error_replies(), 0);
    }
}
