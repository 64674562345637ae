//! redb on our own disk interface, so that the simulator can lose and damage its pages.

use std::io;
use std::sync::Arc;

use redb::{Database, DatabaseError, ReadOnlyDatabase, StorageBackend};

use crate::base::disk::DiskFile;

/// Pages that redb keeps in memory. Files are written once and read once, in order.
const CACHE_BYTES: usize = 16 << 20;

#[derive(Debug)]
struct Backend(Arc<dyn DiskFile>);

/// The unchanged beginning of a file.
#[derive(Debug)]
struct Part {
    file: Arc<dyn DiskFile>,
    bytes: u64,
}

impl StorageBackend for Part {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(out.len() as u64).filter(|end| *end <= self.bytes);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, _offset: u64, _data: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.length()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_length(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}

/// Opens the database in `file`, or creates one if the file is empty.
pub(in crate::data) fn open_database(file: Arc<dyn DiskFile>) -> Result<Database, DatabaseError> {
    Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(Backend(file))
}

/// Opens the database in the first `bytes` of `file` without changing the file.
pub(in crate::data) fn open_part(
    file: Arc<dyn DiskFile>,
    bytes: u64,
) -> Result<ReadOnlyDatabase, DatabaseError> {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES).open_read_only_with_backend(Part { file, bytes })
}
