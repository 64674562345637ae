//! What a power cut leaves of a file whose last writes were not flushed: any of the sectors written
//! since the last flush may have reached the disk; the others keep their old content.

/// The unit that a disk writes as a whole.
const SECTOR_BYTES: usize = 512;

/// The bytes of one file: as programs see them, and as they are durable on the disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Contents {
    pub(super) current: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

impl Contents {
    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) {
        put(&mut self.current, bytes, offset);
        self.pending.push(Change::Write { offset, bytes: bytes.to_vec() });
    }

    pub(super) fn set_length(&mut self, bytes: usize) {
        self.current.resize(bytes, 0);
        self.pending.push(Change::Length(bytes));
    }

    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            match change {
                Change::Write { offset, bytes } => put(&mut self.durable, &bytes, offset),
                Change::Length(bytes) => self.durable.resize(bytes, 0),
            }
        }
    }

    /// Fails a flush as Linux does: programs still see what they wrote, but the kernel treats it as
    /// written from now on. No later flush writes it again, and `random` chooses the part that
    /// reached the disk.
    pub(super) fn fail_sync(&mut self, random: &mut impl FnMut() -> u64) {
        self.lose_pending(random);
    }

    /// Flips bits of one byte, on the disk and in the cache.
    pub(super) fn flip(&mut self, offset: usize, mask: u8) {
        for bytes in [&mut self.current, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(offset) {
                *byte ^= mask;
            }
        }
    }

    /// Keeps what was flushed and, of the rest, what `random` chooses: of each change in turn
    /// nothing, everything, a first part, or single sectors.
    pub(super) fn crash(&mut self, random: &mut impl FnMut() -> u64) {
        self.lose_pending(random);
        self.current = self.durable.clone();
    }

    fn lose_pending(&mut self, random: &mut impl FnMut() -> u64) {
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Length(bytes) if random().is_multiple_of(2) => {
                    self.durable.resize(bytes, 0);
                }
                Change::Length(_) => {}
                Change::Write { offset, bytes } => self.tear(offset, &bytes, random),
            }
        }
    }

    fn tear(&mut self, offset: usize, bytes: &[u8], random: &mut impl FnMut() -> u64) {
        match random() % 4 {
            0 => {}
            1 => put(&mut self.durable, bytes, offset),
            2 => {
                let kept = usize::try_from(random() % (bytes.len() as u64 + 1)).unwrap_or(0);
                put(&mut self.durable, &bytes[..kept], offset);
            }
            _ => {
                let mut start = 0;
                while start < bytes.len() {
                    let to_boundary = SECTOR_BYTES - (offset + start) % SECTOR_BYTES;
                    let end = bytes.len().min(start + to_boundary);
                    if random().is_multiple_of(2) {
                        put(&mut self.durable, &bytes[start..end], offset + start);
                    }
                    start = end;
                }
            }
        }
    }
}

fn put(target: &mut Vec<u8>, bytes: &[u8], offset: usize) {
    let end = offset + bytes.len();
    if target.len() < end {
        target.resize(end, 0);
    }
    target[offset..end].copy_from_slice(bytes);
}
