//! The Raft log: append-only, preallocated, recycled segment files. Knows nothing of Raft beyond
//! entries with positions, votes, truncation and purging.
//!
//! Four kinds of parties share one log: handles ([`Log`], any thread), the log thread (`writer`),
//! the space thread (`space`), which prepares empty segments, and the read thread (`reader`). One
//! *frame* carries all that was queued: one write and one flush for everybody. `format` has the
//! bytes, `recovery` what a start makes of them.
//!
//! Limits of what checksums can tell: damage to the very last frame cannot be told from a frame
//! that a power cut left half written, unless the mark (`mark`) says that it was flushed.

mod backlog;
mod extent;
mod format;
mod index;
mod mark;
mod options;
mod read;
mod reader;
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
use reader::ReadJob;
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
    /// `None` once the log is closed.
    reads: Mutex<Option<mpsc::Sender<ReadJob>>>,
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
            Some(mut recovered) => {
                shared.secure(&mut recovered)?;
                recovered
            }
            None => shared.begin().map_err(LogError::disk("create a log in", directory))?,
        };
        let Recovered { state, index, files, segment, next_sequence, mark, .. } = recovered;
        {
            let mut memory = shared.memory.lock();
            *memory = Memory { state: state.clone(), index, files, ..Memory::default() };
        }
        shared.counters.lock().tail_bytes = segment.tail;
        shared.want_space(shared.options.segment_bytes);
        let writer = Writer::new(Arc::clone(&shared), segment, next_sequence, state.clone(), mark);
        let (commands, receiver) = mpsc::unbounded_channel();
        let group = shared.options.group;
        let log = threads
            .spawn(&format!("log-{group}"), Box::new(move || Box::pin(writer.run(receiver))));
        let of_space = Arc::clone(&shared);
        let space = threads
            .spawn(&format!("log-space-{group}"), Box::new(move || Box::pin(space::run(of_space))));
        let (reads, jobs) = mpsc::channel(reader::JOBS_MAX);
        let of_reads = Arc::clone(&shared);
        let read = threads.spawn(
            &format!("log-read-{group}"),
            Box::new(move || Box::pin(reader::run(of_reads, jobs))),
        );
        let threads = Mutex::new(vec![log, space, read]);
        let reads = Mutex::new(Some(reads));
        Ok((Self { inner: Arc::new(Inner { shared, commands, reads, threads }) }, state))
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

    /// Reads one entry from the log of a stopped node without starting it; `None` where it is not.
    pub fn read_stopped(
        disk: Arc<dyn Disk>,
        directory: &Path,
        options: LogOptions,
        index: u64,
    ) -> Result<Option<Record>, LogError> {
        let mut found = None;
        Self::replay_stopped(disk, directory, options, index..index + 1, |record| {
            found = Some(record);
        })?;
        Ok(found)
    }

    /// Reads the entries of `range` that the log of a stopped node has, in order, without starting
    /// it.
    pub fn replay_stopped(
        disk: Arc<dyn Disk>,
        directory: &Path,
        options: LogOptions,
        range: Range<u64>,
        mut each: impl FnMut(Record),
    ) -> Result<(), LogError> {
        let shared = Shared::new(disk, directory, options, Arc::new(|_| {}));
        let Some(recovered) = shared.recover()? else { return Ok(()) };
        let Recovered { state, index: offsets, files, .. } = recovered;
        let (Some(first), Some(last)) = (state.first_index(), state.last) else { return Ok(()) };
        *shared.memory.lock() = Memory { state, index: offsets, files, ..Memory::default() };
        let (mut next, end) = (range.start, range.end.min(last.index + 1));
        while first <= next && next < end {
            let read = shared.read(next..end, LOG_RECORD_BYTES_MAX);
            let records = read.map_err(LogError::disk("read", directory))?;
            next += records.len() as u64;
            records.into_iter().for_each(&mut each);
        }
        Ok(())
    }

    /// Adds entries, which must follow the last one without a gap. They can be read on return;
    /// `done` is called on the log thread once they are durable, in the order of the calls.
    pub fn append(&self, records: Vec<Record>, done: Done) {
        let bytes = records.iter().map(|record| record.memory_bytes() as u64).sum();
        let backlog = Arc::clone(&self.inner.shared.backlog);
        backlog.add(bytes);
        let done: Done = Box::new(move |outcome| {
            backlog.remove(bytes);
            done(outcome);
        });
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
    /// one was purged. Entries that are not in memory are read from the disk by the calling thread;
    /// [`Log::fetch`] leaves that to another one.
    pub fn read(&self, range: Range<u64>, bytes_max: usize) -> io::Result<Vec<Record>> {
        self.inner.shared.read(range, bytes_max)
    }

    /// As [`Log::read`], with each entry decoded. What is in memory is answered at once; for
    /// anything else a thread of the log reads, checks and decodes, in the order of the calls.
    pub async fn fetch<T: Send + 'static>(
        &self,
        range: Range<u64>,
        bytes_max: usize,
        decode: fn(Record) -> io::Result<T>,
    ) -> io::Result<Vec<T>> {
        let in_memory = self.inner.shared.read_in_memory(&range, bytes_max)?;
        if let Some(records) = in_memory {
            return records.into_iter().map(decode).collect();
        }
        let closed = || io::Error::other("the log is closed");
        let (done, answer) = oneshot::channel();
        let job: ReadJob = Box::new(move |shared| {
            let records = shared.read(range, bytes_max);
            let decoded = records.and_then(|records| records.into_iter().map(decode).collect());
            // Dropped when the entries are not wanted any more.
            let _ = done.send(decoded);
        });
        let reads = self.inner.reads.lock().clone().ok_or_else(closed)?;
        reads.send(job).await.map_err(|_| closed())?;
        drop(reads);
        answer.await.map_err(|_| closed())?
    }

    /// Where the log stands, changes that are not yet durable included.
    pub fn state(&self) -> LogState {
        self.inner.shared.memory.lock().state.clone()
    }

    /// The last entry that was purged; 0 for none.
    pub fn purged_index(&self) -> u64 {
        self.inner.shared.memory.lock().state.purged.map_or(0, |purged| purged.index)
    }

    /// Whether the disk has no room for more of the log, so that proposals must be refused.
    pub fn disk_full(&self) -> bool {
        self.inner.shared.disk_full()
    }

    /// For how long the log thread has been waiting for one write or flush; `None` while it waits
    /// for none. Waiting for room on a full disk does not count.
    pub fn disk_silent_for(&self) -> Option<Duration> {
        self.inner.shared.backlog.waits_for().filter(|_| !self.disk_full())
    }

    /// Bytes of entries that were appended and are not durable. They stay in memory.
    pub fn unflushed_bytes(&self) -> u64 {
        self.inner.shared.backlog.bytes()
    }

    /// Returns when fewer than `bytes_max` bytes of entries wait to become durable.
    pub async fn unflushed_below(&self, bytes_max: u64) {
        self.inner.shared.backlog.below(bytes_max).await;
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
        drop(self.inner.reads.lock().take());
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
        Ok(Recovered::empty(segment, files, None))
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
