//! Access to files. Production uses [`RealDisk`]; the simulator uses [`MemoryDisk`], which loses
//! what was not flushed.

mod memory;
mod paced;
mod real;
mod unsynced;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::BoxFuture;

pub use memory::MemoryDisk;
pub use paced::{Pace, PacedFile};
pub use real::RealDisk;

/// A directory tree with explicit durability.
pub trait Disk: Send + Sync + 'static {
    /// Creates a new empty file; fails if it exists.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Renames, replacing the target. Durable only after [`Disk::sync_directory`].
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file. Durable only after [`Disk::sync_directory`].
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Creates a directory and its parents.
    fn create_directory(&self, path: &Path) -> io::Result<()>;
    /// Full paths of the files in a directory, sorted by name.
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;
    /// Makes creations, renames and removals in this directory durable.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;
    /// Bytes that this process may still use on the file system of `directory`.
    fn free_bytes(&self, directory: &Path) -> io::Result<u64>;
    /// Takes the lock file at `path` for this process until the guard is dropped; fails at once
    /// when another process holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>>;
}

/// Whether the error is a full disk, which may pass. Every other error of a write or a flush is a
/// failure of the disk, after which nothing may be acknowledged.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Holds a lock of [`Disk::lock`].
pub trait LockGuard: Send + Sync + std::fmt::Debug + 'static {}

/// An open file. Positioned I/O only, so that a handle can be shared.
pub trait DiskFile: Send + Sync + std::fmt::Debug + 'static {
    /// Reads up to `buffer.len()` bytes at `offset`; 0 at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at `offset`, growing the file if needed.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// `fdatasync`: what was written is on stable storage when this returns.
    fn sync_data(&self) -> io::Result<()>;
    /// As [`DiskFile::sync_data`], for a task that has its own thread: it blocks that thread,
    /// except on a simulated disk, where it takes simulated time.
    fn flush(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move { self.sync_data() })
    }
    /// Truncates or extends with zeros.
    fn set_length(&self, bytes: u64) -> io::Result<()>;
    /// Current length in bytes.
    fn length(&self) -> io::Result<u64>;
}

impl dyn DiskFile {
    /// Makes the present content of this file durable, whatever happened before this process opened
    /// it. After a failed flush, the kernel still shows what it could not write and treats it as
    /// written: a flush alone would succeed and write nothing. So the bytes are written again,
    /// which marks them as changed, and then flushed. The first `last_bytes` are written after all
    /// others are durable, for formats whose header decides what else counts.
    pub fn write_again(&self, last_bytes: u64) -> io::Result<()> {
        const PIECE_BYTES: u64 = 1 << 20;
        let length = self.length()?;
        let head = last_bytes.min(length);
        let mut buffer = Vec::new();
        for (start, end) in [(head, length), (0, head)] {
            let mut at = start;
            while at < end {
                let piece = PIECE_BYTES.min(end - at);
                buffer.resize(usize::try_from(piece).unwrap_or(usize::MAX), 0);
                self.read_exact_at(&mut buffer, at)?;
                self.write_back(&buffer, at)?;
                at += piece;
            }
            self.sync_data()?;
        }
        Ok(())
    }

    /// Writes a piece where it was read. A block of zeros that does not fit on the disk is a hole
    /// in the file, where no data was ever written.
    fn write_back(&self, piece: &[u8], at: u64) -> io::Result<()> {
        const BLOCK_BYTES: usize = 4096;
        match self.write_all_at(piece, at) {
            Err(error) if is_full(&error) => {}
            done => return done,
        }
        for (block, at) in piece.chunks(BLOCK_BYTES).zip((at..).step_by(BLOCK_BYTES)) {
            match self.write_all_at(block, at) {
                Err(error) if is_full(&error) && block.iter().all(|byte| *byte == 0) => {}
                done => done?,
            }
        }
        Ok(())
    }

    /// Fills the whole buffer from `offset`; `UnexpectedEof` when the file ends before.
    pub fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read_at(buffer, offset)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => {
                    buffer = &mut buffer[count..];
                    offset += count as u64;
                }
            }
        }
        Ok(())
    }
}
