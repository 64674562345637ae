//! Checkpoints: the whole keyspace at one log index, in its own redb file.
//!
//! The caller clones the keyspace, which is cheap, and passes the clone to [`write()`] on a
//! separate thread. A file gets its name only when it is complete and durable. It ends with a
//! checksum of the whole file, each row has its own checksum, and the header counts the rows, so
//! that [`load`] refuses a torn or damaged file. Reading never changes a file.

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

/// The contents of a checkpoint besides keys and objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The group whose keys are stored.
    pub group: GroupId,
    /// Index of the last log entry that the checkpoint contains.
    pub index: u64,
    /// The replicated state of the group besides keys, encoded by its owner: membership, identity,
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
    /// The file does not contain what was written.
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

/// The row of the header table, as JSON. It is small and can be read with any redb tool.
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
    /// Over the checksums of all rows in order, so that a missing or exchanged row changes it.
    rows_crc32c: u32,
}

/// The file of a group's checkpoint at a log index. Names sort by index.
pub fn file_name(group: GroupId, index: u64) -> String {
    format!("checkpoint-{group}-{index:020}.redb")
}

impl CheckpointError {
    /// Whether the file has the wrong content although the disk works: it is too short, or redb
    /// cannot read it.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Storage { source, .. } => match &**source {
                redb::Error::Io(error) => error.kind() == std::io::ErrorKind::UnexpectedEof,
                _ => true,
            },
            Self::Damaged { .. } | Self::Format { .. } => true,
        }
    }

    /// Whether the disk is full, which may pass.
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
