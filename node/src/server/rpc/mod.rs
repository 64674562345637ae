//! The gRPC listener: peers, forwarded work, administration, health. It runs on the raft thread,
//! together with the core that most calls use.

mod admin;
mod forward;
mod incoming;
mod raft;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ironkv_proto::admin::v1::admin_service_server::AdminServiceServer;
use ironkv_proto::forward::v1::forward_service_server::ForwardServiceServer;
use ironkv_proto::raft::v1::raft_service_server::RaftServiceServer;
use tokio::sync::oneshot;
use tonic::transport::Server;

use crate::base::limits::{PEER_MESSAGE_BYTES_MAX, PEER_WINDOW_BYTES};
use crate::base::net::{Listener, Net};
use crate::base::shutdown::Shutdown;
use crate::consensus::Group;

const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Listens on `host:port` and serves until the shutdown; returns the address of the socket.
pub async fn serve(
    net: Arc<dyn Net>,
    address: String,
    group: Group,
    shutdown: Shutdown,
) -> io::Result<SocketAddr> {
    let stopped = || io::Error::other("the raft thread has stopped");
    let (ready, listening) = oneshot::channel();
    let served = group.clone();
    let accepted = group.run_on_raft_thread(Box::new(move || {
        Box::pin(async move {
            let listener = match net.listen(address).await {
                Ok(listener) => listener,
                Err(error) => {
                    // The caller may be gone, which is no error.
                    let _ = ready.send(Err(error));
                    return;
                }
            };
            let _ = ready.send(listener.local_address());
            if let Err(error) = run(listener, served, shutdown).await {
                tracing::error!(%error, "the gRPC listener closed");
            }
        })
    }));
    if accepted { listening.await.map_err(|_| stopped())? } else { Err(stopped()) }
}

/// Sets the sizes that every service needs.
macro_rules! sized {
    ($service:expr) => {
        $service
            .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX)
    };
}

async fn run(
    listener: Box<dyn Listener>,
    group: Group,
    mut shutdown: Shutdown,
) -> Result<(), tonic::transport::Error> {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<AdminServiceServer<admin::Admin>>().await;
    Server::builder()
        .initial_stream_window_size(PEER_WINDOW_BYTES)
        .initial_connection_window_size(PEER_WINDOW_BYTES)
        .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .add_service(health)
        .add_service(sized!(RaftServiceServer::new(raft::RaftRpc(group.clone()))))
        .add_service(sized!(ForwardServiceServer::new(forward::Forward(group.clone()))))
        .add_service(AdminServiceServer::new(admin::Admin(group)))
        .serve_with_incoming_shutdown(incoming::connections(listener), async move {
            shutdown.stopped().await;
        })
        .await
}

#[cfg(test)]
#[path = "cluster_test.rs"]
mod tests;

#[cfg(test)]
mod forming_test;

#[cfg(test)]
mod levels_test;

#[cfg(test)]
mod digests_test;
