//! Counters that cost a few nanoseconds: every thread has its own, a scrape adds them up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;

use super::{CommandSnapshot, Histogram, HistogramSnapshot, Snapshot, Stat};
use crate::base::limits::ERROR_CODES_MAX;

/// How often [`Metrics::sample_forever`] samples, and the number of samples of a rate, as in Redis.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
const SAMPLES: usize = 16;

/// All counters of the process.
#[derive(Debug)]
pub struct Metrics {
    command_names: Vec<String>,
    threads: RwLock<Vec<Arc<ThreadMetrics>>>,
    /// The counts at the last `CONFIG RESETSTAT`; the counters themselves never go back.
    baseline: RwLock<Snapshot>,
    rates: Mutex<Rates>,
}

/// The counters of one thread. Only that thread may change them; any thread may read.
#[derive(Debug)]
pub struct ThreadMetrics {
    commands: Box<[CommandCounters]>,
    stats: [AtomicU64; Stat::COUNT],
    errors: Mutex<BTreeMap<String, u64>>,
}

#[derive(Debug, Default)]
struct CommandCounters {
    calls: AtomicU64,
    failed: AtomicU64,
    rejected: AtomicU64,
    busy_ns: AtomicU64,
    /// Created at the first call: most commands are never called.
    latency: OnceLock<Box<Histogram>>,
}

/// Rates over the last samples.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct CurrentRates {
    /// Commands per second.
    pub commands: f64,
    /// Bytes per second from clients.
    pub bytes_in: f64,
    /// Bytes per second to clients.
    pub bytes_out: f64,
}

#[derive(Debug, Default)]
struct Rates {
    samples: std::collections::VecDeque<(Instant, [u64; 3])>,
}

impl Metrics {
    /// Counters for these commands; a command's number is its index in `command_names` (lower case,
    /// `container|sub`).
    pub fn new(command_names: Vec<String>) -> Arc<Self> {
        Arc::new(Self {
            command_names,
            threads: RwLock::default(),
            baseline: RwLock::default(),
            rates: Mutex::default(),
        })
    }

    /// New counters for the calling thread.
    pub fn thread(&self) -> Arc<ThreadMetrics> {
        let thread = Arc::new(ThreadMetrics::new(self.command_names.len()));
        self.threads.write().push(Arc::clone(&thread));
        thread
    }

    /// The names given to [`Metrics::new`].
    pub fn command_names(&self) -> &[String] {
        &self.command_names
    }

    /// Everything since the process started.
    pub fn total(&self) -> Snapshot {
        let mut sum = Snapshot {
            commands: vec![CommandSnapshot::default(); self.command_names.len()],
            ..Snapshot::default()
        };
        for thread in self.threads.read().iter() {
            thread.add_to(&mut sum);
        }
        sum
    }

    /// Everything since the last [`Metrics::reset`].
    pub fn since_reset(&self) -> Snapshot {
        self.total().since(&self.baseline.read())
    }

    /// `CONFIG RESETSTAT`.
    pub fn reset(&self) {
        *self.baseline.write() = self.total();
        self.rates.lock().samples.clear();
    }

    /// Client connections open now.
    pub fn connections(&self) -> u64 {
        let total = self.stat_total(Stat::ConnectionsReceived);
        total.saturating_sub(self.stat_total(Stat::ConnectionsClosed))
    }

    /// The sum of one counter over all threads.
    pub fn stat_total(&self, stat: Stat) -> u64 {
        self.threads.read().iter().map(|thread| thread.stat(stat)).sum()
    }

    /// Rates over the last one and a half seconds.
    pub fn rates(&self) -> CurrentRates {
        self.rates.lock().current()
    }

    /// Samples rates until dropped; run it once, on any runtime.
    pub async fn sample_forever(self: Arc<Self>) {
        loop {
            tokio::time::sleep(SAMPLE_EVERY).await;
            self.sample(Instant::now());
        }
    }

    fn sample(&self, now: Instant) {
        let calls = self.threads.read().iter().map(|thread| thread.calls()).sum();
        let (bytes_in, bytes_out) =
            (self.stat_total(Stat::BytesIn), self.stat_total(Stat::BytesOut));
        self.rates.lock().push(now, [calls, bytes_in, bytes_out]);
    }
}

impl ThreadMetrics {
    fn new(commands: usize) -> Self {
        Self {
            commands: (0..commands).map(|_| CommandCounters::default()).collect(),
            stats: [const { AtomicU64::new(0) }; Stat::COUNT],
            errors: Mutex::default(),
        }
    }

    /// A command ran; `failed` when its reply is an error (count that with
    /// [`ThreadMetrics::error`] too).
    pub fn called(&self, command: usize, elapsed: Duration, failed: bool) {
        let Some(counters) = self.commands.get(command) else { return };
        add(&counters.calls, 1);
        add(&counters.busy_ns, u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
        if failed {
            add(&counters.failed, 1);
        }
        counters.latency.get_or_init(Box::default).record(elapsed);
    }

    /// A command was refused before it ran.
    pub fn rejected(&self, command: usize) {
        if let Some(counters) = self.commands.get(command) {
            add(&counters.rejected, 1);
        }
    }

    /// Counts an error reply with this code (its first word).
    pub fn error(&self, code: &str) {
        let mut errors = self.errors.lock();
        if let Some(count) = errors.get_mut(code) {
            *count += 1;
        } else if errors.len() < ERROR_CODES_MAX {
            errors.insert(code.to_owned(), 1);
        }
    }

    /// Counts `amount` more.
    pub fn add(&self, stat: Stat, amount: u64) {
        add(&self.stats[stat as usize], amount);
    }

    fn stat(&self, stat: Stat) -> u64 {
        self.stats[stat as usize].load(Ordering::Relaxed)
    }

    fn calls(&self) -> u64 {
        self.commands.iter().map(|command| command.calls.load(Ordering::Relaxed)).sum()
    }

    fn add_to(&self, sum: &mut Snapshot) {
        for (total, counters) in sum.commands.iter_mut().zip(&self.commands) {
            total.add(&counters.snapshot());
        }
        for (total, (stat, ..)) in sum.stats.iter_mut().zip(Stat::ALL) {
            *total += self.stat(stat);
        }
        for (code, count) in self.errors.lock().iter() {
            *sum.errors.entry(code.clone()).or_default() += count;
        }
    }
}

impl CommandCounters {
    fn snapshot(&self) -> CommandSnapshot {
        CommandSnapshot {
            calls: self.calls.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
            busy_ns: self.busy_ns.load(Ordering::Relaxed),
            latency: self
                .latency
                .get()
                .map_or_else(HistogramSnapshot::default, |latency| latency.snapshot()),
        }
    }
}

impl Rates {
    fn push(&mut self, now: Instant, totals: [u64; 3]) {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((now, totals));
    }

    fn current(&self) -> CurrentRates {
        let (Some((start, first)), Some((end, last))) = (self.samples.front(), self.samples.back())
        else {
            return CurrentRates::default();
        };
        let seconds = end.duration_since(*start).as_secs_f64();
        if seconds == 0.0 {
            return CurrentRates::default();
        }
        let rate = |which: usize| last[which].saturating_sub(first[which]) as f64 / seconds;
        CurrentRates { commands: rate(0), bytes_in: rate(1), bytes_out: rate(2) }
    }
}

/// One writer: a load and a store cost a tenth of a locked increment.
fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_added_up() {
        let metrics = Metrics::new(vec!["get".to_owned(), "set".to_owned()]);
        let (first, second) = (metrics.thread(), metrics.thread());
        first.called(0, Duration::from_micros(3), false);
        second.called(0, Duration::from_micros(5), true);
        second.error("WRONGTYPE");
        second.rejected(1);
        first.add(Stat::ConnectionsReceived, 2);
        second.add(Stat::ConnectionsClosed, 1);
        let total = metrics.total();
        assert_eq!((total.commands[0].calls, total.commands[0].failed), (2, 1));
        assert_eq!((total.commands[0].busy_ns, total.commands[1].rejected), (8000, 1));
        assert_eq!((total.errors["WRONGTYPE"], metrics.connections()), (1, 1));
    }

    #[test]
    fn a_reset_hides_the_past_but_keeps_the_totals() {
        let metrics = Metrics::new(vec!["get".to_owned()]);
        let thread = metrics.thread();
        thread.called(0, Duration::from_micros(3), false);
        metrics.reset();
        thread.called(0, Duration::from_micros(3), false);
        assert_eq!((metrics.since_reset().calls(), metrics.total().calls()), (1, 2));
    }

    #[test]
    fn an_unknown_command_number_is_ignored() {
        let metrics = Metrics::new(Vec::new());
        metrics.thread().called(7, Duration::ZERO, false);
        assert_eq!(metrics.total().calls(), 0);
    }

    #[test]
    fn rates_are_taken_over_the_sampled_time() {
        let metrics = Metrics::new(vec!["get".to_owned()]);
        let thread = metrics.thread();
        let start = Instant::now();
        metrics.sample(start);
        thread.add(Stat::BytesIn, 500);
        metrics.sample(start + Duration::from_secs(2));
        assert_eq!(metrics.rates().bytes_in, 250.0);
    }
}
