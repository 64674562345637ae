//! The end of a checkpoint file: its length, and a checksum of everything before. It is checked
//! before redb reads a byte, because redb trusts its pages and may stop the process at an invalid
//! one.

use std::io;
use std::sync::Arc;

use crate::base::disk::DiskFile;

const MAGIC: &[u8; 8] = b"IKVSEAL1";
const SEAL_BYTES: usize = 8 + 8 + 4;
/// Bytes per read.
const READ_BYTES: usize = 1 << 20;

/// Appends the seal to a complete file. The caller flushes.
pub(super) fn seal(file: &Arc<dyn DiskFile>) -> io::Result<()> {
    let bytes = file.length()?;
    let mut end = Vec::with_capacity(SEAL_BYTES);
    end.extend_from_slice(MAGIC);
    end.extend_from_slice(&bytes.to_le_bytes());
    let crc = crc32c::crc32c_append(checksum(file, bytes)?, &end);
    end.extend_from_slice(&crc.to_le_bytes());
    file.write_all_at(&end, bytes)
}

/// Returns the number of bytes before the seal; the inner error says what is wrong with the file.
/// With `whole` it reads and checks everything, otherwise only the end.
pub(super) fn check(
    file: &Arc<dyn DiskFile>,
    whole: bool,
) -> io::Result<Result<u64, &'static str>> {
    let Some(bytes) = file.length()?.checked_sub(SEAL_BYTES as u64) else {
        return Ok(Err("it is cut short"));
    };
    let mut end = [0; SEAL_BYTES];
    file.read_exact_at(&mut end, bytes)?;
    let (seal, crc) = end.split_at(SEAL_BYTES - 4);
    if !seal.starts_with(MAGIC) || seal[MAGIC.len()..] != bytes.to_le_bytes() {
        return Ok(Err("it does not end as it must, so it is cut short"));
    }
    if whole && crc32c::crc32c_append(checksum(file, bytes)?, seal).to_le_bytes() != *crc {
        return Ok(Err("its checksum does not match"));
    }
    Ok(Ok(bytes))
}

fn checksum(file: &Arc<dyn DiskFile>, bytes: u64) -> io::Result<u32> {
    let mut buffer = vec![0; READ_BYTES];
    let (mut crc, mut offset) = (0, 0);
    while offset < bytes {
        let count = usize::try_from(bytes - offset).map_or(READ_BYTES, |left| left.min(READ_BYTES));
        file.read_exact_at(&mut buffer[..count], offset)?;
        crc = crc32c::crc32c_append(crc, &buffer[..count]);
        offset += count as u64;
    }
    Ok(crc)
}
