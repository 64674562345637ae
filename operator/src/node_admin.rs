//! Asking nodes and telling them what to do: the port, and the gRPC client behind it.

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

/// For a connection; a pod that does not answer within it counts as silent.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const STATUS_TIMEOUT: Duration = Duration::from_secs(3);
/// A change waits for a commit; joining also for a first contact with the cluster.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(20);
/// Connections that nobody used for so long belong to pods that are gone.
const IDLE_MAX: Duration = Duration::from_secs(120);

/// One pod's admin door. Reached by address, so that an answer is that of this very pod; known by
/// name, which its certificate must carry.
#[derive(Clone, Debug)]
pub struct Door {
    /// The pod's uid.
    pub pod_uid: String,
    /// Its address and port.
    pub address: SocketAddr,
    /// Its DNS name.
    pub host: String,
    /// How to speak to it; plain text without.
    pub tls: Option<Arc<ClientConfig>>,
}

/// A membership change or a hand-over, with the node it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Give a learner a vote.
    Promote(u64),
    /// Take a voter's vote.
    Demote(u64),
    /// End a membership.
    Remove(u64),
    /// Hand the leadership over to it.
    Transfer(u64),
}

/// Why a node did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// Nothing was done.
    #[error("no answer from the node: {0}")]
    Unreachable(String),
    /// The cluster has moved on since the decision; nothing was done.
    #[error("overtaken: {0}")]
    Overtaken(String),
    /// The store's own guards say no; nothing was done.
    #[error("refused by the store: {0}")]
    Refused(String),
    /// It may or may not have been done; the next look tells.
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
}

/// What the operator asks of nodes.
#[tonic::async_trait]
pub trait NodeAdmin: Send + Sync {
    /// What the node says of itself and its cluster.
    async fn status(&self, door: &Door) -> Result<StatusResponse, AdminError>;
    /// Makes this empty node the first member.
    async fn init(&self, door: &Door, cluster_id: &str) -> Result<(), AdminError>;
    /// Makes this node a learner of the cluster that one of the `seeds` belongs to.
    async fn join(
        &self,
        door: &Door,
        seeds: Vec<String>,
        cluster_id: &str,
    ) -> Result<(), AdminError>;
    /// Makes a change that was decided on the `expected` membership.
    async fn change(
        &self,
        door: &Door,
        change: Change,
        expected: LogId,
        cluster_id: &str,
    ) -> Result<(), AdminError>;
    /// Sets parameters of the whole cluster; answers which were different.
    async fn set_parameters(
        &self,
        door: &Door,
        parameters: HashMap<String, String>,
        cluster_id: &str,
    ) -> Result<Vec<String>, AdminError>;
}

/// The real nodes.
#[derive(Debug, Default)]
pub struct Nodes {
    connections: Mutex<HashMap<String, Connection>>,
}

#[derive(Debug)]
struct Connection {
    door: Door,
    client: AdminServiceClient<Channel>,
    used: Instant,
}

impl Nodes {
    /// The connection to this pod; a new one when its address or its certificates changed.
    fn client(&self, door: &Door) -> AdminServiceClient<Channel> {
        let now = Instant::now();
        let mut connections = self.connections.lock();
        if let Some(known) = connections.get_mut(&door.pod_uid).filter(|known| known.fits(door)) {
            known.used = now;
            return known.client.clone();
        }
        connections.retain(|_, connection| now.duration_since(connection.used) < IDLE_MAX);
        let client = AdminServiceClient::new(connect(door));
        let connection = Connection { door: door.clone(), client: client.clone(), used: now };
        connections.insert(door.pod_uid.clone(), connection);
        client
    }
}

impl Connection {
    fn fits(&self, door: &Door) -> bool {
        let same_tls = match (&self.door.tls, &door.tls) {
            (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
            (None, None) => true,
            _ => false,
        };
        same_tls && self.door.address == door.address
    }
}

fn connect(door: &Door) -> Channel {
    let (address, host, tls) = (door.address, door.host.clone(), door.tls.clone());
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
        Code::Aborted | Code::ResourceExhausted => AdminError::Overtaken(text),
        Code::FailedPrecondition | Code::InvalidArgument | Code::Unimplemented => {
            AdminError::Refused(text)
        }
        _ => AdminError::Unknown(innermost(status)),
    }
}

/// The cause at the bottom says the most: "connection refused", "certificate has expired".
fn innermost(status: &Status) -> String {
    let mut cause = status.source();
    while let Some(next) = cause.and_then(std::error::Error::source) {
        cause = Some(next);
    }
    cause.map_or_else(|| status.message().to_owned(), ToString::to_string)
}

#[tonic::async_trait]
impl NodeAdmin for Nodes {
    async fn status(&self, door: &Door) -> Result<StatusResponse, AdminError> {
        let mut client = self.client(door);
        within(STATUS_TIMEOUT, client.status(StatusRequest {})).await
    }

    async fn init(&self, door: &Door, cluster_id: &str) -> Result<(), AdminError> {
        let mut client = self.client(door);
        let request = InitRequest { cluster_id: cluster_id.to_owned() };
        within(CHANGE_TIMEOUT, client.init(request)).await.map(drop)
    }

    async fn join(
        &self,
        door: &Door,
        seeds: Vec<String>,
        cluster_id: &str,
    ) -> Result<(), AdminError> {
        let mut client = self.client(door);
        let request = JoinRequest { seeds, expected_cluster_id: cluster_id.to_owned() };
        within(CHANGE_TIMEOUT, client.join(request)).await.map(drop)
    }

    async fn change(
        &self,
        door: &Door,
        change: Change,
        expected: LogId,
        cluster_id: &str,
    ) -> Result<(), AdminError> {
        let mut client = self.client(door);
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
        door: &Door,
        parameters: HashMap<String, String>,
        cluster_id: &str,
    ) -> Result<Vec<String>, AdminError> {
        let mut client = self.client(door);
        let request = SetParametersRequest { parameters, cluster_id: cluster_id.to_owned() };
        within(CHANGE_TIMEOUT, client.set_parameters(request)).await.map(|answer| answer.changed)
    }
}
