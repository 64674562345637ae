//! `meta.redb`: the few facts about a data directory that must never be lost. Each change is a
//! two-phase commit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use redb::{Database, Durability, ReadableDatabase, TableDefinition};
use serde::{Deserialize, Serialize};

use super::checkpoint::backend::open_database;
use super::lineage::{Lineage, Registration};
use crate::base::disk::{Disk, DiskFile, is_full};
use crate::base::feature_level::{FeatureLevel, UnknownLevel};
use crate::base::ids::{ClusterId, NodeId};

/// The file's name in a data directory.
pub const FILE_NAME: &str = "meta.redb";

const TABLE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const KEY: &str = "facts";

/// The format that version 0.1.0 reads; written until the feature level has risen, see
/// `feature_level.rs`.
const FORMAT_FIRST: u32 = 1;

/// Contains a feature level above the first, so that a program without levels refuses it.
const FORMAT_WITH_LEVEL: u32 = 2;

/// The first page of a redb file contains only its header.
const HEADER_BYTES: u64 = 4096;

/// The facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    format: u32,
    /// The identity of this directory, once a cluster has given it one.
    pub node_id: Option<NodeId>,
    /// The cluster it belongs to.
    pub cluster_id: Option<ClusterId>,
    /// File name of the current checkpoint.
    pub checkpoint: Option<String>,
    /// Why this node was removed permanently; it must not start again.
    pub removed: Option<String>,
    /// Why the data here contradicts the cluster; no node may serve it again.
    pub condemned: Option<String>,
    /// Starts of a node on this directory.
    pub starts: u64,
    /// The highest feature level of an entry that was applied here.
    #[serde(default)]
    feature_level: FeatureLevel,
    /// The longest time, milliseconds, for which a node on this directory may have promised a
    /// leader to vote for no other node, as far as such promises may still hold.
    #[serde(default)]
    pub lease_ms: Option<u64>,
    /// Entries of the log that are not executed, see `consensus/storage/recover.rs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedEntry>,
    /// The incarnations that nodes on this directory have had.
    #[serde(default, skip_serializing_if = "Lineage::is_empty")]
    pub lineage: Lineage,
    /// Why this directory is a copy or an old state; no node may serve it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded: Option<Superseded>,
    /// An objection of members against this directory. Its node takes no part until enough members
    /// have confirmed the objection, or an operator decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contested: Option<Superseded>,
}

/// Why a directory is a copy or an old state, or is suspected to be one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superseded {
    /// The reason as text.
    pub reason: String,
    /// The registration of the cluster for an incarnation that this directory never drew.
    pub registered: Registration,
}

/// An entry of the log that an operator decided to skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedEntry {
    /// Its log index.
    pub index: u64,
    /// Checksum of its bytes.
    pub checksum: u64,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            format: FORMAT_FIRST,
            node_id: None,
            cluster_id: None,
            checkpoint: None,
            removed: None,
            condemned: None,
            starts: 0,
            feature_level: FeatureLevel::FIRST,
            lease_ms: None,
            skipped: Vec::new(),
            lineage: Lineage::default(),
            superseded: None,
            contested: None,
        }
    }
}

impl Facts {
    /// Records that the cluster runs at this feature level.
    pub fn note_level(&mut self, level: FeatureLevel) {
        self.feature_level = self.feature_level.max(level);
        if self.feature_level > FeatureLevel::FIRST {
            self.format = FORMAT_WITH_LEVEL;
        }
    }

    /// Whether this level, or a higher one, is recorded.
    pub fn has_level(&self, level: FeatureLevel) -> bool {
        self.feature_level >= level
    }

    /// Whether this program may use the directory.
    pub fn check_level(&self) -> Result<(), UnknownLevel> {
        let level = self.feature_level;
        if level.is_known() { Ok(()) } else { Err(UnknownLevel(level)) }
    }
}

/// Why the facts could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// The disk or redb failed.
    #[error("{path}: {source}")]
    Storage {
        /// The file.
        path: PathBuf,
        /// What failed.
        source: Box<redb::Error>,
    },
    /// The file holds no facts that this program understands.
    #[error(
        "{path} is damaged or newer than this program: {what}; remove this member from its cluster \
         and let the node join again with an empty directory"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// The open file.
#[derive(Debug)]
pub struct Meta {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    /// Held during a change of the file. `None` when it could not be opened again after a failure.
    database: Mutex<Option<Database>>,
    /// The durable facts. Held only briefly: readers must not wait for a disk.
    facts: Mutex<Facts>,
}

impl Meta {
    /// Opens the facts of `directory`, or creates empty ones.
    pub fn open(disk: &dyn Disk, directory: &Path) -> Result<Self, MetaError> {
        let path = directory.join(FILE_NAME);
        let storage = |source: redb::Error| MetaError::Storage {
            path: path.clone(),
            source: Box::new(source),
        };
        let damaged = |what: String| MetaError::Damaged { path: path.clone(), what };
        let file = match disk.open(&path) {
            Ok(file) => {
                // What a failed commit left in the page cache must not count before it is durable.
                // The page with redb's header is written last: it decides which commit is current.
                file.write_again(HEADER_BYTES).map_err(|error| storage(error.into()))?;
                file
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                create(disk, directory, &path).map_err(storage)?
            }
            Err(error) => return Err(storage(error.into())),
        };
        let database = open_database(file.clone()).map_err(|error| damaged(error.to_string()))?;
        let facts = match read(&database).map_err(storage)? {
            Some(json) => serde_json::from_slice(&json).map_err(|e| damaged(e.to_string()))?,
            // A crash before the first commit leaves a file without facts.
            None => Facts::default(),
        };
        if !(FORMAT_FIRST..=FORMAT_WITH_LEVEL).contains(&facts.format) {
            return Err(damaged(format!("format {}", facts.format)));
        }
        Ok(Self { path, file, database: Mutex::new(Some(database)), facts: Mutex::new(facts) })
    }

    /// The facts as they are now.
    pub fn facts(&self) -> Facts {
        self.facts.lock().clone()
    }

    /// Changes the facts; durable on return. After [`MetaError::is_full`] they are unchanged, and a
    /// later change may succeed.
    pub fn update(&self, change: impl FnOnce(&mut Facts)) -> Result<(), MetaError> {
        let mut database = self.database.lock();
        let before = self.facts();
        let mut changed = before.clone();
        change(&mut changed);
        if changed == before {
            return Ok(());
        }
        if let Err(error) = write(database.as_ref(), &changed) {
            if is_full_error(&error) && self.reopen(&mut database)? == before {
                return Err(self.storage(error));
            }
            // Either the disk failed, or the change was made but may not be durable.
            return Err(self.storage(std::io::Error::other(error.to_string()).into()));
        }
        *self.facts.lock() = changed;
        Ok(())
    }

    /// redb accepts no further change after a failed one. Returns the facts in the file.
    fn reopen(&self, place: &mut Option<Database>) -> Result<Facts, MetaError> {
        *place = None;
        let database = open_database(self.file.clone()).map_err(|e| self.storage(e.into()))?;
        let json = read(&database).map_err(|error| self.storage(error))?;
        *place = Some(database);
        match json {
            Some(json) => serde_json::from_slice(&json)
                .map_err(|error| self.storage(std::io::Error::other(error).into())),
            None => Ok(Facts::default()),
        }
    }

    fn storage(&self, source: redb::Error) -> MetaError {
        MetaError::Storage { path: self.path.clone(), source: Box::new(source) }
    }
}

impl MetaError {
    /// Whether the disk is full, which may pass.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Storage { source, .. } if is_full_error(source))
    }
}

fn is_full_error(error: &redb::Error) -> bool {
    matches!(error, redb::Error::Io(error) if is_full(error))
}

fn write(database: Option<&Database>, facts: &Facts) -> Result<(), redb::Error> {
    let closed = || std::io::Error::other("the file could not be opened again");
    let json = serde_json::to_vec(facts).map_err(std::io::Error::other)?;
    let mut transaction = database.ok_or_else(closed)?.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_two_phase_commit(true);
    transaction.open_table(TABLE)?.insert(KEY, json.as_slice())?;
    transaction.commit()?;
    Ok(())
}

/// Gives the file its name only when redb can open it, so that a crash in between leaves no file
/// that looks damaged.
fn create(
    disk: &dyn Disk,
    directory: &Path,
    path: &Path,
) -> Result<Arc<dyn DiskFile>, redb::Error> {
    let unfinished = path.with_extension("unfinished");
    // The file exists only after a crash.
    let _ = disk.remove(&unfinished);
    let file = disk.create(&unfinished)?;
    drop(open_database(Arc::clone(&file))?);
    file.sync_data()?;
    disk.rename(&unfinished, path)?;
    disk.sync_directory(directory)?;
    Ok(file)
}

fn read(database: &Database) -> Result<Option<Vec<u8>>, redb::Error> {
    let transaction = database.begin_read()?;
    let table = match transaction.open_table(TABLE) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(table.get(KEY)?.map(|json| json.value().to_vec()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::base::disk::MemoryDisk;

    #[test]
    fn facts_survive_a_reopening() {
        let disk = MemoryDisk::default();
        let directory = Path::new("/data");
        disk.create_directory(directory).unwrap();
        let meta = Meta::open(&disk, directory).unwrap();
        assert_eq!(meta.facts(), Facts::default());
        meta.update(|facts| facts.node_id = Some(NodeId(7))).unwrap();
        drop(meta);
        let meta = Meta::open(&disk, directory).unwrap();
        assert_eq!(meta.facts().node_id, Some(NodeId(7)));
    }

    #[test]
    fn a_level_above_the_first_stops_programs_that_do_not_know_it() {
        let mut facts = Facts::default();
        facts.note_level(FeatureLevel::FIRST);
        assert_eq!(facts, Facts::default());
        facts.note_level(FeatureLevel::HIGHEST);
        // Version 0.1.0 accepts only format 1.
        assert_eq!((facts.format, facts.check_level()), (FORMAT_WITH_LEVEL, Ok(())));
        facts.note_level(FeatureLevel(FeatureLevel::HIGHEST.0 + 1));
        facts.note_level(FeatureLevel::FIRST);
        assert_eq!(
            facts.check_level(),
            Err(UnknownLevel(FeatureLevel(FeatureLevel::HIGHEST.0 + 1)))
        );
    }

    #[test]
    fn a_fact_that_a_start_finds_after_a_failed_flush_outlives_a_power_cut() {
        let mut failed = 0;
        for syncs in 0..12 {
            for earlier_operations in 0..8 {
                let disk = MemoryDisk::default();
                let meta = Meta::open(&disk, Path::new("/data")).unwrap();
                meta.update(|facts| facts.starts += 1).unwrap();
                let lock = Path::new("/data/other");
                (0..earlier_operations).for_each(|_| disk.sync_directory(lock).unwrap());
                disk.fail_sync_after(syncs);
                if !(0..3).any(|_| meta.update(|facts| facts.starts += 1).is_err()) {
                    break;
                }
                drop(meta);
                let found = Meta::open(&disk, Path::new("/data")).unwrap().facts();
                disk.crash(1);
                let kept = Meta::open(&disk, Path::new("/data")).unwrap().facts();
                assert_eq!(kept, found, "{syncs} flushes, {earlier_operations} operations");
                failed += 1;
            }
        }
        assert!(failed > 20, "only {failed} flushes failed");
    }

    #[test]
    fn a_change_on_a_full_disk_is_not_made_and_can_be_made_later() {
        let disk = MemoryDisk::default();
        let meta = Meta::open(&disk, Path::new("/data")).unwrap();
        meta.update(|facts| facts.starts = 1).unwrap();
        disk.refuse_writes(1);
        let refused = meta.update(|facts| facts.starts = 2).unwrap_err();
        assert!(refused.is_full(), "{refused}");
        assert_eq!(meta.facts().starts, 1);
        meta.update(|facts| facts.starts = 3).unwrap();
        drop(meta);
        assert_eq!(Meta::open(&disk, Path::new("/data")).unwrap().facts().starts, 3);
    }

    /// Three changes on a disk with a power cut after `power` operations; returns how many were
    /// acknowledged.
    fn change_until(disk: &MemoryDisk, power: u64) -> u64 {
        disk.cut_power_after(power);
        let Ok(meta) = Meta::open(disk, Path::new("/data")) else { return 0 };
        (1..=3).take_while(|_| meta.update(|facts| facts.starts += 1).is_ok()).count() as u64
    }

    #[test]
    fn no_crash_loses_an_acknowledged_fact_or_the_file() {
        for power in 0.. {
            let mut whole = true;
            for seed in 0..8 {
                let disk = MemoryDisk::default();
                let acknowledged = change_until(&disk, power);
                whole &= acknowledged == 3;
                disk.crash(power * 8 + seed);
                let meta = Meta::open(&disk, Path::new("/data")).unwrap();
                let starts = meta.facts().starts;
                assert!(
                    starts == acknowledged || starts == acknowledged + 1,
                    "{starts} found, {acknowledged} acknowledged, power {power}, seed {seed}"
                );
            }
            if whole {
                assert!(power > 10, "only {power} operations");
                break;
            }
        }
    }
}
