//! The segment that is being written, and how an empty file becomes one.

use std::io;
use std::sync::Arc;

use super::format::{FRAMES_AT, SegmentHeader};
use super::shared::{SegmentFile, Shared, Spare};
use super::space::segment_path;
use crate::base::disk::DiskFile;
use crate::base::random::entropy;

/// The last segment of the log.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) salt: u64,
    pub(super) file: Arc<dyn DiskFile>,
    /// Length of the file.
    pub(super) bytes: u64,
    /// Where the next frame goes.
    pub(super) tail: u64,
}

impl Segment {
    /// Whether no frame was written yet.
    pub(super) const fn is_fresh(&self) -> bool {
        self.tail == FRAMES_AT
    }

    /// Bytes left for a frame.
    pub(super) const fn room(&self) -> u64 {
        self.bytes - self.tail
    }
}

impl Shared {
    /// Makes an empty file the segment of this number. Flushed under its name on return.
    pub(super) fn begin_segment(&self, spare: &Spare, number: u64) -> io::Result<Segment> {
        // Nobody can guess it, so no value of a client can look like a frame.
        let salt = entropy();
        let header = SegmentHeader { group: self.options.group, number, salt };
        let file = self.disk.open(&spare.path)?;
        file.write_all_at(&header.encode(), 0)?;
        file.sync_data()?;
        let path = segment_path(&self.directory, number);
        self.disk.rename(&spare.path, &path)?;
        self.disk.sync_directory(&self.directory)?;
        let bytes = spare.bytes;
        let opened = SegmentFile { path, file: Arc::clone(&file), bytes };
        self.memory.lock().files.insert(number, opened);
        Ok(Segment { number, salt, file, bytes, tail: FRAMES_AT })
    }

    /// Gives segments that hold no live entry back, oldest first, and each for good before the
    /// next: a hole in the row of segments would be taken for damage.
    pub(super) fn recycle(&self, current: u64) -> io::Result<()> {
        loop {
            let oldest = {
                let mut memory = self.memory.lock();
                let needed = memory.index.first_segment().unwrap_or(current).min(current);
                let Some((&number, _)) = memory.files.range(..needed).next() else {
                    return Ok(());
                };
                memory.files.remove(&number)
            };
            let Some(segment) = oldest else { return Ok(()) };
            let kept = {
                let mut space = self.space.lock();
                let wanted = space.spares.len() < self.options.spare_segments_max
                    && segment.bytes == self.options.segment_bytes;
                wanted.then(|| space.next_path(&self.directory))
            };
            match &kept {
                Some(path) => self.disk.rename(&segment.path, path)?,
                None => self.disk.remove(&segment.path)?,
            }
            self.disk.sync_directory(&self.directory)?;
            if let Some(path) = kept {
                self.add_spare(Spare { path, bytes: segment.bytes });
            }
        }
    }
}
