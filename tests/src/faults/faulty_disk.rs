//! The disk of one real process, which can hang, and which loses unflushed data in a power cut. A
//! small library between the program and its files does this, see `faulty_disk.c`.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::faults::disk::files;
use crate::faults::preload;

const SHIM: &str = include_str!("faulty_disk.c");

/// Of a record: the length of the file, the start of the write, the number of old bytes that
/// follow.
const HEAD_BYTES: usize = 24;

/// The operations that wait until the disk answers again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hangs {
    /// None: the disk works.
    Nothing = 0,
    /// Flushes. Writes go to memory as long as there is some.
    Flushes = 1,
    /// Flushes and writes.
    Everything = 2,
}

/// See the module.
#[derive(Debug)]
pub struct FaultyDisk {
    library: PathBuf,
    notes: PathBuf,
    data: PathBuf,
}

impl FaultyDisk {
    /// A disk that works, for the files in `data`; its own files are in `directory`.
    ///
    /// # Errors
    /// The C compiler is missing or the directory cannot be written.
    pub fn new(directory: &Path, data: &Path) -> io::Result<Self> {
        let notes = directory.join("disk");
        fs::create_dir_all(&notes)?;
        let library = preload::compile(&notes, "disk", SHIM)?;
        let disk = Self { library, notes, data: data.to_owned() };
        disk.hang(Hangs::Nothing)?;
        Ok(disk)
    }

    /// The words before a program that should use this disk.
    pub fn wrapper(&self) -> Vec<String> {
        let variables =
            [("FAULTY_DISK", self.notes.as_path()), ("FAULTY_DISK_DATA", self.data.as_path())];
        preload::wrapper(&self.library, &variables)
    }

    /// From now on these operations wait.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn hang(&self, hangs: Hangs) -> io::Result<()> {
        // In place: processes have mapped the file.
        let path = self.notes.join("hangs");
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        file.write_all_at(&[hangs as u8], 0)
    }

    /// To be called when the process is dead: undoes what a power cut may undo, each unflushed
    /// write at random. Returns how many were undone.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn lose_unflushed(&self) -> io::Result<usize> {
        let mut undone = 0;
        for path in files(&self.data, "")? {
            let note = self.notes.join(format!("undo-{}", fs::metadata(&path)?.ino()));
            if !note.exists() {
                continue;
            }
            let file = File::options().write(true).open(&path)?;
            let text = fs::read(&note)?;
            for write in parse(&text).iter().rev() {
                if rand::random() {
                    file.set_len(write.length)?;
                    file.write_all_at(write.old, write.offset)?;
                    undone += 1;
                }
            }
        }
        for note in files(&self.notes, "undo-")? {
            fs::remove_file(note)?;
        }
        Ok(undone)
    }
}

/// The bytes that a write has overwritten.
#[derive(Debug, PartialEq, Eq)]
struct Overwritten<'a> {
    length: u64,
    offset: u64,
    old: &'a [u8],
}

/// An incomplete record at the end belongs to a write that never began.
fn parse(mut text: &[u8]) -> Vec<Overwritten<'_>> {
    let mut found = Vec::new();
    while let Some((write, rest)) = parse_one(text) {
        found.push(write);
        text = rest;
    }
    found
}

fn parse_one(text: &[u8]) -> Option<(Overwritten<'_>, &[u8])> {
    let (head, rest) = text.split_at_checked(HEAD_BYTES)?;
    let number = |at: usize| Some(u64::from_ne_bytes(head[at..at + 8].try_into().ok()?));
    let (old, rest) = rest.split_at_checked(usize::try_from(number(16)?).ok()?)?;
    Some((Overwritten { length: number(0)?, offset: number(8)?, old }, rest))
}

#[test]
fn notes_of_writes_are_read_back() {
    let mut text = Vec::new();
    for (length, offset, old) in [(0_u64, 0_u64, &b""[..]), (9, 4, b"abc")] {
        for number in [length, offset, old.len() as u64] {
            text.extend_from_slice(&number.to_ne_bytes());
        }
        text.extend_from_slice(old);
    }
    let found = parse(&text);
    assert_eq!(found[0], Overwritten { length: 0, offset: 0, old: b"" });
    assert_eq!(found[1], Overwritten { length: 9, offset: 4, old: b"abc" });
    assert_eq!(parse(&text[..text.len() - 1]).len(), 1);
}
