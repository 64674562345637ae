//! The way out of an entry that ends every node which executes it: a panic, a limit of memory, or
//! an entry of a newer version. Execution is deterministic and a panic ends the process (the
//! release profile aborts, and half an entry's changes could not be taken back), so all nodes would
//! meet the entry again at each start. An operator may have it skipped instead, on every node the
//! same one: it is named by its index and by a checksum of its bytes, and a node that meets other
//! bytes at that index stops.
//!
//! What could not be noticed is refused: an entry whose effect this node's checkpoint holds, and
//! entries that change the membership. A node that executed the entry all the same, while others
//! skipped it, is found by the comparison of digests (`digests.rs`).

use std::path::Path;
use std::sync::Arc;

use openraft::EntryPayload;
use xxhash_rust::xxh3::xxh3_64;

use super::log::{Log, LogError, LogOptions, Record};
use crate::base::disk::{Disk, RealDisk};
use crate::base::ids::GroupId;
use crate::commands::request::{Unit, decode_units};
use crate::consensus::network::convert::decode_payload;
use crate::consensus::proposal::entry::{GroupEntry, Item};
use crate::data::checkpoint;
use crate::data::meta::{Meta, MetaError, SkippedEntry};

/// An entry of a stopped node's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEntry {
    /// The term of the leader that wrote it.
    pub term: u64,
    /// Of its bytes.
    pub checksum: u64,
    /// What it does, as far as this program can read it.
    pub content: String,
}

/// Why an entry cannot be skipped.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The identity cannot be read or written.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The checkpoint cannot be read.
    #[error("{0}")]
    Checkpoint(String),
    /// Skipping would make replicas differ, or break consensus.
    #[error("{0}")]
    Refused(String),
}

/// The checksum that names an entry's bytes.
pub(crate) fn checksum_of(payload: &[u8]) -> u64 {
    xxh3_64(payload)
}

/// The entry at `index` in the log of the stopped node in `directory`; `None` when it has not
/// arrived there. Refused when it cannot be skipped.
pub fn find_entry(directory: &Path, index: u64) -> Result<Option<FoundEntry>, RecoverError> {
    let meta = Meta::open(&RealDisk, directory)?;
    let group = directory.join(format!("group-{}", GroupId::FIRST));
    if let Some(name) = meta.facts().checkpoint {
        let header = checkpoint::read_header(&RealDisk, &group.join(name))
            .map_err(|error| RecoverError::Checkpoint(error.to_string()))?;
        if index <= header.index {
            return Err(RecoverError::Refused(format!(
                "the checkpoint of this node holds the effect of entry {index}, so skipping it on \
                 others would make them differ: keep this node's data and let the others join \
                 again with empty directories"
            )));
        }
    }
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let record = Log::read_stopped(disk, &group.join("log"), LogOptions::default(), index)?;
    record.map(|record| describe(index, &record)).transpose()
}

fn describe(index: u64, record: &Record) -> Result<FoundEntry, RecoverError> {
    let content = match decode_payload(&record.payload) {
        Ok(EntryPayload::Normal(entry)) => match GroupEntry::decode(&entry.0) {
            Ok(entry) => {
                let items: Vec<_> = entry.items.iter().map(name_of).collect();
                items.join(", ")
            }
            Err(error) => error.to_string(),
        },
        Ok(EntryPayload::Blank | EntryPayload::Membership(_)) => {
            return Err(RecoverError::Refused(format!(
                "entry {index} belongs to consensus itself and cannot be skipped"
            )));
        }
        Err(error) => error.to_string(),
    };
    let checksum = checksum_of(&record.payload);
    Ok(FoundEntry { term: record.position.term, checksum, content })
}

fn name_of(item: &Item) -> String {
    if let Item::Piece(piece) = item {
        return format!("bytes {} and on of a request of {}", piece.offset, piece.total);
    }
    let Item::Request(bytes) = item else {
        let text = format!("{item:?}");
        return text.chars().take(80).collect();
    };
    let Ok(units) = decode_units(bytes) else { return "a damaged request".to_owned() };
    let names = units.map(|unit| match unit {
        Ok(Unit::Call(call)) => call.command.name.to_owned(),
        Ok(Unit::Transaction { calls, .. }) => format!("EXEC of {}", calls.len()),
        Err(error) => error.to_string(),
    });
    names.take(10).collect::<Vec<_>>().join(" ")
}

/// Has the stopped node in `directory` skip the entry at `index` if its bytes have this checksum.
/// One that has not arrived yet is skipped when it does. Durable on return.
pub fn skip_entry(directory: &Path, index: u64, checksum: u64) -> Result<(), RecoverError> {
    if let Some(found) = find_entry(directory, index)?
        && found.checksum != checksum
    {
        return Err(RecoverError::Refused(format!(
            "entry {index} has checksum {:016x} here, not {checksum:016x}: it is another entry",
            found.checksum
        )));
    }
    let meta = Meta::open(&RealDisk, directory)?;
    meta.update(|facts| {
        facts.skipped.retain(|entry| entry.index != index);
        facts.skipped.push(SkippedEntry { index, checksum });
    })?;
    Ok(())
}
