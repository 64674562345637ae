//! One node: its directory, its configuration file, its process, its ports.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_rustls::rustls::ClientConfig;

use crate::clients::admin::Admin;
use crate::clients::certificates::{Authority, SecretFiles};
use crate::clients::client::{Client, ClientError};
use crate::process::{self, Process};

/// Time to start, load and replay on a busy machine.
pub const START_LIMIT: Duration = Duration::from_secs(60);

/// Dotted configuration keys with their values, such as `raft.heartbeat_ms` and `50`.
pub type Settings = Vec<(String, String)>;

/// A node, which may run or not.
#[derive(Debug)]
pub struct Node {
    /// From 0.
    pub index: usize,
    /// Contains `data/`, `config.yaml` and `node.log`.
    pub directory: PathBuf,
    /// `host:port` of the Redis protocol.
    pub resp_address: String,
    /// `host:port` of gRPC, without any proxy.
    pub grpc_address: String,
    /// `host:port` of gRPC that is advertised to peers.
    pub peer_address: String,
    /// `host:port` of HTTP.
    pub http_address: String,
    /// `None` before the first start.
    pub process: Option<Process>,
    /// Words before the program, such as `ip netns exec a`.
    pub wrapper: Vec<String>,
    /// The program; `None` for the program under test.
    pub program: Option<PathBuf>,
    /// The settings in its configuration file.
    pub settings: Settings,
    /// The files of its certificate for peers, when it has one.
    pub peer_files: Option<SecretFiles>,
    /// TLS for its admin service; `None` without TLS.
    pub admin_tls: Option<Arc<ClientConfig>>,
}

/// Where a node runs.
#[derive(Debug)]
pub struct Place {
    /// From 0.
    pub index: usize,
    /// The directory of this node.
    pub directory: PathBuf,
    /// Address to listen on.
    pub host: String,
    /// The ports of RESP, gRPC and HTTP.
    pub ports: [u16; 3],
    /// The port of gRPC that is advertised to peers.
    pub peer_port: u16,
    /// Words before the program.
    pub wrapper: Vec<String>,
}

impl Node {
    /// Writes the configuration of a node that listens on these ports of `host`.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn prepare(place: Place, settings: &Settings) -> io::Result<Self> {
        let [resp, grpc, http] = place.ports;
        let at = |port: u16| format!("{}:{port}", place.host);
        let node = Self {
            index: place.index,
            resp_address: at(resp),
            grpc_address: at(grpc),
            peer_address: at(place.peer_port),
            http_address: at(http),
            process: None,
            wrapper: place.wrapper,
            program: None,
            settings: Vec::new(),
            peer_files: None,
            admin_tls: None,
            directory: place.directory,
        };
        let own = [
            ("listen.resp_host", place.host.clone()),
            ("listen.grpc_host", place.host.clone()),
            ("listen.http_host", place.host),
            ("listen.resp_port", resp.to_string()),
            ("listen.grpc_port", grpc.to_string()),
            ("listen.http_port", http.to_string()),
            ("advertise.grpc_port", place.peer_port.to_string()),
            ("data.directory", node.data().display().to_string()),
            ("data.free_bytes_min", (1 << 20).to_string()),
            ("security.enable_debug_command", "local".to_owned()),
            ("log.segment_bytes", (4 << 20).to_string()),
            ("log.spare_segments", "1".to_owned()),
            ("threads.io", "1".to_owned()),
        ];
        let mut all: Settings = own.map(|(key, value)| (key.to_owned(), value)).to_vec();
        all.extend(settings.iter().cloned());
        std::fs::create_dir_all(&node.directory)?;
        node.configure(&all)?;
        Ok(Self { settings: all, ..node })
    }

    /// Replaces the configuration file.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn configure(&self, settings: &Settings) -> io::Result<()> {
        std::fs::write(self.config(), yaml(settings))
    }

    /// Gives it a certificate of this authority, for peers, before its first start.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn trust(&mut self, authority: &Authority) -> io::Result<()> {
        let mut files = SecretFiles::new(self.directory.join("peer"));
        files.write(&authority.peer_files(&[authority]));
        let keys = ["peer_certificate_file", "peer_key_file", "peer_ca_file"];
        let paths = ["tls.crt", "tls.key", "ca.crt"].map(|name| files.path(name));
        let paths = paths.map(|path| path.display().to_string());
        let rows = keys.into_iter().zip(paths).map(|(key, path)| (format!("tls.{key}"), path));
        self.settings.extend(rows);
        self.settings.push(("tls.peer_mode".to_owned(), "on".to_owned()));
        self.peer_files = Some(files);
        self.admin_tls = Some(authority.client(Some(&authority.issue())));
        self.configure(&self.settings)
    }

    /// From its next start, the program runs with these words before it.
    pub fn wrap(&mut self, wrapper: Vec<String>) {
        self.wrapper = wrapper;
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.directory.join("config.yaml")
    }

    /// Starts the process and returns at once.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(&mut self) {
        let mut words = self.wrapper.clone();
        let program = self.program.clone().unwrap_or_else(process::ironkv);
        words.push(program.display().to_string());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("serve").arg("--config").arg(self.config());
        process::without_settings(&mut command);
        let log = self.directory.join("node.log");
        self.process = Some(Process::start(&mut command, &log).expect("ironkv starts"));
    }

    /// Starts the process and waits until its admin service answers.
    ///
    /// # Panics
    /// When it ends or does not answer in time; shows its log.
    pub async fn start(&mut self) {
        self.spawn();
        let admin = self.admin();
        let deadline = Instant::now() + START_LIMIT;
        while admin.status().await.is_err() {
            let alive = self.is_running() && Instant::now() < deadline;
            assert!(alive, "node {} does not start:\n{}", self.index, self.log_tail());
            sleep(Duration::from_millis(30)).await;
        }
    }

    /// Waits until it reports that it is ready to serve.
    ///
    /// # Panics
    /// When the timeout passes; shows its log.
    pub async fn wait_ready(&self) {
        let deadline = Instant::now() + START_LIMIT;
        while !self.admin().status().await.is_ok_and(|status| status.ready) {
            let in_time = Instant::now() < deadline;
            assert!(in_time, "node {} does not become ready:\n{}", self.index, self.log_tail());
            sleep(Duration::from_millis(30)).await;
        }
    }

    /// Whether its process runs.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    /// The process.
    ///
    /// # Panics
    /// When it was never started.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("a started node")
    }

    /// Its admin service.
    pub fn admin(&self) -> Admin {
        match &self.admin_tls {
            None => Admin::at(&self.grpc_address),
            Some(config) => Admin::with_tls(&self.grpc_address, Arc::clone(config)),
        }
    }

    /// A new connection to its Redis port.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn client(&self) -> Result<Client, ClientError> {
        Client::connect(&self.resp_address).await
    }

    /// The last lines it logged.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(self.directory.join("node.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

fn yaml(settings: &Settings) -> String {
    let mut sections: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for (key, value) in settings {
        let (section, name) = key.split_once('.').unwrap_or((key, ""));
        sections.entry(section).or_default().insert(name, value);
    }
    let mut text = String::new();
    for (section, values) in sections {
        text.push_str(&format!("{section}:\n"));
        for (name, value) in values {
            text.push_str(&format!("  {name}: {value}\n"));
        }
    }
    text
}

#[test]
fn later_settings_replace_earlier_ones() {
    let row = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let text = yaml(&vec![row("b.x", "1"), row("a.y", "2"), row("b.x", "3")]);
    assert_eq!(text, "a:\n  y: 2\nb:\n  x: 3\n");
}
