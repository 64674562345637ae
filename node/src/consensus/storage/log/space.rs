//! Room on the disk: names of the files, and the thread that writes new segments full of zeros
//! before they are needed. Writing into blocks that exist makes a flush about twice as fast, and a
//! disk that fills up is noticed while the current segment still has room.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::shared::{Lacking, Shared, Space, Spare, is_full};

/// Bytes of zeros written between two flushes, so that they do not hold up the log's own.
const ZEROS_BYTES: usize = 1 << 20;
/// How often a full disk is tried again.
pub(super) const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// File name of a segment.
pub(super) fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("segment-{number:020}"))
}

/// The number in a segment's file name.
pub(super) fn segment_number(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix("segment-")?.parse().ok()
}

/// File name of an empty segment.
pub(super) fn spare_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("spare-{number:020}"))
}

/// The number in the file name of an empty segment.
pub(super) fn spare_number(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix("spare-")?.parse().ok()
}

/// Whether a file was being filled with zeros when the process ended.
pub(super) fn is_unfinished(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "new")
}

impl Space {
    /// Takes an empty segment of at least `bytes`.
    pub(super) fn take(&mut self, bytes: u64) -> Option<Spare> {
        let found = self.spares.iter().position(|spare| spare.bytes >= bytes)?;
        Some(self.spares.swap_remove(found))
    }

    /// A name for another empty segment.
    pub(super) fn next_path(&mut self, directory: &Path) -> PathBuf {
        let number = self.next_spare;
        self.next_spare += 1;
        spare_path(directory, number)
    }
}

impl Shared {
    /// Makes sure that a segment of `bytes` exists soon.
    pub(super) fn want_space(&self, bytes: u64) {
        let mut space = self.space.lock();
        let exists = space.spares.iter().any(|spare| spare.bytes >= bytes);
        // Who waits for a segment asks again after every wake-up, and must not wake itself.
        if !exists && space.wanted_bytes.is_none_or(|wanted| wanted < bytes) {
            space.wanted_bytes = Some(bytes);
            drop(space);
            self.space_changed.notify_waiters();
        }
    }

    /// Adds an empty segment; whoever waits for one is woken.
    pub(super) fn add_spare(&self, spare: Spare) {
        let mut space = self.space.lock();
        if space.wanted_bytes.is_some_and(|wanted| spare.bytes >= wanted) {
            space.wanted_bytes = None;
        }
        space.spares.push(spare);
        drop(space);
        self.set_disk_full(Lacking::Segment, false);
        self.space_changed.notify_waiters();
    }

    /// Writes a file of zeros, flushed and under its final name.
    pub(super) fn make_spare(&self, bytes: u64) -> io::Result<Spare> {
        let path = self.space.lock().next_path(&self.directory);
        let unfinished = path.with_extension("new");
        match self.fill(&unfinished, bytes) {
            Ok(()) => {
                self.disk.rename(&unfinished, &path)?;
                self.disk.sync_directory(&self.directory)?;
                Ok(Spare { path, bytes })
            }
            Err(error) => {
                // A file of half the size would keep the disk full.
                if let Err(error) = self.disk.remove(&unfinished) {
                    tracing::warn!(%error, file = %unfinished.display(), "cannot remove");
                }
                Err(error)
            }
        }
    }

    fn fill(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let file = self.disk.create(path)?;
        let zeros = vec![0; ZEROS_BYTES];
        let mut written = 0;
        while written < bytes {
            let part = usize::try_from(bytes - written).map_or(ZEROS_BYTES, |n| n.min(ZEROS_BYTES));
            file.write_all_at(&zeros[..part], written)?;
            file.sync_data()?;
            written += part as u64;
        }
        Ok(())
    }
}

/// Makes empty segments as they are wanted, until the log stops.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        let changed = shared.space_changed.notified();
        tokio::pin!(changed);
        // Registered before looking, so that no wish is missed in between.
        changed.as_mut().enable();
        if shared.is_stopping() || shared.has_failed() {
            return;
        }
        let wanted = shared.space.lock().wanted_bytes;
        let Some(bytes) = wanted else {
            changed.await;
            continue;
        };
        match shared.make_spare(bytes) {
            Ok(spare) => shared.add_spare(spare),
            Err(error) if is_full(&error) => {
                shared.set_disk_full(Lacking::Segment, true);
                let _ = tokio::time::timeout(PROBE_INTERVAL, changed).await;
            }
            Err(error) => shared.fail(&error),
        }
    }
}
