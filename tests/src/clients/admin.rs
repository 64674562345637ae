//! Calls the admin service of nodes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use ironkv_proto::admin::v1::admin_service_client::AdminServiceClient;
use ironkv_proto::admin::v1::{
    CheckpointRequest, InitRequest, JoinRequest, NodeRequest, Role, SetParametersRequest,
    StatusRequest, StatusResponse, TransferRequest,
};
use ironkv_proto::types::v1::LogId;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tonic::Status;
use tonic::transport::{Channel, Endpoint, Uri};

/// Long enough for a join that has to wait for a snapshot on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The admin service of one node.
#[derive(Debug, Clone)]
pub struct Admin {
    client: AdminServiceClient<Channel>,
}

impl Admin {
    /// The service at `host:port`; connects at the first use.
    ///
    /// # Panics
    /// When the address is invalid.
    pub fn at(address: &str) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .expect("a host and a port")
            .connect_timeout(Duration::from_millis(500))
            .timeout(TIMEOUT);
        Self { client: AdminServiceClient::new(endpoint.connect_lazy()) }
    }

    /// The same with TLS; the node must present a certificate for the host.
    ///
    /// # Panics
    /// When the address is invalid.
    pub fn with_tls(address: &str, config: Arc<ClientConfig>) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .expect("a host and a port")
            .timeout(TIMEOUT);
        let address = address.to_owned();
        let connector = tower::service_fn(move |_: Uri| {
            let (address, config) = (address.clone(), Arc::clone(&config));
            async move {
                let host = address.rsplit_once(':').map_or("", |(host, _)| host).to_owned();
                let name = host.try_into().map_err(io::Error::other)?;
                let stream = TcpStream::connect(address).await?;
                TlsConnector::from(config).connect(name, stream).await.map(TokioIo::new)
            }
        });
        Self { client: AdminServiceClient::new(endpoint.connect_with_connector_lazy(connector)) }
    }

    /// The status of the node; the timeout is short, because the node may be paused or isolated.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn status(&self) -> Result<StatusResponse, Status> {
        let mut client = self.client.clone();
        let answer = client.status(StatusRequest {});
        match tokio::time::timeout(Duration::from_secs(2), answer).await {
            Ok(answer) => Ok(answer?.into_inner()),
            Err(_) => Err(Status::deadline_exceeded("no status in two seconds")),
        }
    }

    /// Makes the empty node the first member of a new cluster.
    ///
    /// # Errors
    /// It is not empty, or does not answer.
    pub async fn init(&self) -> Result<(), Status> {
        self.client.clone().init(InitRequest::default()).await.map(drop)
    }

    /// Makes the empty node a learner of the cluster of `seed`.
    ///
    /// # Errors
    /// It is not empty, or one of the two does not answer.
    pub async fn join(&self, seed: &str) -> Result<u64, Status> {
        let seeds = vec![seed.to_owned()];
        let request = JoinRequest { seeds, expected_cluster_id: String::new() };
        Ok(self.client.clone().join(request).await?.into_inner().node_id)
    }

    /// Makes a learner a voter.
    ///
    /// # Errors
    /// It is not caught up, or there is no leader.
    pub async fn promote(&self, node_id: u64) -> Result<(), Status> {
        self.client.clone().promote(node(node_id)).await.map(drop)
    }

    /// Makes a voter a learner.
    ///
    /// # Errors
    /// A guard refuses it, or there is no leader.
    pub async fn demote(&self, node_id: u64) -> Result<(), Status> {
        self.client.clone().demote(node(node_id)).await.map(drop)
    }

    /// Removes a member permanently.
    ///
    /// # Errors
    /// A guard refuses it, or there is no leader.
    pub async fn remove(&self, node_id: u64) -> Result<(), Status> {
        self.client.clone().remove(node(node_id)).await.map(drop)
    }

    /// Makes a voter a learner if the membership is still that of this log entry.
    ///
    /// # Errors
    /// As [`Self::demote`], or the membership is another one.
    pub async fn demote_if(&self, node_id: u64, expected: Option<LogId>) -> Result<(), Status> {
        let request = NodeRequest { expected_membership: expected, ..node(node_id) };
        self.client.clone().demote(request).await.map(drop)
    }

    /// Removes a member permanently if the membership is still that of this log entry.
    ///
    /// # Errors
    /// As [`Self::remove`], or the membership is another one.
    pub async fn remove_if(&self, node_id: u64, expected: Option<LogId>) -> Result<(), Status> {
        let request = NodeRequest { expected_membership: expected, ..node(node_id) };
        self.client.clone().remove(request).await.map(drop)
    }

    /// Transfers leadership to a voter; 0 lets the leader choose.
    ///
    /// # Errors
    /// The target cannot lead, or there is no leader.
    pub async fn transfer(&self, node_id: u64) -> Result<(), Status> {
        let request = TransferRequest { node_id, ..TransferRequest::default() };
        self.client.clone().transfer_leader(request).await.map(drop)
    }

    /// Sets cluster-wide parameters; returns the names of those that changed.
    ///
    /// # Errors
    /// One cannot be set, the node belongs to another cluster, or there is no leader.
    pub async fn set_parameters(
        &self,
        parameters: &[(&str, &str)],
        cluster_id: &str,
    ) -> Result<Vec<String>, Status> {
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let parameters = parameters.iter().map(text).collect();
        let request = SetParametersRequest { parameters, cluster_id: cluster_id.to_owned() };
        Ok(self.client.clone().set_parameters(request).await?.into_inner().changed)
    }

    /// Writes a checkpoint now; returns its log index.
    ///
    /// # Errors
    /// The disk refuses it.
    pub async fn checkpoint(&self) -> Result<u64, Status> {
        Ok(self.client.clone().checkpoint(CheckpointRequest {}).await?.into_inner().index)
    }
}

fn node(node_id: u64) -> NodeRequest {
    NodeRequest { node_id, ..NodeRequest::default() }
}

/// Whether the node leads.
pub fn leads(status: &StatusResponse) -> bool {
    status.role == i32::from(Role::Leader)
}

/// The ids of the voters, in order.
pub fn voters(status: &StatusResponse) -> Vec<u64> {
    let voters = status.members.iter().filter(|member| member.voter);
    let mut ids: Vec<_> =
        voters.filter_map(|member| Some(member.member.as_ref()?.node_id)).collect();
    ids.sort_unstable();
    ids
}
