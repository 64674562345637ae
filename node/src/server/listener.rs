//! The door for Redis clients: one listening socket and one thread for each I/O thread. The kernel
//! spreads connections over them, so that threads share nothing.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::connection::{Connection, Door};
use crate::base::telemetry::{Metrics, Stat};
use crate::base::threads::Threads;
use crate::commands::node_control::NodeControl;
use crate::dispatch::{Dispatcher, Store};

/// What a client is told when there are too many; Redis' text.
const TOO_MANY: &[u8] = b"-ERR max number of clients reached\r\n";

/// How long to wait when the process has run out of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Sockets that listen on one address, one for each thread to come.
#[derive(Debug)]
pub struct Listeners {
    sockets: Vec<std::net::TcpListener>,
    address: SocketAddr,
}

impl Listeners {
    /// Starts listening; connections wait until [`RespServer::start`].
    pub fn bind(address: SocketAddr, threads: usize, backlog: u32) -> io::Result<Self> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        // Sockets that share a port cannot tell a stranger from a sibling; this one can.
        let probe = socket(address, false)?;
        let address = probe.local_addr()?.as_socket().unwrap_or(address);
        drop(probe);
        let listen = |_| {
            let socket = socket(address, true)?;
            socket.listen(backlog)?;
            Ok(std::net::TcpListener::from(socket))
        };
        let sockets = (0..threads.max(1)).map(listen).collect::<io::Result<_>>()?;
        Ok(Self { sockets, address })
    }

    /// Where it listens; the port is known even when 0 was asked for.
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

/// The running door.
#[derive(Debug)]
pub struct RespServer {
    stop: watch::Sender<bool>,
    threads: Vec<oneshot::Receiver<()>>,
    address: SocketAddr,
}

impl RespServer {
    /// Serves clients of `listeners` from threads of their own.
    pub fn start<S: Store>(
        listeners: Listeners,
        threads: &dyn Threads,
        store: &S,
        node: &Arc<dyn NodeControl>,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let (stop, stopping) = watch::channel(false);
        let address = listeners.address;
        let start = |(number, socket): (usize, std::net::TcpListener)| {
            let (store, node) = (store.clone(), Arc::clone(node));
            let (metrics, stopping) = (Arc::clone(metrics), stopping.clone());
            let main = move || {
                let seed = node.clock().unix_us().wrapping_add(number as u64);
                let dispatcher = Dispatcher::new(store, node, metrics.thread(), seed);
                let door = Rc::new(Door::new(dispatcher, stopping));
                Box::pin(accept(socket, door)) as futures::future::LocalBoxFuture<'static, ()>
            };
            threads.spawn(&format!("io-{number}"), Box::new(main))
        };
        let threads = listeners.sockets.into_iter().enumerate().map(start).collect();
        Self { stop, threads, address }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more, lets every connection finish what it runs, and closes them. Returns when
    /// all are closed or `patience` is over.
    pub async fn stop(self, patience: Duration) {
        self.stop.send_replace(true);
        let all = futures::future::join_all(self.threads);
        // Connections that are still busy end with the process.
        let _ = tokio::time::timeout(patience, all).await;
    }
}

async fn accept<S: Store>(socket: std::net::TcpListener, door: Rc<Door<S>>) {
    let listener = match TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "cannot listen for clients"),
    };
    let mut connections = JoinSet::new();
    let mut stopping = door.stopping();
    while !*stopping.borrow_and_update() {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => admit(stream, peer, &door, &mut connections).await,
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
    door: &Rc<Door<S>>,
    connections: &mut JoinSet<()>,
) {
    let local = stream.local_addr().map_or_else(|_| String::new(), |local| local.to_string());
    let Some(client) = door.node().clients().connect(peer.to_string(), local) else {
        door.metrics().add(Stat::ConnectionsRejected, 1);
        // The client may be gone already; there is nobody else to tell.
        let _ = stream.write_all(TOO_MANY).await;
        return;
    };
    if let Err(error) = tune(&stream, door.node().config().load().limits.tcp_keepalive_s) {
        tracing::debug!(%error, %peer, "cannot set socket options");
    }
    let connection = Connection::new(stream, Rc::clone(door), client);
    connections.spawn_local(connection.serve());
}

fn tune(stream: &TcpStream, keepalive_s: u64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if keepalive_s == 0 {
        return Ok(());
    }
    // As Redis: the first probe after the configured time, three more at a third of it.
    let time = Duration::from_secs(keepalive_s);
    let interval = Duration::from_secs((keepalive_s / 3).max(1));
    let keepalive = TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(3);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

#[cfg(test)]
#[path = "server_test.rs"]
mod tests;
