//! A disk in memory for the simulator and for tests. It stores separately what programs see and
//! what is flushed, so that [`MemoryDisk::crash`] can lose everything that a power cut may lose.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use parking_lot::Mutex;

use super::unsynced::Contents;
use super::{Disk, DiskFile, LockGuard};

/// Files in memory; clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<u64, Contents>,
    next_file: u64,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    /// Changes of file names since the last flush of their directory, in order.
    pending_names: Vec<NameChange>,
    locks: BTreeMap<PathBuf, u64>,
    /// Increases with every crash: handles from before are invalid.
    life: u64,
    capacity_bytes: Option<u64>,
    /// Number of writes that still fail because the disk is full.
    full_writes: u64,
    /// Number of operations that still succeed before the power cut.
    fuse: Option<u64>,
    operations: u64,
    syncs_before_failure: Option<u64>,
    hangs: bool,
}

#[derive(Debug, Clone)]
enum NameChange {
    Link(PathBuf, u64),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Simulates a power cut and a restart: what was not flushed is lost, kept or torn, depending
    /// on `seed`. Open files return errors from now on.
    pub fn crash(&self, seed: u64) {
        let mut state = self.state.lock();
        let mut random = generator(seed);
        for contents in state.files.values_mut() {
            contents.crash(&mut random);
        }
        // A journalling file system keeps changes of names in order: a prefix of them survives.
        let pending = std::mem::take(&mut state.pending_names);
        let kept = usize::try_from(random() % (pending.len() as u64 + 1)).unwrap_or(0);
        for change in &pending[..kept] {
            change.apply(&mut state.durable_names);
        }
        state.names = state.durable_names.clone();
        let State { files, names, .. } = &mut *state;
        files.retain(|id, _| names.values().any(|named| named == id));
        state.life += 1;
        state.locks.clear();
        state.fuse = None;
        state.syncs_before_failure = None;
        state.hangs = false;
    }

    /// Removes everything, as if the disk were replaced by a new one. Open files return errors from
    /// now on.
    pub fn erase(&self) {
        let mut state = self.state.lock();
        let life = state.life + 1;
        *state = State { life, ..State::default() };
    }

    /// Lets `operations` more changes and flushes succeed; all later ones fail until the next
    /// crash.
    pub fn cut_power_after(&self, operations: u64) {
        self.state.lock().fuse = Some(operations);
    }

    /// Changes and flushes so far.
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// Limits the sum of all file lengths; a write beyond it fails with `StorageFull`.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.lock().capacity_bytes = bytes;
    }

    /// Limits the sum of all file lengths to its present value plus so many bytes.
    pub fn leave_room(&self, bytes: u64) {
        let mut state = self.state.lock();
        state.capacity_bytes = Some(state.used_bytes() + bytes);
    }

    /// Fails so many of the next writes with `StorageFull`, even those into an existing part of a
    /// file, as on file systems that write changed blocks to another place.
    pub fn refuse_writes(&self, count: u64) {
        self.state.lock().full_writes = count;
    }

    /// Lets `syncs` more flushes of files succeed and fails the next one with an input/output
    /// error. The data of the failed flush may be lost, though programs still read it and later
    /// flushes succeed.
    pub fn fail_sync_after(&self, syncs: u64) {
        self.state.lock().syncs_before_failure = Some(syncs);
    }

    /// Lets every [`DiskFile::flush`] wait until this is called with `false`, or until the power
    /// cut.
    pub fn hang(&self, hangs: bool) {
        self.state.lock().hangs = hangs;
    }

    /// A separate disk with what programs see on this one at the moment, like a volume snapshot.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        copy.put_back(self);
        copy
    }

    /// Replaces the files of this disk by those of another one. Handles from before are invalid.
    pub fn put_back(&self, other: &Self) {
        let (files, names, next_file) = {
            let other = other.state.lock();
            (other.files.clone(), other.names.clone(), other.next_file)
        };
        let mut state = self.state.lock();
        let life = state.life + 1;
        let durable_names = names.clone();
        *state = State { files, names, durable_names, next_file, life, ..State::default() };
        state.files.values_mut().for_each(Contents::sync);
    }

    /// Flips the bits of `mask` in one stored byte, like a decaying medium.
    pub fn flip(&self, path: &Path, offset: u64, mask: u8) -> io::Result<()> {
        let mut state = self.state.lock();
        let id = state.find(path)?;
        let contents = state.files.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
        contents.flip(to_usize(offset)?, mask);
        Ok(())
    }
}

impl State {
    fn find(&self, path: &Path) -> io::Result<u64> {
        self.names.get(path).copied().ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("no file {}", path.display()))
        })
    }

    fn rename_now(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }

    /// Counts a change or flush; fails when the power is off.
    fn operate(&mut self) -> io::Result<()> {
        if let Some(left) = &mut self.fuse {
            *left = left.checked_sub(1).ok_or_else(|| io::Error::other("the power is off"))?;
        }
        self.operations += 1;
        Ok(())
    }

    fn used_bytes(&self) -> u64 {
        self.files.values().map(|contents| contents.current.len() as u64).sum()
    }

    fn admit_growth(&mut self, from: usize, to: usize) -> io::Result<()> {
        if let Some(left) = self.full_writes.checked_sub(1) {
            self.full_writes = left;
            return Err(io::ErrorKind::StorageFull.into());
        }
        let growth = to.saturating_sub(from) as u64;
        match self.capacity_bytes {
            Some(capacity) if growth > 0 && self.used_bytes() + growth > capacity => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Link(path, id) => {
                names.insert(path.clone(), *id);
            }
            Self::Unlink(path) => {
                names.remove(path);
            }
            Self::Rename(from, to) => {
                if let Some(id) = names.remove(from) {
                    names.insert(to.clone(), id);
                }
            }
        }
    }

    fn directory(&self) -> Option<&Path> {
        match self {
            Self::Link(path, _) | Self::Unlink(path) | Self::Rename(_, path) => path.parent(),
        }
    }
}

impl Disk for MemoryDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        state.operate()?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = state.next_file;
        state.next_file += 1;
        state.files.insert(id, Contents::default());
        state.rename_now(NameChange::Link(path.to_owned(), id));
        Ok(Arc::new(MemoryFile { state: Arc::clone(&self.state), id, life: state.life }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state.lock();
        let id = state.find(path)?;
        Ok(Arc::new(MemoryFile { state: Arc::clone(&self.state), id, life: state.life }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.operate()?;
        state.find(from)?;
        state.rename_now(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.operate()?;
        state.find(path)?;
        state.rename_now(NameChange::Unlink(path.to_owned()));
        Ok(())
    }

    fn create_directory(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let state = self.state.lock();
        let inside = |path: &&PathBuf| path.parent() == Some(directory);
        Ok(state.names.keys().filter(inside).cloned().collect())
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.operate()?;
        for change in std::mem::take(&mut state.pending_names) {
            if change.directory() == Some(directory) {
                change.apply(&mut state.durable_names);
            } else {
                state.pending_names.push(change);
            }
        }
        Ok(())
    }

    fn free_bytes(&self, _directory: &Path) -> io::Result<u64> {
        let state = self.state.lock();
        Ok(state.capacity_bytes.map_or(1 << 40, |all| all.saturating_sub(state.used_bytes())))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        let mut state = self.state.lock();
        let life = state.life;
        if state.locks.contains_key(path) {
            let text = format!("{} is locked by another process", path.display());
            return Err(io::Error::new(io::ErrorKind::WouldBlock, text));
        }
        state.locks.insert(path.to_owned(), life);
        Ok(Box::new(MemoryLock { disk: self.clone(), path: path.to_owned(), life }))
    }
}

#[derive(Debug)]
struct MemoryLock {
    disk: MemoryDisk,
    path: PathBuf,
    life: u64,
}

impl LockGuard for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        let mut state = self.disk.state.lock();
        if state.locks.get(&self.path) == Some(&self.life) {
            state.locks.remove(&self.path);
        }
    }
}

#[derive(Debug)]
struct MemoryFile {
    state: Arc<Mutex<State>>,
    id: u64,
    life: u64,
}

impl MemoryFile {
    fn with<T>(
        &self,
        counts: bool,
        act: impl FnOnce(&mut State, u64) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state.lock();
        if state.life != self.life {
            return Err(io::Error::other("the power was cut since this file was opened"));
        }
        if counts {
            state.operate()?;
        }
        act(&mut state, self.id)
    }
}

fn contents(state: &mut State, id: u64) -> io::Result<&mut Contents> {
    state.files.get_mut(&id).ok_or_else(|| io::ErrorKind::NotFound.into())
}

impl DiskFile for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(false, |state, id| {
            let bytes = &contents(state, id)?.current;
            let start = to_usize(offset)?.min(bytes.len());
            let count = buffer.len().min(bytes.len() - start);
            buffer[..count].copy_from_slice(&bytes[start..start + count]);
            Ok(count)
        })
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.with(true, |state, id| {
            let offset = to_usize(offset)?;
            let length = contents(state, id)?.current.len();
            state.admit_growth(length, offset + bytes.len())?;
            contents(state, id)?.write(bytes, offset);
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(true, |state, id| {
            match &mut state.syncs_before_failure {
                Some(0) => {
                    state.syncs_before_failure = None;
                    let mut random = generator(state.operations);
                    contents(state, id)?.fail_sync(&mut random);
                    return Err(io::Error::from_raw_os_error(EIO));
                }
                Some(left) => *left -= 1,
                None => {}
            }
            contents(state, id)?.sync();
            Ok(())
        })
    }

    fn flush(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            while self.state.lock().hangs {
                tokio::time::sleep(HANG_STEP).await;
            }
            self.sync_data()
        })
    }

    fn set_length(&self, bytes: u64) -> io::Result<()> {
        self.with(true, |state, id| {
            let length = contents(state, id)?.current.len();
            state.admit_growth(length, to_usize(bytes)?)?;
            contents(state, id)?.set_length(to_usize(bytes)?);
            Ok(())
        })
    }

    fn length(&self) -> io::Result<u64> {
        self.with(false, |state, id| Ok(contents(state, id)?.current.len() as u64))
    }
}

/// How often a waiting flush checks whether the disk still hangs.
const HANG_STEP: Duration = Duration::from_millis(1);

/// `EIO` on Linux.
const EIO: i32 = 5;

fn to_usize(value: u64) -> io::Result<usize> {
    usize::try_from(value).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// SplitMix64: good enough to choose what survives, and the same for the same seed.
fn generator(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
#[path = "memory_test.rs"]
mod tests;
