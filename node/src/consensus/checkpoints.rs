//! The checkpoint in force: written in the background, switched by one durable pointer, adopted
//! from a snapshot, opened for sending.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::apply_thread::Cut;
use super::replicated::ReplicatedState;
use super::snapshot::CheckpointFile;
use super::types::{LogId, Snapshot};
use crate::base::clock::Clock;
use crate::base::config::LiveConfig;
use crate::base::disk::Disk;
use crate::base::ids::GroupId;
use crate::base::threads::Threads;
use crate::data::checkpoint::{self, Header};
use crate::data::keyspace::Keyspace;
use crate::data::meta::Meta;

type Job = Box<dyn FnOnce() + Send>;

/// Figures of checkpoints.
#[derive(Debug, Default)]
pub(crate) struct CheckpointStats {
    pub(crate) written: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) duration_ms: AtomicU64,
    pub(crate) finished_at_ms: AtomicU64,
    pub(crate) running: AtomicBool,
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
    jobs: mpsc::UnboundedSender<Job>,
    pub(crate) stats: CheckpointStats,
}

#[derive(Clone)]
struct Current {
    path: PathBuf,
    state: ReplicatedState,
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
        let (jobs, mut queue) = mpsc::unbounded_channel::<Job>();
        let main = async move {
            while let Some(job) = queue.recv().await {
                job();
            }
        };
        drop(threads.spawn("checkpoint", Box::new(move || Box::pin(main))));
        let (current, stats) = (Mutex::new(None), CheckpointStats::default());
        let directory = directory.to_owned();
        Self { disk, directory, group, meta, clock, config, current, jobs, stats }
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
        self.note(&path, &state);
        Ok(Restored { keyspace, state })
    }

    /// Writes a cut on the checkpoint thread and puts it in force.
    pub(crate) async fn write(self: &Arc<Self>, cut: Cut) -> io::Result<Snapshot<CheckpointFile>> {
        let this = self.clone();
        self.run(move || this.write_now(&cut)).await?
    }

    /// Writes a cut, puts it in force and reads it back.
    pub(crate) async fn write_and_load(self: &Arc<Self>, cut: Cut) -> io::Result<Keyspace> {
        let this = self.clone();
        self.run(move || this.write_and_load_now(&cut)).await?
    }

    /// Takes over a received file: loads it aside, gives it its name, puts it in force.
    pub(crate) async fn adopt(
        self: &Arc<Self>,
        expected: Option<LogId>,
        received: CheckpointFile,
    ) -> io::Result<(Keyspace, ReplicatedState)> {
        let this = self.clone();
        self.run(move || this.adopt_now(expected, &received)).await?
    }

    /// The checkpoint in force, open.
    pub(crate) fn current_snapshot(&self) -> io::Result<Option<Snapshot<CheckpointFile>>> {
        let current = self.current.lock().clone();
        current.map(|current| self.open(&current)).transpose()
    }

    /// Log index of the checkpoint in force.
    pub(crate) fn index(&self) -> Option<u64> {
        let current = self.current.lock();
        current.as_ref().and_then(|current| current.state.applied).map(|applied| applied.index)
    }

    fn open(&self, current: &Current) -> io::Result<Snapshot<CheckpointFile>> {
        let file = self.disk.open(&current.path)?;
        let bytes = file.length()?;
        let content = CheckpointFile { path: current.path.clone(), file, bytes };
        Ok(Snapshot { meta: current.state.snapshot_meta(), snapshot: content })
    }

    /// A cut may wait behind a snapshot that is newer; the log before that one may be gone, so the
    /// older cut must not come into force.
    fn write_now(&self, cut: &Cut) -> io::Result<Snapshot<CheckpointFile>> {
        if self.index() >= cut.state.applied.map(|applied| applied.index)
            && let Some(newer) = self.current_snapshot()?
        {
            return Ok(newer);
        }
        self.stats.running.store(true, Ordering::Relaxed);
        let written = self.write_file(cut);
        self.stats.running.store(false, Ordering::Relaxed);
        written
    }

    fn write_file(&self, cut: &Cut) -> io::Result<Snapshot<CheckpointFile>> {
        let started = Instant::now();
        let index = cut.state.applied.map_or(0, |applied| applied.index);
        let path = self.directory.join(checkpoint::file_name(self.group, index));
        let header = Header { group: self.group, index, state: cut.state.encode().into() };
        let config = self.config.clone();
        let pace = Arc::new(move || config.load().checkpoint.bytes_per_second_max);
        let written = checkpoint::write(&*self.disk, &path, &header, &cut.keyspace, pace)
            .map_err(io::Error::other)?;
        self.put_in_force(&path, &cut.state)?;
        let duration_ms = started.elapsed().as_millis() as u64;
        self.stats.written.fetch_add(1, Ordering::Relaxed);
        self.stats.duration_ms.store(duration_ms, Ordering::Relaxed);
        self.stats.finished_at_ms.store(self.clock.unix_ms(), Ordering::Relaxed);
        tracing::info!(index, bytes = written.bytes, duration_ms, "wrote a checkpoint");
        self.open(&Current { path, state: cut.state.clone() })
    }

    fn write_and_load_now(&self, cut: &Cut) -> io::Result<Keyspace> {
        let Some(applied) = cut.state.applied else { return Ok(cut.keyspace.clone()) };
        // A snapshot may have arrived that this node has yet to take over.
        if self.index() > Some(applied.index) {
            return Err(io::Error::other("a newer checkpoint has arrived; try again"));
        }
        self.write_now(cut)?;
        let path = self.directory.join(checkpoint::file_name(self.group, applied.index));
        let (keyspace, state) = self.load(&path)?;
        if state == cut.state {
            Ok(keyspace)
        } else {
            Err(io::Error::other("the checkpoint is not of the state that was written"))
        }
    }

    fn adopt_now(
        &self,
        expected: Option<LogId>,
        received: &CheckpointFile,
    ) -> io::Result<(Keyspace, ReplicatedState)> {
        let loaded = self.load(&received.path).and_then(|(keyspace, state)| {
            if state.applied == expected {
                Ok((keyspace, state))
            } else {
                Err(io::Error::other("the snapshot is not the one that was announced"))
            }
        });
        let (keyspace, state) = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                // A damaged copy must not be resumed for ever.
                self.disk.remove(&received.path)?;
                return Err(error);
            }
        };
        let index = state.applied.map_or(0, |applied| applied.index);
        let path = self.directory.join(checkpoint::file_name(self.group, index));
        self.disk.rename(&received.path, &path)?;
        self.disk.sync_directory(&self.directory)?;
        self.put_in_force(&path, &state)?;
        Ok((keyspace, state))
    }

    /// From here on a restart uses this file; then nothing needs the one before.
    fn put_in_force(&self, path: &Path, state: &ReplicatedState) -> io::Result<()> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        self.meta.update(|facts| facts.checkpoint = name).map_err(io::Error::other)?;
        self.note(path, state);
        self.remove_others(Some(path));
        Ok(())
    }

    fn note(&self, path: &Path, state: &ReplicatedState) {
        let bytes = self.disk.open(path).and_then(|file| file.length()).unwrap_or(0);
        self.stats.bytes.store(bytes, Ordering::Relaxed);
        *self.current.lock() = Some(Current { path: path.to_owned(), state: state.clone() });
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

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let stopped = || io::Error::other("the checkpoint thread has stopped");
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Nobody waits any more when the core has stopped.
            let _ = reply.send(work());
        });
        self.jobs.send(job).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())
    }
}
