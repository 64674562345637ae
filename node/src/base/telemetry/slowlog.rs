//! The commands that took longest to run (`SLOWLOG`).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::base::limits::{SLOW_LOG_ARGUMENT_BYTES_MAX, SLOW_LOG_ARGUMENTS_MAX};

/// A bounded list of slow commands, newest first.
#[derive(Debug)]
pub struct SlowLog {
    entries: Mutex<VecDeque<SlowEntry>>,
    next_id: AtomicU64,
    threshold_us: AtomicI64,
    entries_max: AtomicU64,
}

/// One slow command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowEntry {
    /// Increases, also across `SLOWLOG RESET`.
    pub id: u64,
    /// When it ran, Unix seconds.
    pub unix_s: u64,
    /// How long it ran, microseconds.
    pub elapsed_us: u64,
    /// The command as sent, shortened.
    pub words: Vec<Bytes>,
    /// `ip:port` of the client.
    pub client_address: String,
    /// `CLIENT SETNAME`
    pub client_name: Bytes,
}

impl Default for SlowLog {
    fn default() -> Self {
        Self {
            entries: Mutex::default(),
            next_id: AtomicU64::new(0),
            threshold_us: AtomicI64::new(-1),
            entries_max: AtomicU64::new(0),
        }
    }
}

impl SlowLog {
    /// Minimum time in microseconds (negative: no command is recorded), and the number of entries
    /// kept.
    pub fn configure(&self, threshold_us: i64, entries_max: u64) {
        self.threshold_us.store(threshold_us, Relaxed);
        self.entries_max.store(entries_max, Relaxed);
        self.shorten(&mut self.entries.lock());
    }

    /// Whether a command that took this long is recorded. Takes a few nanoseconds.
    pub fn wants(&self, elapsed: Duration) -> bool {
        let threshold = self.threshold_us.load(Relaxed);
        u128::try_from(threshold).is_ok_and(|threshold| elapsed.as_micros() >= threshold)
    }

    /// Records a command for which [`SlowLog::wants`] is true. `unix_ms` is the current time.
    pub fn record(
        &self,
        elapsed: Duration,
        unix_ms: u64,
        words: &[Bytes],
        client_address: &str,
        client_name: &Bytes,
    ) {
        let entry = SlowEntry {
            id: self.next_id.fetch_add(1, Relaxed),
            unix_s: unix_ms / 1000,
            elapsed_us: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            words: shorten_words(words),
            client_address: client_address.to_owned(),
            client_name: client_name.clone(),
        };
        let mut entries = self.entries.lock();
        entries.push_front(entry);
        self.shorten(&mut entries);
    }

    /// The newest entries, newest first; all for `None`.
    pub fn newest(&self, count: Option<usize>) -> Vec<SlowEntry> {
        let entries = self.entries.lock();
        entries.iter().take(count.unwrap_or(usize::MAX)).cloned().collect()
    }

    /// Entries kept now.
    pub fn len(&self) -> usize {
        self.entries.lock().len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all entries.
    pub fn reset(&self) {
        self.entries.lock().clear();
    }

    fn shorten(&self, entries: &mut VecDeque<SlowEntry>) {
        let most = usize::try_from(self.entries_max.load(Relaxed)).unwrap_or(usize::MAX);
        entries.truncate(most);
    }
}

/// Long commands and long arguments are cut as in Redis, which shows how much is missing.
fn shorten_words(words: &[Bytes]) -> Vec<Bytes> {
    let cut = words.len() > SLOW_LOG_ARGUMENTS_MAX;
    let kept = if cut { SLOW_LOG_ARGUMENTS_MAX - 1 } else { words.len() };
    let mut short: Vec<Bytes> = words[..kept].iter().map(shorten_word).collect();
    if cut {
        short.push(format!("... ({} more arguments)", words.len() - kept).into());
    }
    short
}

fn shorten_word(word: &Bytes) -> Bytes {
    match word.len().checked_sub(SLOW_LOG_ARGUMENT_BYTES_MAX) {
        None | Some(0) => Bytes::copy_from_slice(word),
        Some(more) => {
            let mut short = word[..SLOW_LOG_ARGUMENT_BYTES_MAX].to_vec();
            short.extend_from_slice(format!("... ({more} more bytes)").as_bytes());
            short.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(log: &SlowLog, words: &[Bytes]) {
        log.record(Duration::from_millis(2), 5000, words, "a:1", &Bytes::new());
    }

    #[test]
    fn the_threshold_decides_what_is_entered() {
        let log = SlowLog::default();
        assert!(!log.wants(Duration::from_secs(9)));
        log.configure(1000, 10);
        assert!(log.wants(Duration::from_millis(1)) && !log.wants(Duration::from_micros(999)));
        log.configure(0, 10);
        assert!(log.wants(Duration::ZERO));
    }

    #[test]
    fn the_newest_entries_stay_and_ids_increase() {
        let log = SlowLog::default();
        log.configure(0, 2);
        (0..3).for_each(|_| record(&log, &[Bytes::from_static(b"GET")]));
        let ids: Vec<u64> = log.newest(None).iter().map(|entry| entry.id).collect();
        assert_eq!(ids, [2, 1]);
        log.reset();
        record(&log, &[]);
        assert_eq!(log.newest(Some(5))[0].id, 3);
    }

    #[test]
    fn long_commands_are_cut_and_show_how_much_is_missing() {
        let log = SlowLog::default();
        log.configure(0, 9);
        record(&log, &vec![Bytes::from(vec![b'x'; 130]); 40]);
        let words = &log.newest(None)[0].words;
        assert_eq!(words.len(), 32);
        assert!(words[0].ends_with(b"xx... (2 more bytes)"));
        assert_eq!(words[31], "... (9 more arguments)");
    }
}
