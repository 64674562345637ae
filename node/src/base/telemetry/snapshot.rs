//! The sum of all threads' counters at one time.

use std::collections::BTreeMap;

use super::histogram::HistogramSnapshot;
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
    /// Runs that returned an error.
    pub failed: u64,
    /// Refused before they ran: arity, AUTH, MULTI, OOM.
    pub rejected: u64,
    /// Time spent running, nanoseconds.
    pub busy_ns: u64,
    /// Durations of the runs.
    pub latency: HistogramSnapshot,
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
        self.latency.subtract(&earlier.latency);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_subtracts_earlier_counts() {
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
