//! Faults of disks: small disks that become full, and damage to stored files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system in memory, unmounted when dropped. Needs root.
#[derive(Debug)]
pub struct SmallDisk {
    mount_point: PathBuf,
}

impl SmallDisk {
    /// Mounts a disk of this size.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn mount(mount_point: &Path, megabytes: u32) -> io::Result<Self> {
        fs::create_dir_all(mount_point)?;
        let size = format!("size={megabytes}m");
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "ironkv-tests"])
            .arg(mount_point))?;
        Ok(Self { mount_point: mount_point.to_owned() })
    }

    /// Writes a file that uses all but so many bytes.
    ///
    /// # Errors
    /// Any error except a full disk.
    pub fn fill(&self, leave_bytes: u64) -> io::Result<()> {
        let mut file = File::create(self.mount_point.join("filler"))?;
        loop {
            let free = rustix::fs::statvfs(&self.mount_point)?;
            if free.f_bavail * free.f_frsize <= leave_bytes {
                return Ok(());
            }
            match file.write_all(&[0xa5; 4096]) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes the file of [`Self::fill`].
    ///
    /// # Errors
    /// It does not exist.
    pub fn free(&self) -> io::Result<()> {
        fs::remove_file(self.mount_point.join("filler"))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that was just killed may still have a file open.
        let _unmounted = run(Command::new("umount").arg("-l").arg(&self.mount_point));
    }
}

/// Runs a command of the system.
///
/// # Errors
/// It is missing or fails; the error contains its output.
pub fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("{command:?}: {message}")))
}

/// Every file below `directory` whose name has this prefix, in order of name.
///
/// # Errors
/// A directory cannot be read.
pub fn files(directory: &Path, beginning: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, beginning)?);
        } else if path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(beginning)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Offset after the last byte that is not zero: the real end of a preallocated file.
///
/// # Errors
/// The file cannot be read.
pub fn written_end(path: &Path) -> io::Result<u64> {
    let bytes = fs::read(path)?;
    Ok(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at as u64 + 1))
}

/// Zeroes everything from `offset` on, as if it had never reached the disk.
///
/// # Errors
/// The file cannot be written.
pub fn tear(path: &Path, offset: u64) -> io::Result<()> {
    let file = File::options().write(true).open(path)?;
    let length = file.metadata()?.len();
    file.set_len(offset)?;
    file.set_len(length)
}

/// Copies the bytes at `from` to `to`.
///
/// # Errors
/// The file is shorter than that or cannot be written.
pub fn copy_within(path: &Path, from: u64, to: u64, length: usize) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, from)?;
    file.write_all_at(&bytes, to)
}

/// Flips one bit.
///
/// # Errors
/// The file is shorter than that or cannot be written.
pub fn flip_bit(path: &Path, offset: u64) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset)?;
    byte[0] ^= 1;
    file.write_all_at(&byte, offset)
}

#[test]
fn damage_is_at_the_requested_position() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.log");
    fs::write(&path, [1, 2, 3, 4, 0, 0]).unwrap();
    assert_eq!(written_end(&path).unwrap(), 4);
    flip_bit(&path, 1).unwrap();
    tear(&path, 3).unwrap();
    assert_eq!(fs::read(&path).unwrap(), [1, 3, 3, 0, 0, 0]);
    assert_eq!(files(directory.path(), "a.").unwrap(), [path]);
}
