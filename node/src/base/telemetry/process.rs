//! What the operating system reports about this process.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::random::hexadecimal;

/// The kernel's clock ticks per second, fixed at 100 in its interface to programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// The running process.
#[derive(Debug)]
pub struct Process {
    /// 40 hexadecimal digits, new at every start.
    pub run_id: String,
    /// Resident memory before there was any data, bytes.
    pub startup_memory: u64,
    started: Instant,
    used_memory_peak: AtomicU64,
}

/// Memory of the process, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessMemory {
    /// In physical memory now.
    pub resident: u64,
    /// The highest value so far.
    pub resident_peak: u64,
}

/// Processor time of the process, seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessTime {
    /// In the kernel.
    pub system_s: f64,
    /// In the program.
    pub user_s: f64,
    /// In the kernel, for children that have ended.
    pub children_system_s: f64,
    /// In the program, for children that have ended.
    pub children_user_s: f64,
}

impl Process {
    /// Starts the clock of [`Process::uptime`].
    pub fn start() -> Self {
        Self {
            run_id: hexadecimal(40),
            startup_memory: read_memory().resident,
            started: Instant::now(),
            used_memory_peak: AtomicU64::new(0),
        }
    }

    /// How long the process has run.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Records the bytes that hold data now; returns the highest value so far.
    pub fn note_used_memory(&self, bytes: u64) -> u64 {
        self.used_memory_peak.fetch_max(bytes, Ordering::Relaxed).max(bytes)
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        std::process::id()
    }

    /// The program file.
    pub fn executable(&self) -> PathBuf {
        std::env::current_exe().unwrap_or_default()
    }

    /// From `/proc`; zero where it does not exist.
    pub fn memory(&self) -> ProcessMemory {
        read_memory()
    }

    /// From `/proc`; zero where it does not exist.
    pub fn time(&self) -> ProcessTime {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        parse_stat(&stat).unwrap_or_default()
    }

    /// Physical memory of the machine, bytes.
    pub fn system_memory(&self) -> u64 {
        let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        kilobytes(&text, "MemTotal:")
    }
}

fn read_memory() -> ProcessMemory {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    parse_memory_status(&status)
}

fn parse_memory_status(text: &str) -> ProcessMemory {
    ProcessMemory { resident: kilobytes(text, "VmRSS:"), resident_peak: kilobytes(text, "VmHWM:") }
}

fn kilobytes(text: &str, head: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(head)).unwrap_or_default();
    let number = line.split_ascii_whitespace().next().and_then(|word| word.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}

/// The program's name may contain spaces, so fields are counted after its closing bracket.
fn parse_stat(text: &str) -> Option<ProcessTime> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let seconds = |index: usize| {
        let ticks: f64 = fields.get(index)?.parse().ok()?;
        Some(ticks / TICKS_PER_SECOND)
    };
    Some(ProcessTime {
        user_s: seconds(11)?,
        system_s: seconds(12)?,
        children_user_s: seconds(13)?,
        children_system_s: seconds(14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tables_are_read() {
        let status = "Name:\tiron kv\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n";
        let memory = parse_memory_status(status);
        assert_eq!((memory.resident, memory.resident_peak), (1 << 20, 2 << 20));
        let stat = "7 (iron) kv) S 1 2 3 4 5 6 7 8 9 10 150 50 3 4 20 0";
        let time = parse_stat(stat).unwrap_or_default();
        assert_eq!((time.user_s, time.system_s, time.children_user_s), (1.5, 0.5, 0.03));
    }

    #[test]
    fn a_run_id_is_forty_hexadecimal_digits() {
        let process = Process::start();
        assert_eq!(process.run_id.len(), 40);
        assert!(process.run_id.chars().all(|digit| digit.is_ascii_hexdigit()));
    }
}
