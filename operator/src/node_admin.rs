//! The admin API of the nodes: a trait, and its implementation with a gRPC client.

use std::collections::HashMap;
use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use ironkv_proto::admin::v1::admin_service_client::AdminServiceClient;
use ironkv_proto::admin::v1::{
    InitRequest, JoinRequest, NodeRequest, SetParametersRequest, StatusRequest, StatusResponse,
    TransferRequest,
};
use ironkv_proto::types::v1::LogId;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Response, Status};

use crate::names::Uid;

/// A pod that accepts no connection within this time counts as silent.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const STATUS_TIMEOUT: Duration = Duration::from_secs(3);
/// A change waits for a commit, and a join also for the first connection to the cluster.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(20);
/// A connection that was not used for this long belongs to a pod that no longer exists.
const IDLE_MAX: Duration = Duration::from_secs(120);

/// The admin port of one pod. The connection goes to the IP address, so that the answer comes from
/// exactly this pod. The certificate must be for the DNS name.
#[derive(Clone, Debug)]
pub(crate) struct PodEndpoint {
    /// The uid of the pod.
    pub(crate) pod_uid: Uid,
    /// Its IP address and port.
    pub(crate) address: SocketAddr,
    /// Its DNS name.
    pub(crate) host: String,
    /// The TLS configuration; `None` for plain text.
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

/// A membership change or a leadership transfer, with the node id of the member concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Give a learner a vote.
    Promote(u64),
    /// Make a voter a learner.
    Demote(u64),
    /// Remove a member.
    Remove(u64),
    /// Transfer the leadership to this member.
    Transfer(u64),
}

/// Why a request to a node failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AdminError {
    /// The node did not receive the request.
    #[error("no answer from the node: {0}")]
    Unreachable(String),
    /// The cluster has changed since the decision, so the request was not executed.
    #[error("superseded: {0}")]
    Superseded(String),
    /// The checks of the store refused the request, so it was not executed.
    #[error("refused by the store: {0}")]
    Refused(String),
    /// The request may or may not have been executed. The next reconcile observes which.
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
}

/// Requests of the operator to nodes.
#[tonic::async_trait]
pub(crate) trait NodeAdmin: Send + Sync {
    /// Returns the status of the node and of its cluster.
    async fn status(&self, endpoint: &PodEndpoint) -> Result<StatusResponse, AdminError>;
    /// Makes this empty node the first member.
    async fn init(&self, endpoint: &PodEndpoint, cluster_id: &str) -> Result<(), AdminError>;
    /// Makes this node a learner of the cluster that one of the `seeds` belongs to.
    async fn join(
        &self,
        endpoint: &PodEndpoint,
        seeds: Vec<String>,
        cluster_id: &str,
    ) -> Result<(), AdminError>;
    /// Executes a change if the membership is still the `expected` one.
    async fn change(
        &self,
        endpoint: &PodEndpoint,
        change: Change,
        expected: LogId,
        cluster_id: &str,
    ) -> Result<(), AdminError>;
    /// Sets parameters of the whole cluster. Returns those that were different.
    async fn set_parameters(
        &self,
        endpoint: &PodEndpoint,
        parameters: HashMap<String, String>,
        cluster_id: &str,
    ) -> Result<Vec<String>, AdminError>;
}

/// The nodes, reached over gRPC.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    connections: Mutex<HashMap<Uid, Connection>>,
}

#[derive(Debug)]
struct Connection {
    endpoint: PodEndpoint,
    client: AdminServiceClient<Channel>,
    used: Instant,
}

impl Nodes {
    /// The client for this pod, with a new connection if its address or its certificates changed.
    fn client(&self, endpoint: &PodEndpoint) -> AdminServiceClient<Channel> {
        let now = Instant::now();
        let mut connections = self.connections.lock();
        if let Some(known) =
            connections.get_mut(&endpoint.pod_uid).filter(|known| known.fits(endpoint))
        {
            known.used = now;
            return known.client.clone();
        }
        connections.retain(|_, connection| now.duration_since(connection.used) < IDLE_MAX);
        let client = AdminServiceClient::new(connect(endpoint));
        let connection =
            Connection { endpoint: endpoint.clone(), client: client.clone(), used: now };
        connections.insert(endpoint.pod_uid.clone(), connection);
        client
    }
}

impl Connection {
    fn fits(&self, endpoint: &PodEndpoint) -> bool {
        let same_tls = match (&self.endpoint.tls, &endpoint.tls) {
            (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
            (None, None) => true,
            _ => false,
        };
        same_tls && self.endpoint.address == endpoint.address
    }
}

fn connect(endpoint: &PodEndpoint) -> Channel {
    let (address, host, tls) = (endpoint.address, endpoint.host.clone(), endpoint.tls.clone());
    let connector = tower::service_fn(move |_: Uri| {
        let (host, tls) = (host.clone(), tls.clone());
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let stream: Box<dyn Stream> = match tls {
                None => Box::new(stream),
                Some(config) => {
                    let name = host.try_into().map_err(io::Error::other)?;
                    Box::new(TlsConnector::from(config).connect(name, stream).await?)
                }
            };
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    Endpoint::from_static("http://node")
        .connect_timeout(CONNECT_TIMEOUT)
        .connect_with_connector_lazy(connector)
}

trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Stream for T {}

async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, AdminError> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(error_of(&status)),
        Err(_) => Err(AdminError::Unknown(format!("no answer within {} s", limit.as_secs()))),
    }
}

fn error_of(status: &Status) -> AdminError {
    let text = status.message().to_owned();
    match status.code() {
        Code::Unavailable => AdminError::Unreachable(innermost(status)),
        Code::Aborted | Code::ResourceExhausted => AdminError::Superseded(text),
        Code::FailedPrecondition | Code::InvalidArgument | Code::Unimplemented => {
            AdminError::Refused(text)
        }
        _ => AdminError::Unknown(innermost(status)),
    }
}

/// The innermost cause is the most specific, such as "connection refused".
fn innermost(status: &Status) -> String {
    let mut cause = status.source();
    while let Some(next) = cause.and_then(std::error::Error::source) {
        cause = Some(next);
    }
    cause.map_or_else(|| status.message().to_owned(), ToString::to_string)
}

#[tonic::async_trait]
impl NodeAdmin for Nodes {
    async fn status(&self, endpoint: &PodEndpoint) -> Result<StatusResponse, AdminError> {
        let mut client = self.client(endpoint);
        within(STATUS_TIMEOUT, client.status(StatusRequest {})).await
    }

    async fn init(&self, endpoint: &PodEndpoint, cluster_id: &str) -> Result<(), AdminError> {
        let mut client = self.client(endpoint);
        let request = InitRequest { cluster_id: cluster_id.to_owned() };
        within(CHANGE_TIMEOUT, client.init(request)).await.map(drop)
    }

    async fn join(
        &self,
        endpoint: &PodEndpoint,
        seeds: Vec<String>,
        cluster_id: &str,
    ) -> Result<(), AdminError> {
        let mut client = self.client(endpoint);
        let request = JoinRequest { seeds, expected_cluster_id: cluster_id.to_owned() };
        within(CHANGE_TIMEOUT, client.join(request)).await.map(drop)
    }

    async fn change(
        &self,
        endpoint: &PodEndpoint,
        change: Change,
        expected: LogId,
        cluster_id: &str,
    ) -> Result<(), AdminError> {
        let mut client = self.client(endpoint);
        let (cluster_id, expected_membership) = (cluster_id.to_owned(), Some(expected));
        let node = |node_id| NodeRequest {
            node_id,
            expected_membership,
            forwarded: false,
            cluster_id: cluster_id.clone(),
        };
        let answer = match change {
            Change::Promote(id) => within(CHANGE_TIMEOUT, client.promote(node(id))).await,
            Change::Demote(id) => within(CHANGE_TIMEOUT, client.demote(node(id))).await,
            Change::Remove(id) => within(CHANGE_TIMEOUT, client.remove(node(id))).await,
            Change::Transfer(node_id) => {
                let request =
                    TransferRequest { node_id, expected_membership, forwarded: false, cluster_id };
                within(CHANGE_TIMEOUT, client.transfer_leader(request)).await
            }
        };
        answer.map(drop)
    }

    async fn set_parameters(
        &self,
        endpoint: &PodEndpoint,
        parameters: HashMap<String, String>,
        cluster_id: &str,
    ) -> Result<Vec<String>, AdminError> {
        let mut client = self.client(endpoint);
        let request = SetParametersRequest { parameters, cluster_id: cluster_id.to_owned() };
        within(CHANGE_TIMEOUT, client.set_parameters(request)).await.map(|answer| answer.changed)
    }
}
