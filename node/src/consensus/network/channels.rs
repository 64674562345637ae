//! Connections to other nodes: gRPC channels over our own [`Net`] door.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use ironkv_proto::types::v1::Route;
use tonic::Status;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::base::ids::{ClusterId, GroupId, NodeId};
use crate::base::limits::{PEER_MESSAGE_BYTES_MAX, PEER_WINDOW_BYTES};
use crate::base::net::{Net, innermost};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(1);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(1);
/// As long as the other side waits for such a sign itself.
const PATIENT_KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Who this node is; in every message to a peer and compared with every message from one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The cluster.
    pub cluster_id: ClusterId,
    /// The group.
    pub group_id: GroupId,
    /// This node.
    pub node_id: NodeId,
}

impl Identity {
    pub(crate) fn route_to(&self, target: NodeId) -> Route {
        Route {
            cluster_id: Bytes::copy_from_slice(self.cluster_id.0.as_bytes()),
            group_id: self.group_id.0,
            target_node_id: target.0,
            ..Route::default()
        }
    }

    /// Whether a message is meant for this node of this cluster. A reused address or a restored
    /// disk must never mix two clusters or two nodes.
    pub fn accept(&self, route: Option<&Route>) -> Result<(), String> {
        let Some(route) = route else { return Err("the message names no target".to_owned()) };
        if route.cluster_id != self.cluster_id.0.as_bytes() {
            return Err(format!(
                "this node belongs to cluster {}, the message is for cluster {}",
                self.cluster_id,
                String::from_utf8_lossy(&route.cluster_id)
            ));
        }
        if route.group_id != self.group_id.0 {
            return Err(format!("the message is for group {}, which is not here", route.group_id));
        }
        if route.target_node_id != self.node_id.0 {
            return Err(format!(
                "this is node {}, the message is for node {}; check the addresses",
                self.node_id, route.target_node_id
            ));
        }
        Ok(())
    }
}

/// Opens channels. Each call gives a connection of its own, so that a heartbeat never waits behind
/// a big value or a snapshot.
#[derive(Clone)]
pub(crate) struct Peers {
    net: Arc<dyn Net>,
}

impl Peers {
    pub(crate) fn new(net: Arc<dyn Net>) -> Self {
        Self { net }
    }

    /// A channel to `host:port`, connected at the first use and again after every loss; the name is
    /// resolved each time.
    pub(crate) fn channel(&self, address: &str) -> Result<Channel, tonic::transport::Error> {
        self.open(address, KEEP_ALIVE_TIMEOUT)
    }

    /// The same, for bytes behind which a sign of life may have to wait.
    pub(crate) fn patient_channel(
        &self,
        address: &str,
    ) -> Result<Channel, tonic::transport::Error> {
        self.open(address, PATIENT_KEEP_ALIVE_TIMEOUT)
    }

    fn open(
        &self,
        address: &str,
        keep_alive_timeout: Duration,
    ) -> Result<Channel, tonic::transport::Error> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?
            .initial_stream_window_size(PEER_WINDOW_BYTES)
            .initial_connection_window_size(PEER_WINDOW_BYTES)
            // Finds a peer that vanished without closing: partitions, frozen hosts.
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(keep_alive_timeout)
            .keep_alive_while_idle(true);
        let (net, address) = (self.net.clone(), address.to_owned());
        let connector = tower::service_fn(move |_: Uri| {
            let connecting = net.connect(address.clone());
            async move {
                let stream = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
                    .await
                    .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
                Ok::<_, io::Error>(TokioIo::new(stream))
            }
        });
        Ok(endpoint.connect_with_connector_lazy(connector))
    }
}

/// What a peer said, or why it could not be asked.
pub(crate) fn reason(status: &Status) -> String {
    status.source().map_or_else(|| status.message().to_owned(), innermost)
}

/// Sets the sizes that every client of a peer service needs.
macro_rules! sized_client {
    ($client:expr) => {
        $client
            .max_decoding_message_size($crate::base::limits::PEER_MESSAGE_BYTES_MAX)
            .max_encoding_message_size($crate::base::limits::PEER_MESSAGE_BYTES_MAX)
    };
}
pub(crate) use sized_client;

const _: () = assert!(
    PEER_MESSAGE_BYTES_MAX > crate::base::limits::ENTRY_BYTES_MAX,
    "an entry of the largest size must fit a message"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_for_somebody_else_is_refused() {
        let cluster = |name: &str| ClusterId(name.to_owned());
        let me =
            Identity { cluster_id: cluster("a"), group_id: GroupId::FIRST, node_id: NodeId(1) };
        assert_eq!(me.accept(Some(&me.route_to(NodeId(1)))), Ok(()));
        assert!(me.accept(None).is_err());
        assert!(me.accept(Some(&me.route_to(NodeId(2)))).is_err());
        let other_cluster = Identity { cluster_id: cluster("b"), ..me.clone() };
        assert!(me.accept(Some(&other_cluster.route_to(NodeId(1)))).is_err());
        let other_group = Identity { group_id: GroupId(1), ..me.clone() };
        assert!(me.accept(Some(&other_group.route_to(NodeId(1)))).is_err());
    }
}
