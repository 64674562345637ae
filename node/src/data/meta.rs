//! `meta.redb`: the few facts about a data directory that must survive anything, each change made
//! with a two-phase commit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use redb::{Database, Durability, ReadableDatabase, TableDefinition};
use serde::{Deserialize, Serialize};

use super::checkpoint::backend::open_database;
use crate::base::disk::{Disk, DiskFile};
use crate::base::ids::{ClusterId, NodeId};

const TABLE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const KEY: &str = "facts";
const FORMAT: u32 = 1;

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    format: u32,
    /// The identity of this directory, once a cluster has given it one.
    pub node_id: Option<NodeId>,
    /// The cluster it belongs to.
    pub cluster_id: Option<ClusterId>,
    /// File name of the checkpoint in force.
    pub checkpoint: Option<String>,
    /// Why this node was removed for good; it must not start again.
    pub removed: Option<String>,
    /// Starts of a node on this directory.
    pub starts: u64,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            format: FORMAT,
            node_id: None,
            cluster_id: None,
            checkpoint: None,
            removed: None,
            starts: 0,
        }
    }
}

/// Why the facts were not read or not written.
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
    database: Database,
    facts: Mutex<Facts>,
}

impl Meta {
    /// Opens the facts of `directory`, or begins with none.
    pub fn open(disk: &dyn Disk, directory: &Path) -> Result<Self, MetaError> {
        let path = directory.join("meta.redb");
        let storage = |source: redb::Error| MetaError::Storage {
            path: path.clone(),
            source: Box::new(source),
        };
        let damaged = |what: String| MetaError::Damaged { path: path.clone(), what };
        let file = match disk.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                create(disk, directory, &path).map_err(storage)?
            }
            Err(error) => return Err(storage(error.into())),
        };
        let database = open_database(file).map_err(|error| damaged(error.to_string()))?;
        let facts = match read(&database).map_err(storage)? {
            Some(json) => serde_json::from_slice(&json).map_err(|e| damaged(e.to_string()))?,
            // A crash before the first commit leaves a file without facts.
            None => Facts::default(),
        };
        if facts.format != FORMAT {
            return Err(damaged(format!("format {}", facts.format)));
        }
        Ok(Self { path, database, facts: Mutex::new(facts) })
    }

    /// The facts as they are now.
    pub fn facts(&self) -> Facts {
        self.facts.lock().clone()
    }

    /// Changes the facts; durable on return.
    pub fn update(&self, change: impl FnOnce(&mut Facts)) -> Result<(), MetaError> {
        let mut facts = self.facts.lock();
        let mut changed = facts.clone();
        change(&mut changed);
        if changed == *facts {
            return Ok(());
        }
        self.write(&changed).map_err(|source| MetaError::Storage {
            path: self.path.clone(),
            source: Box::new(source),
        })?;
        *facts = changed;
        Ok(())
    }

    fn write(&self, facts: &Facts) -> Result<(), redb::Error> {
        let json = serde_json::to_vec(facts).map_err(std::io::Error::other)?;
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        transaction.set_two_phase_commit(true);
        transaction.open_table(TABLE)?.insert(KEY, json.as_slice())?;
        transaction.commit()?;
        Ok(())
    }
}

/// Gives the file its name only when redb can open it: a crash in between must not leave one that
/// looks damaged.
fn create(
    disk: &dyn Disk,
    directory: &Path,
    path: &Path,
) -> Result<Arc<dyn DiskFile>, redb::Error> {
    let unfinished = path.with_extension("unfinished");
    // There is one only after a crash.
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

    /// Three changes on a disk whose power goes after `power` operations; how many were
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
