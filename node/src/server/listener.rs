//! The listener for Redis clients: one listening socket and one thread for each I/O thread. The
//! kernel distributes connections over them, so that threads share nothing.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::connection::{Connection, ConnectionSlot, IoThread};
use crate::base::credentials::Watched;
use crate::base::telemetry::{Metrics, Stat};
use crate::base::threads::Threads;
use crate::base::tls::ServerTls;
use crate::commands::run::NodeServices;
use crate::dispatch::{Dispatcher, Store};

/// The reply to a client when there are too many; Redis's text.
const TOO_MANY: &[u8] = b"-ERR max number of clients reached\r\n";

/// How long to wait when the process has run out of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Sockets that listen on one address, one for each thread.
#[derive(Debug)]
pub struct Listeners {
    sockets: Vec<std::net::TcpListener>,
    address: SocketAddr,
    tls: Option<Certificate>,
}

/// The certificate that clients see.
type Certificate = Arc<Watched<ServerTls>>;

impl Listeners {
    /// Starts listening; connections wait until [`RespServer::start`].
    pub fn bind(address: SocketAddr, threads: usize, backlog: u32) -> io::Result<Self> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        // Sockets that share a port do not notice those of another process; this one does.
        let probe = socket(address, false)?;
        let address = probe.local_addr()?.as_socket().unwrap_or(address);
        drop(probe);
        let listen = |_| {
            let socket = socket(address, true)?;
            socket.listen(backlog)?;
            Ok(std::net::TcpListener::from(socket))
        };
        let sockets = (0..threads.max(1)).map(listen).collect::<io::Result<_>>()?;
        Ok(Self { sockets, address, tls: None })
    }

    /// The same for clients that use TLS.
    pub fn with_tls(self, certificate: Certificate) -> Self {
        Self { tls: Some(certificate), ..self }
    }

    /// The address; the port is the real one even when 0 was requested.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// The running listeners.
#[derive(Debug)]
pub struct RespServer {
    stop: watch::Sender<bool>,
    threads: Vec<oneshot::Receiver<()>>,
}

impl RespServer {
    /// Serves clients of all `listeners` from the same threads, one for each socket of a listener.
    pub fn start<S: Store>(
        listeners: Vec<Listeners>,
        threads: &dyn Threads,
        store: &S,
        node: &Arc<NodeServices>,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let (stop, stopping) = watch::channel(false);
        let mut of_threads: Vec<Vec<_>> = Vec::new();
        for Listeners { sockets, tls, .. } in listeners {
            of_threads.resize_with(of_threads.len().max(sockets.len()), Vec::new);
            for (own, socket) in of_threads.iter_mut().zip(sockets) {
                own.push((socket, tls.clone()));
            }
        }
        let start = |(number, sockets): (usize, Vec<(std::net::TcpListener, _)>)| {
            let (store, node) = (store.clone(), Arc::clone(node));
            let (metrics, stopping) = (Arc::clone(metrics), stopping.clone());
            let main = move || {
                let seed = node.clock.unix_us().wrapping_add(number as u64);
                let dispatcher = Dispatcher::new(store, node, metrics.thread(), seed);
                let thread = Rc::new(IoThread::new(dispatcher, stopping));
                let accept = |(socket, tls)| accept(socket, tls, Rc::clone(&thread));
                let all = futures::future::join_all(sockets.into_iter().map(accept));
                Box::pin(async move { drop(all.await) }) as LocalBoxFuture<'static, ()>
            };
            threads.spawn(&format!("io-{number}"), Box::new(main))
        };
        let threads = of_threads.into_iter().enumerate().map(start).collect();
        Self { stop, threads }
    }

    /// Accepts no more connections, lets every connection finish its commands, and closes them.
    /// Returns when all are closed, or after `timeout`.
    pub async fn stop(self, timeout: Duration) {
        self.stop.send_replace(true);
        let all = futures::future::join_all(self.threads);
        // Connections that are still busy end with the process.
        let _ = tokio::time::timeout(timeout, all).await;
    }
}

async fn accept<S: Store>(
    socket: std::net::TcpListener,
    tls: Option<Certificate>,
    thread: Rc<IoThread<S>>,
) {
    let listener = match TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "cannot listen for clients"),
    };
    let mut connections = JoinSet::new();
    let mut stopping = thread.stopping();
    while !*stopping.borrow_and_update() {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    admit(stream, peer, tls.as_ref(), &thread, &mut connections).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a client, trying again");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = stopping.changed() => {}
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn admit<S: Store>(
    mut stream: TcpStream,
    peer: SocketAddr,
    tls: Option<&Certificate>,
    thread: &Rc<IoThread<S>>,
    connections: &mut JoinSet<()>,
) {
    let local = stream.local_addr().map_or_else(|_| String::new(), |local| local.to_string());
    let Some(client) = thread.node().clients.connect(peer.to_string(), local) else {
        thread.metrics().add(Stat::ConnectionsRejected, 1);
        if tls.is_none() {
            // The client may be gone already, which is no error.
            let _ = stream.write_all(TOO_MANY).await;
        }
        return;
    };
    if let Err(error) = tune(&stream, thread.node().config.load().limits.tcp_keepalive_s) {
        tracing::debug!(%error, %peer, "cannot set socket options");
    }
    let slot = ConnectionSlot::new(Rc::clone(thread), client);
    match tls {
        None => connections.spawn_local(Connection::new(stream, slot).serve()),
        Some(tls) => {
            let config = Arc::clone(&tls.load().config);
            connections.spawn_local(async move {
                if let Some(stream) = slot.handshake(config, stream).await {
                    Connection::new(stream, slot).serve().await;
                }
            })
        }
    };
}

fn tune(stream: &TcpStream, keepalive_s: u64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if keepalive_s == 0 {
        return Ok(());
    }
    // As in Redis: the first probe after the configured time, three more at a third of it.
    let time = Duration::from_secs(keepalive_s);
    let interval = Duration::from_secs((keepalive_s / 3).max(1));
    let keepalive = TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(3);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

#[cfg(test)]
#[path = "server_test.rs"]
mod tests;
