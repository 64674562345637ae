//! The Raft log: append-only, preallocated, recycled segment files. Knows nothing of Raft beyond
//! entries with positions, votes, truncation and purging.
//!
//! Three kinds of parties share one log: handles ([`Log`], any thread), the log thread (`writer`),
//! and the space thread (`space`), which prepares empty segments. One *frame* carries all that was
//! queued: one write and one flush for everybody. `format` has the bytes, `recovery` what a start
//! makes of them.
//!
//! Limits of what checksums can tell: damage to the very last frame cannot be told from a frame
//! that a power cut left half written, and is cut off like one.

mod format;
mod index;
mod options;
mod read;
mod record;
mod recovery;
mod ring;
mod segment;
mod shared;
mod space;
mod writer;

use std::future::Future;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

pub use options::{Done, Fatal, LogError, LogOptions, LogStats};
pub use record::{LogPosition, LogState, Record};

use crate::base::disk::Disk;
use crate::base::limits::LOG_RECORD_BYTES_MAX;
use crate::base::threads::Threads;
use format::Item;
use recovery::Recovered;
use shared::{Memory, Shared};
use writer::{Command, Writer};

/// A handle of an open log. Clones are cheap and use the same log; the last one that goes away
/// closes it. Everything is queued in the order of the calls, so calls that depend on each other
/// must come from one thread.
#[derive(Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Command>,
    threads: Mutex<Vec<oneshot::Receiver<()>>>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("directory", &self.inner.shared.directory).finish()
    }
}

impl Log {
    /// Opens the log in `directory`, creating both if need be; what it holds. Reads the whole log
    /// once, and blocks while it does. Damage is refused and nothing is changed then.
    pub fn open(
        disk: Arc<dyn Disk>,
        directory: &Path,
        options: LogOptions,
        threads: &dyn Threads,
        fatal: Fatal,
    ) -> Result<(Self, LogState), LogError> {
        disk.create_directory(directory).map_err(LogError::disk("create", directory))?;
        let shared = Arc::new(Shared::new(disk, directory, options, fatal));
        let recovered = match shared.recover()? {
            Some(recovered) => recovered,
            None => shared.begin().map_err(LogError::disk("create a log in", directory))?,
        };
        let Recovered { state, index, files, segment, next_sequence } = recovered;
        {
            let mut memory = shared.memory.lock();
            *memory = Memory { state: state.clone(), index, files, ..Memory::default() };
        }
        shared.counters.lock().tail_bytes = segment.tail;
        shared.want_space(shared.options.segment_bytes);
        let writer = Writer::new(Arc::clone(&shared), segment, next_sequence, state.clone());
        let (commands, receiver) = mpsc::unbounded_channel();
        let group = shared.options.group;
        let log = threads
            .spawn(&format!("log-{group}"), Box::new(move || Box::pin(writer.run(receiver))));
        let of_space = Arc::clone(&shared);
        let space = threads
            .spawn(&format!("log-space-{group}"), Box::new(move || Box::pin(space::run(of_space))));
        let threads = Mutex::new(vec![log, space]);
        Ok((Self { inner: Arc::new(Inner { shared, commands, threads }) }, state))
    }

    /// Reads and checks the log of a stopped node without starting it; `None` where there is none.
    pub fn check(
        disk: Arc<dyn Disk>,
        directory: &Path,
        options: LogOptions,
    ) -> Result<Option<LogState>, LogError> {
        let shared = Shared::new(disk, directory, options, Arc::new(|_| {}));
        Ok(shared.recover()?.map(|recovered| recovered.state))
    }

    /// Adds entries, which must follow the last one without a gap. They can be read on return;
    /// `done` is called on the log thread once they are durable, in the order of the calls.
    pub fn append(&self, records: Vec<Record>, done: Done) {
        let refused = {
            let mut memory = self.inner.shared.memory.lock();
            match check_append(&memory.state, &records) {
                Err(reason) => Some((done, io::Error::new(io::ErrorKind::InvalidInput, reason))),
                Ok(()) => {
                    let mut first_serial = None;
                    for record in &records {
                        let serial = memory.ring.push(record.clone());
                        first_serial.get_or_insert(serial);
                    }
                    if let Some(last) = records.last() {
                        memory.state.last = Some(last.position);
                    }
                    let first_serial = first_serial.unwrap_or(0);
                    // Sent under the lock, so that the order on the disk is the order in memory.
                    self.send(Command::Append { records, first_serial, done })
                }
            }
        };
        if let Some((done, error)) = refused {
            done(Err(error));
        }
    }

    /// Saves a vote. Queued on return, durable when the future completes.
    pub fn save_vote(&self, vote: Bytes) -> Durable {
        self.change(Item::Vote(vote.clone()), |memory| memory.state.vote = Some(vote))
    }

    /// Drops the entries after `last`; `None` drops all that are not purged. Readers see it at
    /// once.
    pub fn truncate_after(&self, last: Option<LogPosition>) -> Durable {
        self.change(Item::Truncate(last), |memory| {
            memory.state.truncate(last);
            memory.ring.truncate(last.map_or(0, |last| last.index + 1));
        })
    }

    /// Drops the entries up to `up_to`, inclusive, which may lie past the last one: the next entry
    /// is then the one after it. Their effect must be durable elsewhere. Readers see it at once.
    pub fn purge(&self, up_to: LogPosition) -> Durable {
        self.change(Item::Purge(up_to), |memory| {
            memory.state.purge(up_to);
            memory.ring.purge(up_to.index);
        })
    }

    /// Notes a committed position. Written along with the next change, never flushed for itself.
    pub fn save_committed(&self, position: LogPosition) {
        self.inner.shared.memory.lock().state.committed = Some(position);
    }

    /// Entries of `range` in order, without a gap, stopping early at the end of the log or before
    /// the payloads pass `bytes_max`, but giving at least one that exists. `NotFound` if the first
    /// one was purged. Entries that are not in memory are read from the disk by the calling thread.
    pub fn read(&self, range: Range<u64>, bytes_max: usize) -> io::Result<Vec<Record>> {
        self.inner.shared.read(range, bytes_max)
    }

    /// Where the log stands, changes that are not yet durable included.
    pub fn state(&self) -> LogState {
        self.inner.shared.memory.lock().state.clone()
    }

    /// Whether there is no room for another segment, so that proposals must be refused.
    pub fn disk_full(&self) -> bool {
        self.inner.shared.disk_full.load(Ordering::Relaxed)
    }

    /// Current figures.
    pub fn stats(&self) -> LogStats {
        let shared = &self.inner.shared;
        let (segments, full_bytes, ring_bytes) = {
            let memory = shared.memory.lock();
            let before_last = memory.files.values().rev().skip(1);
            let full_bytes = before_last.map(|segment| segment.bytes).sum::<u64>();
            (memory.files.len(), full_bytes, memory.ring.bytes())
        };
        let spare_segments = shared.space.lock().spares.len();
        let counters = shared.counters.lock();
        let flush = |us| Duration::from_micros(us);
        LogStats {
            bytes: full_bytes + counters.tail_bytes,
            bytes_written: counters.bytes_written,
            segments,
            spare_segments,
            ring_bytes,
            frames: counters.frames,
            entries: counters.entries,
            last_flush: counters.last_flush,
            flush_p50: flush(counters.flush_us.value_at_quantile(0.5)),
            flush_p99: flush(counters.flush_us.value_at_quantile(0.99)),
            flush_max: flush(counters.flush_us.max()),
            disk_full: self.disk_full(),
        }
    }

    /// How long writes with their flush took, microseconds.
    pub fn flush_histogram(&self) -> hdrhistogram::Histogram<u64> {
        self.inner.shared.counters.lock().flush_us.clone()
    }

    /// Makes durable what is queued and ends the threads. Later changes answer an error. On a full
    /// disk it does not wait for room: what was not acknowledged answers an error.
    pub async fn close(&self) {
        if self.disk_full() {
            self.inner.shared.stop();
        }
        let (done, closed) = completion();
        let refused = self.send(Command::Stop(done));
        if refused.is_none()
            && let Err(error) = closed.await
        {
            tracing::warn!(%error, "the log did not close cleanly");
        }
        let threads = std::mem::take(&mut *self.inner.threads.lock());
        for thread in threads {
            // An error says that the thread is gone, which is what is waited for.
            let _ = thread.await;
        }
    }

    fn change(&self, item: Item, apply: impl FnOnce(&mut Memory)) -> Durable {
        let (done, durable) = completion();
        let refused = {
            let mut memory = self.inner.shared.memory.lock();
            apply(&mut memory);
            self.send(Command::Change(item, done))
        };
        if let Some((done, error)) = refused {
            done(Err(error));
        }
        durable
    }

    /// Queues a command; gives back what must be told if the log thread is gone.
    fn send(&self, command: Command) -> Option<(Done, io::Error)> {
        let mpsc::error::SendError(command) = self.inner.commands.send(command).err()?;
        let (Command::Append { done, .. } | Command::Change(_, done) | Command::Stop(done)) =
            command;
        Some((done, io::Error::other("the log is closed")))
    }
}

impl Shared {
    /// The first segment of a new log.
    fn begin(&self) -> io::Result<Recovered> {
        let spare = self.space.lock().take(self.options.segment_bytes);
        let spare = match spare {
            Some(spare) => spare,
            None => self.make_spare(self.options.segment_bytes)?,
        };
        let segment = self.begin_segment(&spare, 1)?;
        let files = std::mem::take(&mut self.memory.lock().files);
        let (state, index) = (LogState::default(), index::Index::default());
        Ok(Recovered { state, index, files, segment, next_sequence: 1 })
    }
}

fn check_append(state: &LogState, records: &[Record]) -> Result<(), String> {
    let mut last = state.last;
    for record in records {
        let position = record.position;
        if last.is_some_and(|last| position.index != last.index + 1) {
            let last = last.map_or(0, |last| last.index);
            return Err(format!("log entry {} does not follow entry {last}", position.index));
        }
        if record.payload.len() > LOG_RECORD_BYTES_MAX {
            return Err(format!("log entry {} is too large for a record", position.index));
        }
        last = Some(position);
    }
    Ok(())
}

/// A change that was queued; completes when it is durable, or never will be. Dropping it does not
/// take the change back.
#[derive(Debug)]
#[must_use = "what is not awaited may not be durable yet"]
pub struct Durable(oneshot::Receiver<io::Result<()>>);

impl Future for Durable {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|outcome| outcome.unwrap_or_else(|_| Err(io::Error::other("the log is closed"))))
    }
}

fn completion() -> (Done, Durable) {
    let (sender, receiver) = oneshot::channel();
    let done = move |outcome| {
        // Nobody may be waiting any more: that is no error.
        let _ = sender.send(outcome);
    };
    (Box::new(done), Durable(receiver))
}

#[cfg(test)]
#[path = "log_test.rs"]
mod tests;
