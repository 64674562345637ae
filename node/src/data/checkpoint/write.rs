//! Writing a checkpoint.

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use redb::CursorMut;

use super::backend::open_database;
use super::codec::Chunks;
use super::rows::{CHECKSUM_BYTES, HEADER, HEADER_KEY, ROWS, RowKey, chain, checksum};
use super::seal::seal;
use super::{CheckpointError, FORMAT, Header, StoredHeader};
use crate::base::disk::{Disk, DiskFile, Pace, PacedFile};
use crate::base::ids::DatabaseId;
use crate::data::keyspace::{Database, Keyspace};

/// The size of a written checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Size of the file.
    pub bytes: u64,
    /// Keys of all databases.
    pub keys: u64,
}

/// Writes a checkpoint of `keyspace` to `path`, not faster than `pace`. The name appears only when
/// the file is complete and durable; the file of an interrupted writer is replaced.
pub fn write(
    disk: &dyn Disk,
    path: &Path,
    header: &Header,
    keyspace: &Keyspace,
    pace: Pace,
) -> Result<Written, CheckpointError> {
    let unfinished = path.with_extension("unfinished");
    // The file exists only after a crash.
    let _ = disk.remove(&unfinished);
    let written = write_aside(disk, &unfinished, path, header, keyspace, pace);
    if written.is_err() {
        // An unfinished file must not occupy disk space. One of the two exists.
        let _ = disk.remove(&unfinished);
        let _ = disk.remove(path);
    }
    written.map_err(|error| CheckpointError::storage(path, error))
}

fn write_aside(
    disk: &dyn Disk,
    unfinished: &Path,
    path: &Path,
    header: &Header,
    keyspace: &Keyspace,
    pace: Pace,
) -> Result<Written, redb::Error> {
    let file: Arc<dyn DiskFile> = Arc::new(PacedFile::new(disk.create(unfinished)?, pace));
    let keys = fill(file.clone(), header, keyspace)?;
    seal(&file)?;
    file.sync_data()?;
    let bytes = file.length()?;
    disk.rename(unfinished, path)?;
    disk.sync_directory(path.parent().unwrap_or(Path::new(".")))?;
    Ok(Written { bytes, keys })
}

fn fill(file: Arc<dyn DiskFile>, header: &Header, keyspace: &Keyspace) -> Result<u64, redb::Error> {
    let mut database = open_database(file)?;
    let transaction = database.begin_write()?;
    let mut sum = Sum::default();
    {
        let mut table = transaction.open_table(ROWS)?;
        let mut cursor = table.upper_bound_mut(Bound::<&[u8]>::Unbounded)?;
        for (id, database) in keyspace.databases() {
            sum.write_database(&mut cursor, id, database)?;
        }
        cursor.close()?;
    }
    let stored = StoredHeader {
        format: FORMAT,
        group: header.group,
        index: header.index,
        state: header.state.to_vec(),
        settings: keyspace.settings.clone(),
        marks: keyspace.databases().map(|(_, database)| database.marks()).collect(),
        rows: sum.rows,
        keys: sum.keys,
        rows_crc32c: sum.crc32c,
    };
    let json = serde_json::to_vec(&stored).map_err(std::io::Error::other)?;
    transaction.open_table(HEADER)?.insert(HEADER_KEY, json.as_slice())?;
    transaction.commit()?;
    // The file grew by doubling; the free part at its end would be sent to followers too.
    database.compact()?;
    Ok(sum.keys)
}

/// Counts and checksums of what was written so far.
#[derive(Debug, Default)]
struct Sum {
    rows: u64,
    keys: u64,
    crc32c: u32,
    row: Vec<u8>,
}

impl Sum {
    fn write_database(
        &mut self,
        cursor: &mut CursorMut<'_, &'static [u8], &'static [u8]>,
        id: DatabaseId,
        database: &Database,
    ) -> Result<(), redb::Error> {
        for (slot, key, object) in database.iter() {
            let mut at = RowKey { database: id, slot, ordinal: self.keys, chunk: 0 };
            let mut chunks = Chunks::new(key, object);
            loop {
                self.row.clear();
                self.row.extend_from_slice(&[0; CHECKSUM_BYTES]);
                if !chunks.next_into(&mut self.row) {
                    break;
                }
                let key = at.encode();
                let crc = checksum(&key, &self.row[CHECKSUM_BYTES..]);
                self.row[..CHECKSUM_BYTES].copy_from_slice(&crc.to_le_bytes());
                cursor.insert_before(key.as_slice(), self.row.as_slice())?;
                self.crc32c = chain(self.crc32c, crc);
                self.rows += 1;
                at.chunk += 1;
            }
            self.keys += 1;
        }
        Ok(())
    }
}
