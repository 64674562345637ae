//! A file that limits its write rate, so that background writing leaves the disk to others.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::DiskFile;

/// The longest sleep: a changed rate takes effect after this time.
const SLEEP_MAX: Duration = Duration::from_millis(50);

/// The current limit in bytes per second; 0 for no limit.
pub type Pace = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A rate-limited file. It blocks the writing thread.
pub struct PacedFile {
    file: Arc<dyn DiskFile>,
    pace: Pace,
    backlog: Mutex<Backlog>,
}

impl std::fmt::Debug for PacedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PacedFile").field(&self.file).finish()
    }
}

/// Bytes written ahead of the rate, as of one moment.
#[derive(Debug)]
struct Backlog {
    bytes: f64,
    at: Instant,
}

impl Backlog {
    /// How long the writer has to wait; `None` when it may continue.
    fn drain(&mut self, now: Instant, bytes_per_second: u64) -> Option<Duration> {
        if bytes_per_second == 0 {
            self.bytes = 0.0;
        }
        let earned = now.duration_since(self.at).as_secs_f64() * bytes_per_second as f64;
        self.bytes = (self.bytes - earned).max(0.0);
        self.at = now;
        (self.bytes > 0.0).then(|| {
            let seconds = self.bytes / bytes_per_second as f64;
            Duration::try_from_secs_f64(seconds).map_or(SLEEP_MAX, |wait| wait.min(SLEEP_MAX))
        })
    }
}

impl PacedFile {
    /// Writes to `file` at the rate that `pace` returns; it is called before every write.
    pub fn new(file: Arc<dyn DiskFile>, pace: Pace) -> Self {
        let backlog = Mutex::new(Backlog { bytes: 0.0, at: Instant::now() });
        Self { file, pace, backlog }
    }
}

impl DiskFile for PacedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)?;
        self.backlog.lock().bytes += bytes.len() as f64;
        loop {
            let bytes_per_second = (self.pace)();
            let wait = self.backlog.lock().drain(Instant::now(), bytes_per_second);
            match wait {
                Some(wait) => std::thread::sleep(wait),
                None => return Ok(()),
            }
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn set_length(&self, bytes: u64) -> io::Result<()> {
        self.file.set_length(bytes)
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_above_the_rate_are_delayed() {
        let at = Instant::now();
        let mut backlog = Backlog { bytes: 100.0, at };
        assert_eq!(backlog.drain(at, 10_000), Some(Duration::from_millis(10)));
        assert_eq!(backlog.drain(at, 10), Some(SLEEP_MAX), "a changed rate takes effect soon");
        let half = Duration::from_millis(5);
        assert_eq!(backlog.drain(at + half, 10_000), Some(half));
        assert_eq!(backlog.drain(at + Duration::from_millis(11), 10_000), None);
        let later = at + Duration::from_secs(60);
        assert_eq!(backlog.drain(later, 10_000), None, "idle time is not saved up");
        backlog.bytes = 100.0;
        assert_eq!(backlog.drain(later, 10_000), Some(Duration::from_millis(10)));
        assert_eq!(backlog.drain(later, 0), None, "0 is no limit");
        assert_eq!(backlog.bytes, 0.0);
    }
}
