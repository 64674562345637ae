//! The operating system's files.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FlockOperation;

use super::{Disk, DiskFile, LockGuard};
use crate::base::blocking::check_may_wait;

/// The files of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        check_may_wait("a disk");
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        check_may_wait("a disk");
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        check_may_wait("a disk");
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        check_may_wait("a disk");
        std::fs::remove_file(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        check_may_wait("a disk");
        let missing: Vec<&Path> =
            path.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
        std::fs::create_dir_all(path)?;
        // A directory is an entry of its parent: without this, a power cut may remove it, with
        // everything that was flushed inside.
        for created in missing {
            if let Some(parent) = created.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                self.sync_directory(parent)?;
            }
        }
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        check_may_wait("a disk");
        let mut files = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                files.push(entry.path());
            }
        }
        files.sort();
        Ok(files)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        check_may_wait("a disk");
        File::open(directory)?.sync_all()
    }

    fn free_bytes(&self, directory: &Path) -> io::Result<u64> {
        check_may_wait("a disk");
        let status = rustix::fs::statvfs(directory)?;
        Ok(status.f_bavail.saturating_mul(status.f_frsize))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        check_may_wait("a disk");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
            if error == rustix::io::Errno::WOULDBLOCK {
                let text = format!("{} is locked by another process", path.display());
                io::Error::new(io::ErrorKind::WouldBlock, text)
            } else {
                error.into()
            }
        })?;
        Ok(Box::new(RealLock { _file: file }))
    }
}

#[derive(Debug)]
struct RealLock {
    /// The kernel releases the lock when the descriptor is closed.
    _file: File,
}

impl LockGuard for RealLock {}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        check_may_wait("a disk");
        loop {
            match self.0.read_at(buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        check_may_wait("a disk");
        self.0.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        check_may_wait("a disk");
        self.0.sync_data()
    }

    fn set_length(&self, bytes: u64) -> io::Result<()> {
        check_may_wait("a disk");
        self.0.set_len(bytes)
    }

    fn length(&self) -> io::Result<u64> {
        check_may_wait("a disk");
        Ok(self.0.metadata()?.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::base::blocking::{RAFT_THREAD, enter_thread, while_it_ends};

    #[test]
    fn a_created_file_reads_back_what_was_written_and_refuses_a_second_creation() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/file");
        RealDisk.create_directory(path.parent().unwrap()).unwrap();
        let file = RealDisk.create(&path).unwrap();
        file.write_all_at(b"hello", 3).unwrap();
        file.sync_data().unwrap();
        let mut buffer = [0; 8];
        file.read_exact_at(&mut buffer, 0).unwrap();
        assert_eq!(&buffer, b"\0\0\0hello");
        assert_eq!(file.read_at(&mut buffer, 8).unwrap(), 0);
        assert_eq!(RealDisk.create(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(RealDisk.list(path.parent().unwrap()).unwrap(), [path]);
        assert!(RealDisk.free_bytes(directory.path()).unwrap() > 0);
    }

    #[test]
    fn the_raft_thread_may_not_touch_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = RealDisk.create(&directory.path().join("file")).unwrap();
        let on_raft_thread = |work: Box<dyn FnOnce() + Send>| {
            let thread = std::thread::spawn(move || {
                enter_thread(RAFT_THREAD);
                work();
            });
            thread.join().is_err()
        };
        assert!(on_raft_thread(Box::new(move || drop(file.sync_data()))));
        assert!(on_raft_thread(Box::new(move || drop(RealDisk.list(directory.path())))));
        assert!(!on_raft_thread(Box::new(|| while_it_ends(|| drop(
            RealDisk.list(Path::new("."))
        )))));
    }

    #[test]
    fn a_lock_is_given_to_one_holder_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = RealDisk.lock(&path).unwrap();
        assert_eq!(RealDisk.lock(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(held);
        RealDisk.lock(&path).unwrap();
    }
}
