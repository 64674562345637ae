//! How far this node has applied the log: read by every I/O thread, written by the apply thread.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::base::feature_level::FeatureLevel;
use crate::base::group_time::GroupTime;
use crate::base::seeded::{Bug, seeded};

/// Slower entries are counted as this slow: an hour.
const TOOK_US_MAX: u64 = 3_600_000_000;

/// Progress of apply.
#[derive(Debug)]
pub(crate) struct Applied {
    index: AtomicU64,
    /// The last entry of which some effect may be visible here.
    begun: AtomicU64,
    /// The highest commit index that was sent to another node.
    told: AtomicU64,
    /// A [`GroupTime`].
    time: AtomicU64,
    memory_bytes: AtomicU64,
    maxmemory_bytes: AtomicU64,
    feature_level: AtomicU32,
    progress: watch::Sender<u64>,
    /// Odd while the keys are those of no log index.
    loads: AtomicU64,
    /// How long entries took, microseconds.
    took_us: Mutex<Histogram<u64>>,
}

impl Applied {
    pub(crate) fn new(index: u64, time: GroupTime) -> Self {
        Self {
            index: AtomicU64::new(index),
            begun: AtomicU64::new(index),
            told: AtomicU64::new(0),
            time: AtomicU64::new(time.to_bits()),
            memory_bytes: AtomicU64::new(0),
            maxmemory_bytes: AtomicU64::new(0),
            feature_level: AtomicU32::new(FeatureLevel::FIRST.0),
            progress: watch::Sender::new(index),
            loads: AtomicU64::new(0),
            took_us: Mutex::new(
                Histogram::new_with_max(TOOK_US_MAX, 2)
                    .expect("two digits and a maximum above two are valid"),
            ),
        }
    }

    /// Index of the last entry whose whole effect is visible.
    pub(crate) fn index(&self) -> u64 {
        self.index.load(Ordering::Acquire)
    }

    /// The highest log index whose effects a read may have returned already, here or on a follower
    /// that learned the commit index from this node. A leader must have applied up to here before
    /// it reads, and this is what it answers as a read index: followers may apply an entry before
    /// the leader does.
    pub(crate) fn shown_index(&self) -> u64 {
        if seeded(Bug::ReadIndexApplied) {
            return self.index();
        }
        self.begun.load(Ordering::SeqCst).max(self.told.load(Ordering::SeqCst))
    }

    /// To be called before any effect of the entry becomes visible.
    pub(crate) fn begin(&self, index: u64) {
        self.begun.fetch_max(index, Ordering::SeqCst);
    }

    /// To be called before the commit index leaves for another node.
    pub(crate) fn note_told(&self, committed: u64) {
        self.told.fetch_max(committed, Ordering::SeqCst);
    }

    /// Time of the last entry.
    pub(crate) fn time(&self) -> GroupTime {
        GroupTime::from_bits(self.time.load(Ordering::Acquire))
    }

    /// Before the entry's effects become visible, so that no read sees them with an older time.
    pub(crate) fn advance_time(&self, time: GroupTime) {
        self.time.fetch_max(time.to_bits(), Ordering::AcqRel);
    }

    /// After the entry's effects are visible.
    pub(crate) fn advance(&self, index: u64) {
        self.index.store(index, Ordering::Release);
        self.progress.send_replace(index);
    }

    /// An entry was applied in this time.
    pub(crate) fn note_took(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.took_us.lock().saturating_record(us.min(TOOK_US_MAX));
    }

    /// How long entries took, microseconds.
    pub(crate) fn times(&self) -> Histogram<u64> {
        self.took_us.lock().clone()
    }

    /// Waits until the entry at `index` is applied.
    pub(crate) async fn wait_for(&self, index: u64) {
        if self.index() >= index {
            return;
        }
        // The sender lives as long as `self`, so the wait ends only with success.
        let _ = self.progress.subscribe().wait_for(|applied| *applied >= index).await;
    }

    /// The keys are about to go, before those of a snapshot come.
    pub(crate) fn begin_loading(&self) {
        self.loads.fetch_add(1, Ordering::SeqCst);
    }

    /// The keys are whole again.
    pub(crate) fn end_loading(&self) {
        self.loads.fetch_add(1, Ordering::SeqCst);
    }

    /// Grows when the keys go and when those of a snapshot are whole, so it is odd in between. What
    /// was read between two different numbers, or at an odd one, must not be answered.
    pub(crate) fn loads(&self) -> u64 {
        self.loads.load(Ordering::SeqCst)
    }

    /// Sizes as of now, so that admission needs no lock. A maximum of 0 is none.
    pub(crate) fn set_memory(&self, bytes: u64, bytes_max: u64) {
        self.memory_bytes.store(bytes, Ordering::Relaxed);
        self.maxmemory_bytes.store(bytes_max, Ordering::Relaxed);
    }

    /// The feature level that the cluster runs at, as applied here.
    pub(crate) fn feature_level(&self) -> FeatureLevel {
        FeatureLevel(self.feature_level.load(Ordering::Acquire))
    }

    /// To be called before an entry of the level can be acknowledged.
    pub(crate) fn set_feature_level(&self, level: FeatureLevel) {
        self.feature_level.store(level.0, Ordering::Release);
    }

    /// Approximate bytes of all keys and values.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes.load(Ordering::Relaxed)
    }

    /// Bytes above `maxmemory`; 0 when there is room.
    pub(crate) fn excess_bytes(&self) -> u64 {
        match self.maxmemory_bytes.load(Ordering::Relaxed) {
            0 => 0,
            maximum => self.memory_bytes().saturating_sub(maximum),
        }
    }
}
