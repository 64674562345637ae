//! A node: creates all parts, connects them, starts and stops them. The only file that knows them
//! all.

use std::io;
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::base::clock::{Clock, SystemClock};
use crate::base::config::{Config, LiveConfig, Switch, join};
use crate::base::credentials::{Credentials, FileError};
use crate::base::disk::{Disk, LockGuard, RealDisk};
use crate::base::ids::GroupId;
use crate::base::net::{Listener, Net, TcpNet};
use crate::base::shutdown::{self, Shutdown, ShutdownSender};
use crate::base::telemetry::Telemetry;
use crate::base::telemetry::logging::LevelHandle;
use crate::base::threads::{RealThreads, Threads};
use crate::base::tls::{TlsListener, TlsNet};
use crate::commands::run::NodeServices;
use crate::commands::table;
use crate::consensus::log::LogOptions;
use crate::consensus::{Ended, Group, GroupOptions, MemberAddresses, StartError};
use crate::dispatch::Dispatcher;
use crate::server::http::{self, Lifecycle};
use crate::server::{Listeners, RespServer, rpc};
use crate::services::sessions::Clients;

/// Maximum number of threads for clients that a node chooses automatically.
const IO_THREADS_MAX: usize = 8;

/// The environment of a node: the operating system, or the simulator.
pub struct Environment {
    /// Files.
    pub disk: Arc<dyn Disk>,
    /// Peers.
    pub net: Arc<dyn Net>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// Threads.
    pub threads: Arc<dyn Threads>,
    /// Changes the log level.
    pub level: Option<LevelHandle>,
    /// The ports that open.
    pub ports: OpenPorts,
}

/// The ports that a node opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenPorts {
    /// RESP, gRPC and HTTP.
    All,
    /// Only gRPC: a simulated node has no clients of the operating system.
    Peers,
}

impl Environment {
    /// The operating system.
    pub fn real(level: Option<LevelHandle>) -> Self {
        Self {
            disk: Arc::new(RealDisk),
            net: Arc::new(TcpNet),
            clock: Arc::new(SystemClock),
            threads: Arc::new(RealThreads),
            level,
            ports: OpenPorts::All,
        }
    }
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Another process uses the directory, or it cannot be used.
    #[error("data directory {directory}: {source}; {}", what_to_do(source))]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What failed.
        source: io::Error,
    },
    /// A certificate, a key or passwords cannot be used.
    #[error(transparent)]
    Credentials(#[from] FileError),
    /// The group did not start.
    #[error(transparent)]
    Group(#[from] StartError),
    /// A listener cannot open.
    #[error(
        "cannot listen on {address} for {protocol}: {source}; choose another address or stop what \
             listens there"
    )]
    Listen {
        /// RESP, gRPC or HTTP.
        protocol: &'static str,
        /// The address.
        address: String,
        /// What failed.
        source: io::Error,
    },
}

fn what_to_do(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::WouldBlock => "is another node running on it?",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "the user that runs the node must be able to write there"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "data.directory must name a directory, or a place where one can be made"
        }
        _ => "data.directory must name a directory that the node can write to",
    }
}

/// A running node.
pub struct Node {
    services: Arc<NodeServices>,
    group: Group,
    lifecycle: Arc<Lifecycle>,
    shutdown: ShutdownSender,
    resp: Option<RespServer>,
    listeners: Vec<oneshot::Receiver<()>>,
    asked_to_stop: Shutdown,
    _lock: Box<dyn LockGuard>,
}

impl Node {
    /// Opens the directory, loads its data and opens the listeners. HTTP opens first, so that
    /// probes can distinguish a slow start from a dead process.
    pub async fn start(config: Arc<LiveConfig>, env: Environment) -> Result<Self, NodeError> {
        let now = config.load().clone();
        let lock = lock(&*env.disk, Path::new(&now.data.directory))?;
        let credentials = Credentials::open(&now, &env.clock)?;
        warn_of_open_peers(&now, &credentials);
        let lifecycle = Lifecycle::new();
        let (shutdown, stopping) = shutdown::channel();
        let telemetry = Telemetry::new(&now.telemetry, table::names(), env.level.clone());
        let mut listeners = Vec::new();
        if env.ports == OpenPorts::All {
            let listener = listen_for_http(&*env.net, &now, &credentials).await?;
            let (lifecycle, stopping) = (lifecycle.clone(), stopping.clone());
            let metrics = telemetry.metrics.clone();
            let main = async move {
                tokio::task::spawn_local(metrics.sample_forever());
                serve_http(listener, lifecycle, stopping).await;
            };
            listeners.push(env.threads.spawn("admin", Box::new(|| Box::pin(main))));
        }
        let clients = match env.ports {
            OpenPorts::All => Some(client_listeners(&now, &credentials)?),
            OpenPorts::Peers => None,
        };
        let net: Arc<dyn Net> = match credentials.peers() {
            Some(tls) => Arc::new(TlsNet::new(env.net.clone(), tls.clone())),
            None => env.net.clone(),
        };
        let group = Group::start(group_options(&config, &env, &net, &telemetry)).await?;
        let address = join(&now.listen.grpc_host, now.listen.grpc_port);
        rpc::serve(net, address.clone(), group.clone(), stopping)
            .await
            .map_err(|source| NodeError::Listen { protocol: "gRPC", address, source })?;
        let (stop, asked_to_stop) = shutdown::channel();
        let services = Arc::new(NodeServices {
            clock: env.clock,
            clients: Clients::new(now.limits.clients_max as usize),
            config,
            credentials,
            telemetry: telemetry.clone(),
            cluster: Arc::new(group.clone()),
            storage: Arc::new(group.clone()),
            shutdown: stop,
        });
        let resp = clients.map(|sockets| {
            RespServer::start(sockets, &*env.threads, &group, &services, &telemetry.metrics)
        });
        lifecycle.started(services.clone());
        tracing::info!(
            resp = now.resp_address(),
            grpc = now.grpc_address(),
            http = now.http_address(),
            "started"
        );
        Ok(Self {
            services,
            group,
            lifecycle,
            shutdown,
            resp,
            listeners,
            asked_to_stop,
            _lock: lock,
        })
    }

    /// Waits until the node must or should stop: `Ok` when a client asked for it (`SHUTDOWN`),
    /// otherwise the reason why it cannot continue.
    pub async fn ended(&self) -> Result<(), String> {
        let mut ended = self.group.ended();
        let mut asked_to_stop = self.asked_to_stop.clone();
        tokio::select! {
            () = asked_to_stop.stopped() => Ok(()),
            reason = ended.wait_for(Option::is_some) => match reason.as_deref() {
                Ok(Some(Ended::Removed(reason))) => Err(format!(
                    "this node was removed: {reason}; it does not start on this directory again"
                )),
                Ok(Some(Ended::Failed(reason))) => Err(reason.clone()),
                Ok(None) | Err(_) => Err("consensus stopped".to_owned()),
            },
        }
    }

    /// Applies parameters that were changed at run time.
    pub fn config_changed(&self) {
        self.services.config_changed();
    }

    /// Reads changed files of certificates, keys and passwords again.
    pub fn reload_credentials(&self) {
        self.services.credentials.reload();
    }

    /// The group, to inspect it and to change its members.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Runs commands without a connection.
    pub fn dispatcher(&self, seed: u64) -> Dispatcher<Group> {
        let metrics = self.services.telemetry.metrics.thread();
        Dispatcher::new(self.group.clone(), self.services.clone(), metrics, seed)
    }

    /// Drains, accepts no more clients, answers what is in flight, transfers leadership, flushes,
    /// ends. Limited by `raft.shutdown_timeout_ms` after `node.drain_ms`.
    pub async fn stop(mut self) {
        let timeout = self.services.config.load().raft.shutdown_timeout_ms;
        let timeout = Duration::from_millis(timeout);
        self.lifecycle.stopping();
        self.drain().await;
        if let Some(resp) = self.resp.take() {
            resp.stop(timeout / 4).await;
        }
        self.group.stop().await;
        self.shutdown.stop();
        let listeners = futures::future::join_all(self.listeners);
        // A peer may keep a stream open; the process ends nevertheless.
        let _ = tokio::time::timeout(timeout / 4, listeners).await;
        tracing::info!("stopped");
    }
}

impl Node {
    /// The node is not ready any more but still serves, until clients are sent to other nodes. It
    /// transfers its leadership first, so that this is all that clients notice of the stop.
    async fn drain(&self) {
        let time = Duration::from_millis(self.services.config.load().node.drain_ms);
        if time.is_zero() || self.group.ended().borrow().is_some() {
            return;
        }
        let end = tokio::time::Instant::now() + time;
        self.group.hand_over().await;
        let mut ended = self.group.ended();
        // After the group has ended by itself, nothing is served any more.
        let _ = tokio::time::timeout_at(end, ended.wait_for(Option::is_some)).await;
    }
}

/// Passwords apply only to clients: the gRPC port forwards writes and changes members without one.
fn warn_of_open_peers(config: &Config, credentials: &Credentials) {
    let host = &config.listen.grpc_host;
    let loopback = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let passwords = credentials.has_passwords() || !config.security.requirepass.is_empty();
    if passwords && !loopback && credentials.peers().is_none() {
        tracing::warn!(
            host,
            port = config.listen.grpc_port,
            "the gRPC port asks for no password: without TLS between peers, every host that \
             reaches it may read and write the data and change members; set tls.peer_mode to on, \
             or keep the port on a network that only nodes share"
        );
    }
}

fn lock(disk: &dyn Disk, directory: &Path) -> Result<Box<dyn LockGuard>, NodeError> {
    disk.create_directory(directory)
        .and_then(|()| disk.lock(&directory.join("lock")))
        .map_err(|source| NodeError::Directory { directory: directory.to_owned(), source })
}

fn group_options(
    config: &Arc<LiveConfig>,
    env: &Environment,
    net: &Arc<dyn Net>,
    telemetry: &Telemetry,
) -> GroupOptions {
    let now = config.load();
    GroupOptions {
        group_id: GroupId::FIRST,
        directory: PathBuf::from(&now.data.directory),
        addresses: MemberAddresses {
            raft: now.grpc_address(),
            client: now.resp_address(),
            http: now.http_address(),
        },
        config: config.clone(),
        log: log_options(&now.log),
        disk: env.disk.clone(),
        net: net.clone(),
        seed: env.clock.unix_us(),
        clock: env.clock.clone(),
        threads: env.threads.clone(),
        observer: None,
        metrics: telemetry.metrics.clone(),
    }
}

fn log_options(config: &crate::base::config::LogConfig) -> LogOptions {
    LogOptions {
        segment_bytes: config.segment_bytes,
        ring_bytes: usize::try_from(config.cache_bytes).unwrap_or(usize::MAX),
        spare_segments_max: config.spare_segments as usize,
        ..LogOptions::default()
    }
}

async fn listen_for_http(
    net: &dyn Net,
    config: &Config,
    credentials: &Credentials,
) -> Result<Box<dyn Listener>, NodeError> {
    let address = join(&config.listen.http_host, config.listen.http_port);
    let listening = net.listen(address.clone()).await;
    let listener =
        listening.map_err(|source| NodeError::Listen { protocol: "HTTP", address, source })?;
    Ok(match credentials.clients().filter(|_| config.tls.http_mode == Switch::On) {
        None => listener,
        Some(tls) => {
            let tls = Arc::clone(tls);
            Box::new(TlsListener::new(listener, move || tls.load().no_client_auth.clone()))
        }
    })
}

/// Binds the ports for clients, with and without TLS.
fn client_listeners(
    config: &Config,
    credentials: &Credentials,
) -> Result<Vec<Listeners>, NodeError> {
    let threads = match config.threads.io as usize {
        0 => std::thread::available_parallelism().map_or(1, usize::from).min(IO_THREADS_MAX),
        threads => threads,
    };
    let open = |protocol: &'static str, port: u16| {
        let address = join(&config.listen.resp_host, port);
        let bound = bind(&address, threads, config.listen.backlog);
        bound.map_err(|source| NodeError::Listen { protocol, address, source })
    };
    let mut listeners = Vec::new();
    if config.listen.resp_port != 0 {
        listeners.push(open("RESP", config.listen.resp_port)?);
    }
    if let Some(tls) = credentials.clients().filter(|_| config.listen.resp_tls_port != 0) {
        listeners.push(open("RESP over TLS", config.listen.resp_tls_port)?.with_tls(tls.clone()));
    }
    Ok(listeners)
}

fn bind(address: &str, threads: usize, backlog: u32) -> io::Result<Listeners> {
    let resolved = address.to_socket_addrs()?.next();
    let resolved = resolved.ok_or_else(|| io::Error::other("the name has no address"))?;
    Listeners::bind(resolved, threads, backlog)
}

async fn serve_http(listener: Box<dyn Listener>, lifecycle: Arc<Lifecycle>, stopping: Shutdown) {
    if let Err(error) = http::serve(listener, lifecycle, stopping).await {
        tracing::error!(%error, "the HTTP listener failed");
    }
}
