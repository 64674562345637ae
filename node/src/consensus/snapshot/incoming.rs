//! Snapshots that arrive: one owner for the files, who takes one at a time, checks it as a whole,
//! and lets none be touched while the core takes it over. All work on files is done on a thread of
//! its own, in the order in which it came.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::{Stream, StreamExt};
use ironkv_proto::raft::v1 as proto;
use parking_lot::Mutex;
use tokio::time::Instant;
use tonic::Status;

use super::file_worker::Worker;
use super::transfer::{CHUNK_BYTES, CheckpointFile};
use crate::base::disk::{Disk, DiskFile, is_full};
use crate::base::seeded::{Bug, seeded};
use crate::base::threads::Threads;
use crate::consensus::network::convert;
use crate::consensus::state_machine::replicated_state::ReplicatedState;
use crate::consensus::types::{Snapshot, Vote};
use crate::data::checkpoint;

const PREFIX: &str = "incoming-";
/// Flushed on the way, so that the end of a large file is no long pause.
const FLUSH_BYTES: u64 = 16 << 20;
/// After this silence a transfer counts as broken off, and another one may begin.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// See the module. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Incoming {
    files: Arc<Files>,
    worker: Worker,
}

struct Files {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    state: Mutex<State>,
    /// The last snapshot that was offered did not fit.
    no_room: AtomicBool,
}

#[derive(Default)]
struct State {
    /// Of the newest transfer; what an older one still sends is refused.
    ticket: u64,
    open: Option<Open>,
    /// The core has a file, whose name must stay.
    taking_over: bool,
}

struct Open {
    ticket: u64,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    bytes: u64,
    /// Where the next piece must begin.
    next: u64,
    flushed: u64,
    heard_at: Instant,
}

/// How much of a file is here already, or why none of it can be taken now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    From(u64),
    Hold(proto::SnapshotHold),
}

/// Why a transfer ended. The sender asks for the progress and begins again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    #[error("another snapshot is being taken over")]
    Busy,
    #[error("another transfer has begun")]
    Superseded,
    #[error("the copy here ends before this piece; ask for the progress and send from there")]
    Gap,
    #[error("the snapshot arrived damaged: {0}")]
    Damaged(String),
    #[error("the disk has no room for the snapshot")]
    Full,
    #[error("the disk failed: {0}")]
    Failed(io::Error),
}

impl From<io::Error> for ReceiveError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::Full } else { Self::Failed(error) }
    }
}

impl From<&ReceiveError> for Status {
    fn from(error: &ReceiveError) -> Self {
        let text = error.to_string();
        match error {
            ReceiveError::Busy | ReceiveError::Full => Self::unavailable(text),
            ReceiveError::Superseded | ReceiveError::Gap => Self::aborted(text),
            ReceiveError::Damaged(_) => Self::data_loss(text),
            ReceiveError::Failed(_) => Self::internal(text),
        }
    }
}

/// A file that arrived whole and is what it says.
pub(crate) struct Received {
    pub(crate) vote: Vote,
    pub(crate) snapshot: Snapshot<CheckpointFile>,
    /// To be kept until the core has taken the file over, or does not want it.
    pub(crate) hold: Hold,
}

/// Keeps a file and all transfers away from each other. The sender may be gone before the file is
/// checked, and then nobody takes the file over: so it ends with its owner, not by a call.
pub(crate) struct Hold(Arc<Files>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.state.lock().taking_over = false;
    }
}

impl Incoming {
    pub(crate) fn start(disk: Arc<dyn Disk>, directory: &Path, threads: &dyn Threads) -> Self {
        let (state, no_room) = (Mutex::default(), AtomicBool::new(false));
        let files = Files { disk, directory: directory.to_owned(), state, no_room };
        Self { files: Arc::new(files), worker: Worker::start(threads, "snapshot") }
    }

    /// Reads the files of snapshots that are sent, too.
    pub(crate) fn worker(&self) -> Worker {
        self.worker.clone()
    }

    /// Whether the last snapshot that was offered did not fit the disk.
    pub(crate) fn lacks_room(&self) -> bool {
        self.files.no_room.load(Ordering::Relaxed)
    }

    /// Bytes of this very file that an earlier transfer left here. Other leftovers are removed.
    pub(crate) async fn progress(&self, name: &str, bytes: u64) -> Result<Progress, ReceiveError> {
        let path = self.files.path(name)?;
        let files = self.files.clone();
        self.worker.run(move || files.progress(&path, bytes)).await?
    }

    /// Writes pieces until the file is whole, durable and checked. From then on no other transfer
    /// begins until what is returned is dropped.
    pub(crate) async fn receive<S>(&self, mut chunks: S) -> Result<Received, Status>
    where
        S: Stream<Item = Result<proto::SnapshotChunk, Status>> + Unpin,
    {
        let mut ticket = None;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            let (files, had) = (self.files.clone(), ticket);
            let path = self.files.path(&chunk.name).map_err(|error| Status::from(&error))?;
            let taken = self.worker.run(move || files.take(had, &path, &chunk)).await;
            let taken = taken.map_err(|error| Status::internal(error.to_string()))?;
            match taken.map_err(|error| Status::from(&error))? {
                Taken::Part(given) => ticket = Some(given),
                Taken::Whole(received) => return Ok(*received),
            }
        }
        Err(Status::aborted("the snapshot ended before it was whole"))
    }

    /// Removes what broken transfers left, unless one is under way.
    pub(crate) async fn remove_leftovers(&self) -> io::Result<()> {
        let files = self.files.clone();
        self.worker.run(move || files.remove_leftovers()).await?
    }
}

enum Taken {
    Part(u64),
    Whole(Box<Received>),
}

impl Files {
    fn path(&self, name: &str) -> Result<PathBuf, ReceiveError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > 128 || !name.chars().all(plain) {
            return Err(ReceiveError::Damaged("bad name".to_owned()));
        }
        Ok(self.directory.join(format!("{PREFIX}{name}")))
    }

    fn leftovers(&self) -> io::Result<VecDeque<PathBuf>> {
        let mut files = VecDeque::from(self.disk.list(&self.directory)?);
        files.retain(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
        });
        Ok(files)
    }

    fn progress(&self, wanted: &Path, bytes: u64) -> Result<Progress, ReceiveError> {
        let mut state = self.state.lock();
        if state.taking_over || state.open.as_ref().is_some_and(|open| open.is_another(wanted)) {
            return Ok(Progress::Hold(proto::SnapshotHold::Busy));
        }
        state.open = None;
        let mut have = 0;
        for path in self.leftovers()? {
            if path == wanted {
                have = self.disk.open(&path)?.length()?;
            } else {
                self.disk.remove(&path)?;
            }
        }
        let fits = self.disk.free_bytes(&self.directory)? >= bytes.saturating_sub(have);
        self.note_room(fits);
        if !fits {
            return Ok(Progress::Hold(proto::SnapshotHold::NoRoom));
        }
        // The last piece is always sent, because the description comes with it.
        let whole = (have / CHUNK_BYTES as u64) * CHUNK_BYTES as u64;
        Ok(Progress::From(if whole >= bytes { 0 } else { whole }))
    }

    fn note_room(&self, fits: bool) {
        if self.no_room.swap(!fits, Ordering::Relaxed) == fits {
            if fits {
                tracing::info!("there is room for the leader's snapshot again");
            } else {
                tracing::error!("no room for the leader's snapshot; make some, it is sent again");
            }
        }
    }

    /// One piece, the first one without a ticket.
    fn take(
        self: &Arc<Self>,
        ticket: Option<u64>,
        path: &Path,
        chunk: &proto::SnapshotChunk,
    ) -> Result<Taken, ReceiveError> {
        let taken = self.take_piece(ticket, path, chunk);
        match &taken {
            // Half a file must not hold room that others need, nor be resumed when it is damaged.
            Err(ReceiveError::Full | ReceiveError::Damaged(_)) => {
                self.note_room(!matches!(taken, Err(ReceiveError::Full)));
                if let Some(open) = self.state.lock().open.take() {
                    let _ = self.disk.remove(&open.path);
                }
            }
            Err(ReceiveError::Failed(error)) => {
                tracing::error!(%error, "cannot keep the leader's snapshot");
                self.state.lock().open = None;
                // After a failed flush a later one succeeds and writes nothing of what is missing,
                // so a file must not be resumed.
                let _ = self.disk.remove(path);
            }
            _ => {}
        }
        taken
    }

    fn take_piece(
        self: &Arc<Self>,
        ticket: Option<u64>,
        path: &Path,
        chunk: &proto::SnapshotChunk,
    ) -> Result<Taken, ReceiveError> {
        let mut state = self.state.lock();
        let ticket = match ticket {
            Some(ticket) => ticket,
            None => self.begin(&mut state, path, chunk)?,
        };
        // Before all else: what an older stream sends must not harm the file of a newer one, nor
        // one that the core takes over.
        let Some(open) = state.open.as_mut().filter(|open| open.ticket == ticket) else {
            return Err(ReceiveError::Superseded);
        };
        if crc32c::crc32c(&chunk.data) != chunk.checksum {
            return Err(ReceiveError::Damaged("a piece does not match its checksum".to_owned()));
        }
        let end = chunk.offset + chunk.data.len() as u64;
        if chunk.offset != open.next || end > open.bytes {
            return Err(ReceiveError::Gap);
        }
        open.file.write_all_at(&chunk.data, chunk.offset)?;
        (open.next, open.heard_at) = (end, Instant::now());
        if end - open.flushed >= FLUSH_BYTES || end == open.bytes {
            open.file.sync_data()?;
            open.flushed = end;
        }
        if end < open.bytes {
            return Ok(Taken::Part(ticket));
        }
        let content =
            CheckpointFile { path: open.path.clone(), file: open.file.clone(), bytes: open.bytes };
        let (vote, snapshot) = self.check(chunk, content)?;
        (state.open, state.taking_over) = (None, true);
        Ok(Taken::Whole(Box::new(Received { vote, snapshot, hold: Hold(self.clone()) })))
    }

    fn begin(
        &self,
        state: &mut State,
        path: &Path,
        chunk: &proto::SnapshotChunk,
    ) -> Result<u64, ReceiveError> {
        if state.taking_over || state.open.as_ref().is_some_and(|open| open.is_another(path)) {
            return Err(ReceiveError::Busy);
        }
        let file = match self.disk.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.disk.create(path)?,
            Err(error) => return Err(error.into()),
        };
        // The file may have gone since the sender asked: it must not be extended with zeros.
        if file.length()? < chunk.offset && !seeded(Bug::SnapshotExtendsHole) {
            return Err(ReceiveError::Gap);
        }
        file.set_length(chunk.offset)?;
        let (next, bytes, heard_at) = (chunk.offset, chunk.bytes, Instant::now());
        state.ticket += 1;
        let (ticket, path) = (state.ticket, path.to_owned());
        state.open = Some(Open { ticket, path, file, bytes, next, flushed: next, heard_at });
        Ok(ticket)
    }

    /// Whether the file is a whole checkpoint, the one that was announced, and one that the core
    /// can be given: it takes every later failure for its own end.
    fn check(
        &self,
        last: &proto::SnapshotChunk,
        content: CheckpointFile,
    ) -> Result<(Vote, Snapshot<CheckpointFile>), ReceiveError> {
        let damaged = |text: String| ReceiveError::Damaged(text);
        let announced =
            ReplicatedState::decode(&last.meta).map_err(|error| damaged(error.to_string()))?;
        let vote = convert::required_vote(last.vote.as_ref())
            .map_err(|error| damaged(error.to_string()))?;
        let term = announced.applied.map_or(0, |applied| applied.leader_id.term);
        if term > vote.leader_id.term || !vote.committed {
            return Err(damaged("it is newer than the leader that sends it".to_owned()));
        }
        if !seeded(Bug::SnapshotUnchecked) {
            checkpoint::verify(&*self.disk, &content.path).map_err(from_checkpoint)?;
            let header = checkpoint::read_header(&*self.disk, &content.path);
            let header = header.map_err(from_checkpoint)?;
            let held =
                ReplicatedState::decode(&header.state).map_err(|e| damaged(e.to_string()))?;
            if held.snapshot_meta() != announced.snapshot_meta() {
                return Err(damaged("it is not the one that was announced".to_owned()));
            }
        }
        Ok((vote, Snapshot { meta: announced.snapshot_meta(), snapshot: content }))
    }

    fn remove_leftovers(&self) -> io::Result<()> {
        let state = self.state.lock();
        if state.taking_over || state.open.as_ref().is_some_and(Open::is_alive) {
            return Ok(());
        }
        self.leftovers()?.iter().try_for_each(|path| self.disk.remove(path))
    }
}

impl Open {
    fn is_alive(&self) -> bool {
        self.heard_at.elapsed() < SILENCE_MAX
    }

    /// Whether this is a transfer under way of another file, which is let finish or fall silent.
    fn is_another(&self, path: &Path) -> bool {
        self.path != path && self.is_alive()
    }
}

fn from_checkpoint(error: checkpoint::CheckpointError) -> ReceiveError {
    match error {
        checkpoint::CheckpointError::Storage { .. } if !error.is_damage() => {
            ReceiveError::Failed(io::Error::other(error))
        }
        _ => ReceiveError::Damaged(error.to_string()),
    }
}

#[cfg(test)]
#[path = "incoming_test.rs"]
mod tests;
