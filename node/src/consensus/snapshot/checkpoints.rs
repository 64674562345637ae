//! The checkpoint in force: written in the background, switched by one durable pointer, adopted
//! from a snapshot, opened for sending.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::file_worker::Worker;
use super::transfer::CheckpointFile;
use crate::base::clock::Clock;
use crate::base::config::LiveConfig;
use crate::base::disk::{Disk, is_full};
use crate::base::ids::GroupId;
use crate::base::seeded::{Bug, seeded};
use crate::base::threads::Threads;
use crate::consensus::state_machine::apply_worker::Cut;
use crate::consensus::state_machine::replicated_state::ReplicatedState;
use crate::consensus::types::Snapshot;
use crate::data::checkpoint::{self, Header};
use crate::data::keyspace::Keyspace;
use crate::data::meta::Meta;

/// Between attempts to put a received file in force while the disk is full.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Figures of checkpoints.
#[derive(Debug, Default)]
pub(crate) struct CheckpointStats {
    pub(crate) written: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) duration_ms: AtomicU64,
    pub(crate) finished_at_ms: AtomicU64,
    pub(crate) running: AtomicBool,
    /// The last attempt found no room.
    pub(crate) no_room: AtomicBool,
}

/// Why no checkpoint was written; the one before stays in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// It would not fit, so it was not begun.
    #[error(
        "a checkpoint needs about {needed_bytes} bytes and {free_bytes} are free on the disk; make \
         room, it is tried again by itself"
    )]
    NoRoom { needed_bytes: u64, free_bytes: u64 },
    /// The disk filled up meanwhile; what was written was removed.
    #[error("the disk filled up while a checkpoint was written; make room: {0}")]
    Full(io::Error),
    /// The disk failed, which the process must not survive.
    #[error(transparent)]
    Failed(#[from] io::Error),
}

impl WriteError {
    /// Whether it may go well another time.
    pub(crate) const fn may_pass(&self) -> bool {
        matches!(self, Self::NoRoom { .. } | Self::Full(_))
    }
}

/// Where checkpoints live and which one counts.
pub(crate) struct Checkpoints {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    group: GroupId,
    meta: Arc<Meta>,
    clock: Arc<dyn Clock>,
    config: Arc<LiveConfig>,
    current: Mutex<Option<Current>>,
    measure: Mutex<Option<Measure>>,
    /// What the last attempt that filled the disk needed at least.
    floor: Mutex<Option<Measure>>,
    /// The file in force is not what was written; another one is to take its place.
    damaged: AtomicBool,
    worker: Worker,
    pub(crate) stats: CheckpointStats,
}

/// The checkpoint in force. Open, so that it can be read for as long as anybody needs it, whatever
/// happens to its name.
#[derive(Clone)]
struct Current {
    content: CheckpointFile,
    state: ReplicatedState,
}

/// What a checkpoint needs, from the last attempt.
#[derive(Debug, Clone, Copy)]
struct Measure {
    /// Bytes of the file.
    file_bytes: u64,
    /// Bytes of its keys in memory.
    memory_bytes: u64,
}

/// What a start finds.
pub(crate) struct Restored {
    pub(crate) keyspace: Keyspace,
    pub(crate) state: ReplicatedState,
}

impl Checkpoints {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        directory: &Path,
        group: GroupId,
        meta: Arc<Meta>,
        clock: Arc<dyn Clock>,
        config: Arc<LiveConfig>,
        threads: &dyn Threads,
    ) -> Self {
        Self {
            disk,
            directory: directory.to_owned(),
            group,
            meta,
            clock,
            config,
            current: Mutex::new(None),
            measure: Mutex::new(None),
            floor: Mutex::new(None),
            damaged: AtomicBool::new(false),
            worker: Worker::start(threads, "checkpoint"),
            stats: CheckpointStats::default(),
        }
    }

    /// Loads the checkpoint that the pointer names; blocks while it does.
    pub(crate) fn restore(&self) -> io::Result<Restored> {
        let Some(name) = self.meta.facts().checkpoint else {
            self.remove_others(None);
            return Ok(Restored {
                keyspace: Keyspace::default(),
                state: ReplicatedState::default(),
            });
        };
        let path = self.directory.join(name);
        let (keyspace, state) = self.load(&path)?;
        self.remove_others(Some(&path));
        self.note(&path, &state, keyspace.memory_bytes() as u64)?;
        Ok(Restored { keyspace, state })
    }

    /// Writes a cut on the checkpoint thread and puts it in force, if it fits.
    pub(crate) async fn write(self: &Arc<Self>, cut: Cut) -> Result<(), WriteError> {
        let this = self.clone();
        self.worker.run(move || this.write_if_newer(&cut)).await?
    }

    /// Whether a checkpoint of so many bytes of keys would fit now; logs when that changes.
    pub(crate) async fn check_room(self: &Arc<Self>, memory_bytes: u64) -> Result<(), WriteError> {
        let this = self.clone();
        self.worker.run(move || this.note_room(this.room_for(memory_bytes))).await?
    }

    /// Writes a cut, puts it in force and reads it back.
    pub(crate) async fn write_and_load(self: &Arc<Self>, cut: Cut) -> io::Result<Keyspace> {
        let this = self.clone();
        self.worker.run(move || this.write_and_load_now(&cut)).await?
    }

    /// Puts a received file in force, which was checked before. Waits for room if there is none.
    pub(crate) async fn adopt(self: &Arc<Self>, received: CheckpointFile) -> io::Result<()> {
        loop {
            let (this, received) = (self.clone(), received.clone());
            match self.worker.run(move || this.adopt_now(&received)).await? {
                Err(error) if is_full(&error) => {
                    let _ = self.note_room(Err(WriteError::Full(error)));
                    tokio::time::sleep(RETRY_AFTER).await;
                }
                other => return other,
            }
        }
    }

    /// Reads the checkpoint in force.
    pub(crate) async fn load_current(self: &Arc<Self>) -> io::Result<(Keyspace, ReplicatedState)> {
        let this = self.clone();
        self.worker.run(move || this.load_current_now()).await?
    }

    /// Looks whether the file in force is still what was written, because a follower says that it
    /// is not.
    pub(crate) async fn check_in_force(self: &Arc<Self>) {
        let this = self.clone();
        if let Err(error) = self.worker.run(move || this.check_in_force_now()).await {
            tracing::warn!(%error, "cannot check the checkpoint in force");
        }
    }

    /// Whether it was found not to be: what is in memory must be written anew.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// The checkpoint in force, open.
    pub(crate) fn current_snapshot(&self) -> Option<Snapshot<CheckpointFile>> {
        let current = self.current.lock().clone()?;
        Some(Snapshot { meta: current.state.snapshot_meta(), snapshot: current.content })
    }

    /// Log index of the checkpoint in force.
    pub(crate) fn index(&self) -> Option<u64> {
        let current = self.current.lock();
        current.as_ref().and_then(|current| current.state.applied).map(|applied| applied.index)
    }

    /// A cut may wait behind a snapshot that is newer; the log before that one may be gone, so the
    /// older cut must not come into force.
    fn write_if_newer(&self, cut: &Cut) -> Result<(), WriteError> {
        let index = cut.state.applied.map(|applied| applied.index);
        if self.index() > index || (self.index() == index && !self.is_damaged()) {
            return Ok(());
        }
        let memory_bytes = cut.keyspace.memory_bytes() as u64;
        let fits = if seeded(Bug::FullDiskFatal) { Ok(()) } else { self.room_for(memory_bytes) };
        self.note_room(fits.and_then(|()| {
            self.stats.running.store(true, Ordering::Relaxed);
            let free_bytes = self.disk.free_bytes(&self.directory).unwrap_or(0);
            let written = self.write_file(cut, memory_bytes);
            self.stats.running.store(false, Ordering::Relaxed);
            if matches!(written, Err(WriteError::Full(_))) {
                // It needs more than there was; it is not begun again before there is more.
                let file_bytes = free_bytes + free_bytes / 16;
                *self.floor.lock() = Some(Measure { file_bytes, memory_bytes });
            }
            written
        }))
    }

    fn check_in_force_now(&self) {
        let Some(current) = self.current.lock().clone() else { return };
        let Err(error) = checkpoint::verify(&*self.disk, &current.content.path) else { return };
        if !error.is_damage() || seeded(Bug::DamagedCheckpointKept) {
            return;
        }
        if !self.damaged.swap(true, Ordering::Relaxed) {
            let path = current.content.path.display();
            tracing::error!(%path, "the checkpoint in force has decayed; writing another one");
        }
    }

    /// An old checkpoint goes only when the new one is whole, so the new one needs room beside it.
    fn room_for(&self, memory_bytes: u64) -> Result<(), WriteError> {
        let floor = (*self.floor.lock()).filter(|floor| floor.memory_bytes <= memory_bytes);
        let needed_bytes = estimate_bytes(*self.measure.lock(), memory_bytes)
            .max(floor.map_or(0, |floor| floor.file_bytes));
        let free_bytes = self.disk.free_bytes(&self.directory)?;
        if free_bytes < needed_bytes {
            return Err(WriteError::NoRoom { needed_bytes, free_bytes });
        }
        Ok(())
    }

    fn note_room(&self, outcome: Result<(), WriteError>) -> Result<(), WriteError> {
        let no_room = outcome.as_ref().is_err_and(WriteError::may_pass);
        if self.stats.no_room.swap(no_room, Ordering::Relaxed) == no_room {
            return outcome;
        }
        match &outcome {
            Err(error) => tracing::error!(%error, "no room for a checkpoint"),
            Ok(()) => tracing::info!("there is room for a checkpoint again"),
        }
        outcome
    }

    fn write_file(&self, cut: &Cut, memory_bytes: u64) -> Result<(), WriteError> {
        let started = Instant::now();
        let index = cut.state.applied.map_or(0, |applied| applied.index);
        let path = self.directory.join(checkpoint::file_name(self.group, index));
        let header = Header { group: self.group, index, state: cut.state.encode().into() };
        let config = self.config.clone();
        let pace = Arc::new(move || config.load().checkpoint.bytes_per_second_max);
        let written = checkpoint::write(&*self.disk, &path, &header, &cut.keyspace, pace);
        let written = written.map_err(|error| match error.is_full() {
            true => WriteError::Full(io::Error::other(error)),
            false => WriteError::Failed(io::Error::other(error)),
        })?;
        if let Err(error) = self.put_in_force(&path, &cut.state, memory_bytes) {
            if !is_full(&error) {
                return Err(WriteError::Failed(error));
            }
            self.disk.remove(&path)?;
            return Err(WriteError::Full(error));
        }
        let duration_ms = started.elapsed().as_millis() as u64;
        self.stats.written.fetch_add(1, Ordering::Relaxed);
        self.stats.duration_ms.store(duration_ms, Ordering::Relaxed);
        self.stats.finished_at_ms.store(self.clock.unix_ms(), Ordering::Relaxed);
        tracing::info!(index, bytes = written.bytes, duration_ms, "wrote a checkpoint");
        Ok(())
    }

    fn write_and_load_now(&self, cut: &Cut) -> io::Result<Keyspace> {
        let Some(applied) = cut.state.applied else { return Ok(cut.keyspace.clone()) };
        // A snapshot may have arrived that this node has yet to take over.
        if self.index() > Some(applied.index) {
            return Err(io::Error::other("a newer checkpoint has arrived; try again"));
        }
        self.write_if_newer(cut).map_err(io::Error::other)?;
        let path = self.directory.join(checkpoint::file_name(self.group, applied.index));
        let (keyspace, state) = self.load(&path)?;
        if state == cut.state {
            Ok(keyspace)
        } else {
            Err(io::Error::other("the checkpoint is not of the state that was written"))
        }
    }

    fn adopt_now(&self, received: &CheckpointFile) -> io::Result<()> {
        let header = checkpoint::read_header(&*self.disk, &received.path);
        let path = match &header {
            Ok(header) => self.directory.join(checkpoint::file_name(self.group, header.index)),
            Err(_) => return Err(io::Error::other("the snapshot cannot be read any more")),
        };
        let state = header.map_err(io::Error::other)?.state;
        let state = ReplicatedState::decode(&state).map_err(io::Error::other)?;
        self.disk.rename(&received.path, &path)?;
        let in_force = self
            .disk
            .sync_directory(&self.directory)
            .and_then(|()| self.put_in_force(&path, &state, 0));
        if in_force.as_ref().is_err_and(is_full) {
            // For the next attempt.
            self.disk.rename(&path, &received.path)?;
        }
        in_force
    }

    fn load_current_now(&self) -> io::Result<(Keyspace, ReplicatedState)> {
        let current = self.current.lock().clone();
        let path = current.ok_or(io::ErrorKind::NotFound)?.content.path;
        let (keyspace, state) = self.load(&path)?;
        let memory_bytes = keyspace.memory_bytes() as u64;
        if let Some(measure) = &mut *self.measure.lock() {
            measure.memory_bytes = memory_bytes;
        }
        Ok((keyspace, state))
    }

    /// From here on a restart uses this file; then nothing needs the one before. When there is no
    /// room to note that, nothing has changed, and the error is that of a full disk.
    fn put_in_force(
        &self,
        path: &Path,
        state: &ReplicatedState,
        memory_bytes: u64,
    ) -> io::Result<()> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        self.meta.update(|facts| facts.checkpoint = name).map_err(|error| {
            let full = error.is_full();
            let kind = if full { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
            io::Error::new(kind, error)
        })?;
        self.note(path, state, memory_bytes)?;
        self.remove_others(Some(path));
        Ok(())
    }

    fn note(&self, path: &Path, state: &ReplicatedState, memory_bytes: u64) -> io::Result<()> {
        let file = self.disk.open(path)?;
        let bytes = file.length()?;
        self.stats.bytes.store(bytes, Ordering::Relaxed);
        let content = CheckpointFile { path: path.to_owned(), file, bytes };
        *self.measure.lock() = Some(Measure { file_bytes: bytes, memory_bytes });
        *self.floor.lock() = None;
        self.damaged.store(false, Ordering::Relaxed);
        *self.current.lock() = Some(Current { content, state: state.clone() });
        Ok(())
    }

    fn load(&self, path: &Path) -> io::Result<(Keyspace, ReplicatedState)> {
        let loaded = checkpoint::load(&*self.disk, path).map_err(io::Error::other)?;
        let state = ReplicatedState::decode(&loaded.header.state).map_err(io::Error::other)?;
        if loaded.header.group != self.group {
            let text = format!("checkpoint {} is of another group", path.display());
            return Err(io::Error::other(text));
        }
        Ok((loaded.keyspace, state))
    }

    /// Removes checkpoints that are not in force; one that stays only wastes room.
    fn remove_others(&self, keep: Option<&Path>) {
        let files = self.disk.list(&self.directory).unwrap_or_default();
        let others = files.iter().filter(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy());
            name.is_some_and(|name| name.starts_with("checkpoint-")) && Some(path.as_path()) != keep
        });
        for path in others {
            if let Err(error) = self.disk.remove(path) {
                tracing::warn!(path = %path.display(), %error, "cannot remove old checkpoint");
            }
        }
    }
}

/// Bytes of the next checkpoint's file, from size and memory of the last one. Low rather than high:
/// one that does not fit after all is taken away again, but one that is never begun frees no log.
fn estimate_bytes(last: Option<Measure>, memory_bytes: u64) -> u64 {
    let grown = match last {
        Some(last) if last.memory_bytes > 0 => {
            u128::from(last.file_bytes) * u128::from(memory_bytes) / u128::from(last.memory_bytes)
        }
        _ => u128::from(memory_bytes),
    };
    u64::try_from(grown).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_taken_to_grow_as_its_keys_in_memory_do() {
        for (last, memory_bytes, estimate) in [
            (None, 500, 500),
            (Some((1000, 0)), 500, 500),
            (Some((1000, 2000)), 4000, 2000),
            (Some((1000, 2000)), 0, 0),
            (Some((u64::MAX, 1)), u64::MAX, u64::MAX),
        ] {
            let last = last.map(|(file_bytes, memory_bytes)| Measure { file_bytes, memory_bytes });
            assert_eq!(estimate_bytes(last, memory_bytes), estimate, "{last:?}");
        }
    }
}
