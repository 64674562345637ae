//! A real redis-server to compare with, from Debian's package.

use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::clients::client::Client;
use crate::process::{Process, free_ports};

/// A running redis-server without persistence.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    address: String,
    _directory: TempDir,
}

impl Redis {
    /// Starts a server on a free port of 127.0.0.1 and waits until it answers.
    ///
    /// # Panics
    /// When redis-server is missing or does not start: a comparison must not be skipped silently.
    pub async fn start(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let [port] = free_ports();
        let mut command = Command::new("redis-server");
        command
            .current_dir(directory.path())
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--enable-debug-command", "yes"])
            .args(arguments);
        let log = directory.path().join("redis.log");
        let process = Process::start(&mut command, &log)
            .expect("redis-server starts (apt-get install redis-server)");
        let mut redis =
            Self { process, address: format!("127.0.0.1:{port}"), _directory: directory };
        redis.wait().await;
        redis
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    async fn wait(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Client::connect(&self.address).await.is_err() {
            let alive = self.process.is_running() && Instant::now() < deadline;
            assert!(alive, "redis-server does not start:\n{}", self.process.output());
            sleep(Duration::from_millis(20)).await;
        }
    }
}
