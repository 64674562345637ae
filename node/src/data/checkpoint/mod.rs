//! Checkpoints: the whole keyspace at one log index, in a redb file of its own.
//!
//! The caller takes a clone of the keyspace, which is cheap, and passes it to [`write()`] on a
//! separate thread. A file gets its name only when it is complete and durable. It ends with a
//! checksum of the whole file, each row has a checksum of its own, and the header counts the rows,
//! so that [`load`] refuses a torn or damaged file. Reading never changes a file.

pub(in crate::data) mod backend;
mod codec;
mod load;
mod rows;
mod seal;
mod write;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::base::disk::is_full;
use crate::base::ids::GroupId;
use crate::data::keyspace::{Marks, Settings};

pub use load::{Loaded, load, read_header, verify};
pub use write::{Written, write};

/// What a checkpoint says of itself beside keys and objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Which group's keys.
    pub group: GroupId,
    /// Index of the last log entry whose effect is in it.
    pub index: u64,
    /// The group's replicated state beside keys, as its owner encodes it: membership, identity,
    /// time.
    pub state: Bytes,
}

/// Why a checkpoint was not written or not read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The disk or redb failed.
    #[error("checkpoint {path}: {source}")]
    Storage {
        /// The file.
        path: PathBuf,
        /// What failed.
        source: Box<redb::Error>,
    },
    /// What was read is not what was written.
    #[error(
        "checkpoint {path} is damaged: {what}; remove this member from its cluster, let the node \
         join again with an empty directory"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and how.
        what: String,
    },
    /// Written by a newer version of the program.
    #[error(
        "checkpoint {path} has format {found}, this program reads {FORMAT}; use a newer program"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

/// The format that this program writes; it reads this one.
const FORMAT: u32 = 1;

/// The row of the header table, as JSON. Small, and readable with any redb tool.
#[derive(Debug, Serialize, Deserialize)]
struct StoredHeader {
    format: u32,
    group: GroupId,
    index: u64,
    state: Vec<u8>,
    settings: Settings,
    marks: Vec<Marks>,
    rows: u64,
    keys: u64,
    /// Over the checksums of all rows in order: a missing or exchanged row changes it.
    rows_crc32c: u32,
}

/// The file of a group's checkpoint at a log index. Names sort by index.
pub fn file_name(group: GroupId, index: u64) -> String {
    format!("checkpoint-{group}-{index:020}.redb")
}

impl CheckpointError {
    /// Whether the file does not hold what it should, though the disk answers: it ends too early or
    /// redb finds no sense in it.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Storage { source, .. } => match &**source {
                redb::Error::Io(error) => error.kind() == std::io::ErrorKind::UnexpectedEof,
                _ => true,
            },
            Self::Damaged { .. } | Self::Format { .. } => true,
        }
    }

    /// Whether there was no room, which may pass.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Storage { source, .. }
            if matches!(&**source, redb::Error::Io(error) if is_full(error)))
    }

    fn storage(path: &Path, source: impl Into<redb::Error>) -> Self {
        Self::Storage { path: path.to_owned(), source: Box::new(source.into()) }
    }

    fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }
}

#[cfg(test)]
#[path = "checkpoint_test.rs"]
mod tests;
