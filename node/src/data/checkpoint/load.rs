//! Reading a checkpoint, with every check.

use std::path::Path;

use redb::{ReadableDatabase, ReadableTable};

use super::backend::open_part;
use super::codec::Builder;
use super::rows::{CHECKSUM_BYTES, HEADER, HEADER_KEY, ROWS, RowKey, chain, checksum};
use super::seal;
use super::{CheckpointError, FORMAT, Header, StoredHeader};
use crate::base::disk::Disk;
use crate::base::ids::DatabaseId;
use crate::base::limits::DATABASES;
use crate::data::keyspace::{Database, Keyspace, Object};

/// A checkpoint in memory.
#[derive(Debug)]
pub struct Loaded {
    /// The header.
    pub header: Header,
    /// The keys.
    pub keyspace: Keyspace,
}

/// Reads a whole checkpoint and checks every row.
pub fn load(disk: &dyn Disk, path: &Path) -> Result<Loaded, CheckpointError> {
    let file = Source::open(disk, path, true)?;
    let mut databases: Vec<Vec<(Vec<u8>, Object)>> = Vec::new();
    databases.resize_with(usize::from(DATABASES), Vec::new);
    file.each_object(|database, key, object| {
        databases[usize::from(database.0)].push((key, object));
    })?;
    let mut keyspace = Keyspace::default();
    keyspace.settings = file.stored.settings.clone();
    for (number, (entries, marks)) in databases.into_iter().zip(&file.stored.marks).enumerate() {
        let id = DatabaseId(number as u8);
        *keyspace.database_mut(id) = Database::from_entries(marks, entries);
    }
    Ok(Loaded { header: file.header(), keyspace })
}

/// Reads only the header, quickly: the rest of the file may be damaged.
pub fn read_header(disk: &dyn Disk, path: &Path) -> Result<Header, CheckpointError> {
    Ok(Source::open(disk, path, false)?.header())
}

/// Checks every row and keeps none. Returns the number of keys.
pub fn verify(disk: &dyn Disk, path: &Path) -> Result<u64, CheckpointError> {
    let file = Source::open(disk, path, true)?;
    file.each_object(|_, _, _| ())?;
    Ok(file.stored.keys)
}

struct Source<'a> {
    path: &'a Path,
    database: redb::ReadOnlyDatabase,
    stored: StoredHeader,
}

impl<'a> Source<'a> {
    fn open(disk: &dyn Disk, path: &'a Path, whole: bool) -> Result<Self, CheckpointError> {
        let storage = |error: redb::Error| CheckpointError::storage(path, error);
        let damaged = |what: &str| CheckpointError::damaged(path, what);
        let file = disk.open(path).map_err(|error| storage(error.into()))?;
        let bytes = seal::check(&file, whole).map_err(|error| storage(error.into()))?;
        let database = match open_part(file, bytes.map_err(damaged)?) {
            Ok(database) => database,
            Err(redb::DatabaseError::Storage(redb::StorageError::Io(error))) => {
                return Err(storage(error.into()));
            }
            Err(error) => return Err(damaged(&error.to_string())),
        };
        let read = || -> Result<Vec<u8>, redb::Error> {
            let transaction = database.begin_read()?;
            let table = transaction.open_table(HEADER)?;
            Ok(table.get(HEADER_KEY)?.map(|json| json.value().to_vec()).unwrap_or_default())
        };
        let json = read().map_err(|error| damaged(&format!("the header: {error}")))?;
        let format: serde_json::Value = serde_json::from_slice(&json)
            .map_err(|error| damaged(&format!("the header: {error}")))?;
        let found = format["format"].as_u64().and_then(|number| u32::try_from(number).ok());
        if let Some(found) = found.filter(|found| *found != FORMAT) {
            return Err(CheckpointError::Format { path: path.to_owned(), found });
        }
        let stored: StoredHeader = serde_json::from_value(format)
            .map_err(|error| damaged(&format!("the header: {error}")))?;
        if stored.marks.len() != usize::from(DATABASES) {
            return Err(damaged("the header: wrong number of databases"));
        }
        Ok(Self { path, database, stored })
    }

    fn header(&self) -> Header {
        Header {
            group: self.stored.group,
            index: self.stored.index,
            state: self.stored.state.clone().into(),
        }
    }

    /// Calls `keep` for every object in the order of the file.
    fn each_object(
        &self,
        mut keep: impl FnMut(DatabaseId, Vec<u8>, Object),
    ) -> Result<(), CheckpointError> {
        let damaged = |what: String| CheckpointError::damaged(self.path, what);
        let storage = |error: redb::Error| CheckpointError::storage(self.path, error);
        let transaction = self.database.begin_read().map_err(|error| storage(error.into()))?;
        let table = transaction.open_table(ROWS).map_err(|error| storage(error.into()))?;
        let (mut rows, mut keys, mut all) = (0_u64, 0_u64, 0_u32);
        let mut building: Option<(DatabaseId, Builder)> = None;
        for row in table.iter().map_err(|error| storage(error.into()))? {
            let (key, value) = row.map_err(|error| storage(error.into()))?;
            let (key, value) = (key.value(), value.value());
            let at = RowKey::decode(key).ok_or_else(|| damaged(format!("key of row {rows}")))?;
            let (stored, body) = value
                .split_first_chunk::<CHECKSUM_BYTES>()
                .ok_or_else(|| damaged(format!("row {rows} is too short")))?;
            let crc = checksum(key, body);
            if crc != u32::from_le_bytes(*stored) || at.database.0 >= DATABASES {
                return Err(damaged(format!("row {rows} does not match its checksum")));
            }
            all = chain(all, crc);
            rows += 1;
            let fed = match &mut building {
                None => Builder::start(body).map(|builder| building.insert((at.database, builder))),
                Some(open) => open.1.add(body).map(|()| open),
            };
            let open = fed.ok_or_else(|| damaged(format!("row {} is malformed", rows - 1)))?;
            if open.1.is_complete()
                && let Some((database, builder)) = building.take()
            {
                let (key, object) = builder
                    .finish()
                    .ok_or_else(|| damaged(format!("object before row {rows} is malformed")))?;
                keep(database, key, object);
                keys += 1;
            }
        }
        let counted = (rows, keys, all);
        let wanted = (self.stored.rows, self.stored.keys, self.stored.rows_crc32c);
        if counted != wanted || building.is_some() {
            return Err(damaged("rows are missing".to_owned()));
        }
        Ok(())
    }
}
