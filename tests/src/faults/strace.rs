//! System calls of a real process: recorded, failed or delayed by `strace`.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// How often, and how many times, to check whether `strace` has attached: 20 s in all.
const POLL: Duration = Duration::from_millis(10);
const ATTEMPTS: u32 = 2000;

/// Whether `strace` is installed and may trace.
pub fn is_available() -> bool {
    let tried = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    tried.is_ok_and(|status| status.success())
}

/// The words before a program that record each of its writes and flushes in `output`, one per line,
/// with the path of the file. The program stays the child of its parent.
pub fn wrapper(output: &Path) -> Vec<String> {
    let words =
        ["strace", "-D", "-f", "-qq", "-y", "-s", "0", "-e", "trace=pwrite64,fdatasync", "-o"];
    let output = output.display().to_string();
    words.into_iter().map(str::to_owned).chain([output]).collect()
}

/// Interferes with the system calls of a running process until it is dropped.
#[derive(Debug)]
pub struct Interference(Child);

impl Interference {
    /// Injects faults into all threads of `pid` as `inject` defines, such as `fdatasync:error=EIO`,
    /// and returns when this is active.
    ///
    /// # Errors
    /// `strace` cannot be started or does not attach in time.
    pub fn with(pid: u32, inject: &str) -> io::Result<Self> {
        let call = inject.split(':').next().unwrap_or(inject);
        let mut this = Self(
            Command::new("strace")
                .args(["-f", "-qq", "-o", "/dev/null", "-e"])
                .arg(format!("trace={call}"))
                .arg("-e")
                .arg(format!("inject={inject}"))
                .args(["-p", &pid.to_string()])
                .stdin(Stdio::null())
                .spawn()?,
        );
        for _ in 0..ATTEMPTS {
            if all_threads_are_traced(pid)? {
                return Ok(this);
            }
            if this.0.try_wait()?.is_some() {
                break;
            }
            std::thread::sleep(POLL);
        }
        Err(io::Error::other("strace did not attach"))
    }
}

impl Drop for Interference {
    fn drop(&mut self) {
        // On this signal it detaches from the process in order.
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            let _gone_already = kill_process(pid, Signal::TERM);
        }
        let _status = self.0.wait();
    }
}

fn all_threads_are_traced(pid: u32) -> io::Result<bool> {
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = std::fs::read_to_string(thread?.path().join("status")).unwrap_or_default();
        if status.lines().any(|line| line.starts_with("TracerPid:") && line.ends_with("\t0")) {
            return Ok(false);
        }
    }
    Ok(true)
}
