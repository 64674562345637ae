//! How a log behaves, and what it says about itself.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::base::ids::GroupId;

/// Settings of one group's log.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Whose log it is; checked against the files.
    pub group: GroupId,
    /// Length of a segment file. An entry that is larger gets a segment of its own size.
    pub segment_bytes: u64,
    /// Entries kept in memory for followers, in bytes. Entries not yet durable are kept above it.
    pub ring_bytes: usize,
    /// A frame takes no further record once it holds this much.
    pub flush_bytes: usize,
    /// Most empty segments kept for use again.
    pub spare_segments_max: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            group: GroupId::FIRST,
            segment_bytes: 64 << 20,
            ring_bytes: 64 << 20,
            flush_bytes: 8 << 20,
            spare_segments_max: 4,
        }
    }
}

/// Called once, on a thread of the log, when the disk failed in a way after which nothing may be
/// acknowledged: it must stop the process. Nothing is retried, because after a failed flush the
/// kernel may have dropped the data and would report success the next time.
pub type Fatal = Arc<dyn Fn(&io::Error) + Send + Sync>;

/// Told when a change is durable, or why it never will be.
pub type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

/// Figures of a running log.
#[derive(Debug, Clone, Default)]
pub struct LogStats {
    /// Bytes from the start of the oldest segment in use to the end of the last frame.
    pub bytes: u64,
    /// Bytes of frames written since the log was opened.
    pub bytes_written: u64,
    /// Segment files in use.
    pub segments: usize,
    /// Empty segment files ready for use.
    pub spare_segments: usize,
    /// Bytes of entries in memory.
    pub ring_bytes: usize,
    /// Frames written since the log was opened; each is one write and one flush.
    pub frames: u64,
    /// Entries written since the log was opened.
    pub entries: u64,
    /// How long the last write and flush took.
    pub last_flush: Duration,
    /// Half of all writes with their flush were faster than this.
    pub flush_p50: Duration,
    /// 99 of 100 writes with their flush were faster than this.
    pub flush_p99: Duration,
    /// The slowest write with its flush.
    pub flush_max: Duration,
    /// No room for another segment: proposals must be refused until it is false again.
    pub disk_full: bool,
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Acknowledged entries are damaged. Nothing was changed on the disk.
    #[error(
        "log segment {} is damaged at byte {offset}: {reason}; this copy of the data cannot be \
         trusted: remove this node from the cluster, empty its data directory and add it again, or \
         restore a backup if no majority is left",
        path.display()
    )]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// What does not fit.
        reason: String,
    },
    /// A file or directory cannot be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Disk {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

impl LogError {
    /// For `map_err`.
    pub(super) fn disk(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Disk { action, path, source }
    }
}
