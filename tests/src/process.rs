//! One real process: its output goes to a file, signals go to its pid, and it never outlives the
//! test.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

/// A running or ended process. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with both outputs appended to `log`.
    ///
    /// # Errors
    /// The program cannot be started or the log not be written.
    pub fn start(command: &mut Command, log: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{command:?}: {error}")))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its output so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How it ended, if it did.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Whether it still runs (or is paused).
    pub fn is_running(&mut self) -> bool {
        self.exit_status().is_none()
    }

    /// Ends it immediately, like a power cut, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _status = self.child.wait();
    }

    /// Asks it to stop.
    pub fn terminate(&mut self) {
        self.signal(Signal::TERM);
    }

    /// Pauses it.
    pub fn pause(&mut self) {
        self.signal(Signal::STOP);
    }

    /// Resumes it.
    pub fn resume(&mut self) {
        self.signal(Signal::CONT);
    }

    /// Waits until it ends by itself; `None` after the timeout.
    pub async fn ended_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Some(status) = self.exit_status() {
                return Some(status);
            }
            sleep(Duration::from_millis(20)).await;
        }
        self.exit_status()
    }

    fn signal(&mut self, signal: Signal) {
        // The pid is valid only until the process is waited for.
        if self.is_running()
            && let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
        {
            let _gone_already = kill_process(pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The `ironkv` to test: `IRONKV_BIN`, or the one built beside this test.
///
/// # Panics
/// When there is none; the message explains how to build it.
pub fn ironkv() -> PathBuf {
    if let Some(path) = std::env::var_os("IRONKV_BIN") {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().expect("a test knows its own path");
    let path = test.ancestors().nth(2).map(|folder| folder.join("ironkv")).unwrap_or_default();
    assert!(path.exists(), "no {}: run `cargo build -p ironkv` first", path.display());
    path
}

/// Lower than the ports that the kernel gives to clients, so that a node that was down finds its
/// ports free. Redis's own tests use those from 29000 on.
const PORTS: Range<u16> = 10_000..28_000;

/// Ports on 127.0.0.1 that are free now and that this process gives to no other test.
///
/// # Panics
/// When there are none.
pub fn free_ports<const N: usize>() -> [u16; N] {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let next = NEXT.get_or_init(|| AtomicU16::new(rand::random()));
    let candidates =
        || PORTS.start + next.fetch_add(1, Ordering::Relaxed) % (PORTS.end - PORTS.start);
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::array::from_fn(|_| {
        let mut tried = std::iter::repeat_with(candidates).take(PORTS.len());
        tried.find(free).expect("a free port")
    })
}

/// Whether this test may use namespaces, mounts and packet filters.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A command of [`ironkv()`].
pub fn ironkv_command() -> Command {
    let mut command = Command::new(ironkv());
    without_settings(&mut command);
    command
}

/// Removes the variables that are meant for the tests, which `ironkv` would read as settings.
pub fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("IRONKV_")) {
        command.env_remove(name);
    }
}

/// Whether the long forms of tests are requested (`IRONKV_TEST_LONG=1`).
pub fn is_long() -> bool {
    std::env::var_os("IRONKV_TEST_LONG").is_some_and(|value| value == "1")
}
