//! What the handles, the log thread and the space thread of one log share.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::backlog::Backlog;
use super::index::Index;
use super::options::{Fatal, LogOptions};
use super::record::LogState;
use super::ring::Ring;
pub(super) use crate::base::disk::is_full;
use crate::base::disk::{Disk, DiskFile};

/// One log's common state.
pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) directory: PathBuf,
    pub(super) options: LogOptions,
    pub(super) memory: Mutex<Memory>,
    pub(super) space: Mutex<Space>,
    /// A spare segment was added, one is wanted, or the log stops.
    pub(super) space_changed: Notify,
    /// What found no room: bits of [`Lacking`].
    lacking: AtomicU8,
    pub(super) stopping: AtomicBool,
    pub(super) counters: Mutex<Counters>,
    pub(super) backlog: Arc<Backlog>,
    failed: AtomicBool,
    fatal: Fatal,
}

/// What may find no room on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lacking {
    /// Another segment.
    Segment = 1,
    /// A write into the segment in use, or its beginning. File systems that write changed blocks to
    /// another place refuse such a write too.
    Write = 2,
}

/// What readers see. Changes are visible here before they are durable.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) state: LogState,
    pub(super) ring: Ring,
    pub(super) index: Index,
    /// Open files of the segments in use, by number.
    pub(super) files: BTreeMap<u64, SegmentFile>,
}

/// An open segment.
#[derive(Debug, Clone)]
pub(super) struct SegmentFile {
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) bytes: u64,
}

/// Files without entries.
#[derive(Debug, Default)]
pub(super) struct Space {
    pub(super) spares: Vec<Spare>,
    /// Length of the segment that the log thread needs now or soon.
    pub(super) wanted_bytes: Option<u64>,
    pub(super) next_spare: u64,
}

/// A file that can become a segment.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

/// Figures for [`super::LogStats`].
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) flush_us: Histogram<u64>,
    pub(super) last_flush: Duration,
    /// End of the last frame in its segment.
    pub(super) tail_bytes: u64,
    pub(super) bytes_written: u64,
    pub(super) frames: u64,
    pub(super) entries: u64,
}

impl Default for Counters {
    fn default() -> Self {
        let flush_us = Histogram::new_with_max(MICROSECONDS_MAX, 2)
            .expect("two digits and a maximum above two are valid");
        Self {
            flush_us,
            last_flush: Duration::ZERO,
            tail_bytes: 0,
            bytes_written: 0,
            frames: 0,
            entries: 0,
        }
    }
}

/// Slower flushes are counted as this slow.
const MICROSECONDS_MAX: u64 = 60_000_000;

impl Counters {
    pub(super) fn record_flush(&mut self, took: Duration) {
        self.last_flush = took;
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.flush_us.saturating_record(us.min(MICROSECONDS_MAX));
    }
}

impl Shared {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        directory: &Path,
        options: LogOptions,
        fatal: Fatal,
    ) -> Self {
        Self {
            disk,
            directory: directory.to_owned(),
            options,
            memory: Mutex::default(),
            space: Mutex::default(),
            space_changed: Notify::new(),
            lacking: AtomicU8::new(0),
            stopping: AtomicBool::new(false),
            counters: Mutex::default(),
            backlog: Arc::default(),
            failed: AtomicBool::new(false),
            fatal,
        }
    }

    /// Stops the process: nothing after `error` may be acknowledged.
    pub(super) fn fail(&self, error: &io::Error) {
        if !self.failed.swap(true, Ordering::SeqCst) {
            tracing::error!(%error, "the log cannot be written any more, stopping");
            (self.fatal)(error);
            // The log thread may be waiting for a segment that will never come.
            self.space_changed.notify_waiters();
        }
    }

    /// Whether [`Shared::fail`] was called.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// Asks both threads to end.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.space_changed.notify_waiters();
    }

    /// Whether the threads were asked to end.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Whether anything of the log finds no room.
    pub(super) fn disk_full(&self) -> bool {
        self.lacking.load(Ordering::SeqCst) != 0
    }

    /// Says whether there is room for one of the two; logs the change.
    pub(super) fn set_disk_full(&self, what: Lacking, full: bool) {
        if !full && !self.disk_full() {
            return;
        }
        let bit = what as u8;
        let before = match full {
            true => self.lacking.fetch_or(bit, Ordering::SeqCst),
            false => self.lacking.fetch_and(!bit, Ordering::SeqCst),
        };
        let others = before & !bit != 0;
        if others || (before & bit != 0) == full {
            return;
        }
        let directory = self.directory.display();
        if full {
            tracing::error!(%directory, "no room for the log, refusing writes");
        } else {
            tracing::info!(%directory, "there is room for the log again");
        }
    }
}
