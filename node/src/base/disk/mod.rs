//! The door to files. Production uses [`RealDisk`]; the simulator [`MemoryDisk`], which loses what
//! was not flushed.

mod memory;
mod paced;
mod real;
mod unsynced;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// Bytes free for us on the file system that holds `directory`.
    fn free_bytes(&self, directory: &Path) -> io::Result<u64>;
    /// Takes the lock file at `path` for this process until the guard is dropped; fails at once
    /// when another process holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>>;
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
    /// Truncates or extends with zeros.
    fn set_length(&self, bytes: u64) -> io::Result<()>;
    /// Current length in bytes.
    fn length(&self) -> io::Result<u64>;
}

impl dyn DiskFile {
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
