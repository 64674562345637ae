//! Pauses by their cause (`LATENCY`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;

use crate::base::limits::LATENCY_SAMPLES_MAX;

/// The last pauses of every kind.
#[derive(Debug, Default)]
pub struct LatencyMonitor {
    events: Mutex<BTreeMap<String, LatencyEvent>>,
    threshold_ms: AtomicU64,
}

/// The pauses of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LatencyEvent {
    /// Oldest first; for each second only the longest one.
    pub samples: VecDeque<LatencySample>,
    /// The longest ever, milliseconds.
    pub max_ms: u64,
}

/// One pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatencySample {
    /// When, Unix seconds.
    pub unix_s: u64,
    /// How long, milliseconds.
    pub elapsed_ms: u64,
}

impl LatencyMonitor {
    /// The minimum in milliseconds of a pause that is recorded; 0 records none.
    pub fn set_threshold_ms(&self, threshold_ms: u64) {
        self.threshold_ms.store(threshold_ms, Relaxed);
    }

    /// See [`LatencyMonitor::set_threshold_ms`].
    pub fn threshold_ms(&self) -> u64 {
        self.threshold_ms.load(Relaxed)
    }

    /// Whether a pause of this length is recorded. Takes a few nanoseconds.
    pub fn wants(&self, elapsed: Duration) -> bool {
        let threshold = u128::from(self.threshold_ms());
        threshold != 0 && elapsed.as_millis() >= threshold
    }

    /// Records a pause if it is long enough. `event` is Redis's word where there is one (`command`,
    /// `fast-command`, `expire-cycle`); `unix_ms` is the current time.
    pub fn record(&self, event: &str, elapsed: Duration, unix_ms: u64) {
        if self.wants(elapsed) {
            let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            let sample = LatencySample { unix_s: unix_ms / 1000, elapsed_ms };
            self.events.lock().entry(event.to_owned()).or_default().add(sample);
        }
    }

    /// The pauses of one kind.
    pub fn event(&self, event: &str) -> Option<LatencyEvent> {
        self.events.lock().get(event).cloned()
    }

    /// All kinds, sorted by name.
    pub fn events(&self) -> Vec<(String, LatencyEvent)> {
        self.events.lock().iter().map(|(name, event)| (name.clone(), event.clone())).collect()
    }

    /// Removes these kinds, or all when none is named; returns how many there were.
    pub fn reset(&self, names: &[String]) -> usize {
        let mut events = self.events.lock();
        let before = events.len();
        events.retain(|name, _| !names.is_empty() && !names.contains(name));
        before - events.len()
    }
}

impl LatencyEvent {
    fn add(&mut self, sample: LatencySample) {
        self.max_ms = self.max_ms.max(sample.elapsed_ms);
        match self.samples.back_mut() {
            Some(last) if last.unix_s == sample.unix_s => {
                last.elapsed_ms = last.elapsed_ms.max(sample.elapsed_ms);
            }
            _ => {
                if self.samples.len() == LATENCY_SAMPLES_MAX {
                    self.samples.pop_front();
                }
                self.samples.push_back(sample);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_long_pauses_are_kept_and_one_to_a_second() {
        let monitor = LatencyMonitor::default();
        let record = |ms, unix_ms| monitor.record("command", Duration::from_millis(ms), unix_ms);
        record(500, 1000);
        assert_eq!(monitor.event("command"), None);
        monitor.set_threshold_ms(10);
        record(9, 1000);
        record(20, 1100);
        record(30, 1200);
        record(15, 2000);
        let event = monitor.event("command").unwrap();
        let kept: Vec<_> = event.samples.iter().map(|s| (s.unix_s, s.elapsed_ms)).collect();
        assert_eq!((kept, event.max_ms), (vec![(1, 30), (2, 15)], 30));
    }

    #[test]
    fn reset_removes_the_named_kinds_or_all() {
        let monitor = LatencyMonitor::default();
        monitor.set_threshold_ms(1);
        for event in ["a", "b", "c"] {
            monitor.record(event, Duration::from_secs(1), 0);
        }
        assert_eq!(monitor.reset(&["b".to_owned(), "x".to_owned()]), 1);
        assert_eq!(monitor.reset(&[]), 2);
    }
}
