//! Administration, for the operator and the command line.

use tokio::time::Instant;

use ironkv_proto::admin::v1::admin_service_server::AdminService;
use ironkv_proto::admin::v1::{
    AddLearnerRequest, AllocateNodeIdRequest, AllocateNodeIdResponse, ChangeResponse,
    CheckpointRequest, CheckpointResponse, InitRequest, InitResponse, JoinRequest, JoinResponse,
    NodeRequest, SetParametersRequest, SetParametersResponse, StatusRequest, StatusResponse,
    TransferRequest,
};
use ironkv_proto::types::v1::LogId;
use tonic::{Request, Response, Status};

use crate::base::ids::{ClusterId, NodeId};
use crate::consensus::log::LogPosition;
use crate::consensus::{Change, ChangeError, Group, MemberAddresses, expected_from_proto};

pub(super) struct Admin(pub(super) Group);

type Answer<T> = Result<Response<T>, Status>;

/// The other side is `consensus/admin_client.rs`.
fn refusal(error: ChangeError) -> Status {
    let text = error.to_string();
    match error {
        ChangeError::NotLeader(_) | ChangeError::Unreachable(_) => Status::unavailable(text),
        ChangeError::Outdated => Status::aborted(text),
        ChangeError::InProgress => Status::resource_exhausted(text),
        ChangeError::Refused(_) => Status::failed_precondition(text),
        ChangeError::Unknown => Status::deadline_exceeded(text),
    }
}

impl Admin {
    /// A change for another cluster is refused; an empty id means whichever this is.
    fn check_cluster(&self, cluster_id: &str) -> Result<(), Status> {
        let identity = self.0.identity();
        let known = identity.as_ref().map(|identity| identity.cluster_id.0.as_str());
        if cluster_id.is_empty() || known == Some(cluster_id) {
            return Ok(());
        }
        let known = known.unwrap_or("none");
        Err(Status::failed_precondition(format!("this node belongs to cluster {known}")))
    }

    async fn change(
        &self,
        request: NodeRequest,
        make: fn(NodeId) -> Change,
    ) -> Answer<ChangeResponse> {
        self.check_cluster(&request.cluster_id)?;
        let expected = expected_from_proto(request.expected_membership.as_ref());
        let change = make(NodeId(request.node_id));
        let at = self.0.change(change, expected, request.forwarded).await.map_err(refusal)?;
        Ok(changed(at))
    }
}

fn changed(at: LogPosition) -> Response<ChangeResponse> {
    let LogPosition { index, term, leader } = at;
    let membership = Some(LogId { term, leader_node_id: leader, index });
    Response::new(ChangeResponse { membership })
}

fn cluster_id(text: String) -> Option<ClusterId> {
    (!text.is_empty()).then_some(ClusterId(text))
}

#[tonic::async_trait]
impl AdminService for Admin {
    async fn status(&self, _: Request<StatusRequest>) -> Answer<StatusResponse> {
        Ok(Response::new(self.0.admin_status()))
    }

    async fn init(&self, request: Request<InitRequest>) -> Answer<InitResponse> {
        let wanted = cluster_id(request.into_inner().cluster_id);
        let identity = self.0.init(wanted).await.map_err(refusal)?;
        let (cluster_id, node_id) = (identity.cluster_id.0.clone(), identity.node_id.0);
        Ok(Response::new(InitResponse { cluster_id, node_id }))
    }

    async fn join(&self, request: Request<JoinRequest>) -> Answer<JoinResponse> {
        let JoinRequest { seeds, expected_cluster_id } = request.into_inner();
        let expected = cluster_id(expected_cluster_id);
        let identity = self.0.join(&seeds, expected).await.map_err(refusal)?;
        let (cluster_id, node_id) = (identity.cluster_id.0.clone(), identity.node_id.0);
        Ok(Response::new(JoinResponse { cluster_id, node_id }))
    }

    async fn allocate_node_id(
        &self,
        request: Request<AllocateNodeIdRequest>,
    ) -> Answer<AllocateNodeIdResponse> {
        let forwarded = request.into_inner().forwarded;
        let (cluster_id, node_id) = self.0.allocate_node_id(forwarded).await.map_err(refusal)?;
        let (cluster_id, node_id) = (cluster_id.0, node_id.0);
        Ok(Response::new(AllocateNodeIdResponse { cluster_id, node_id }))
    }

    async fn add_learner(&self, request: Request<AddLearnerRequest>) -> Answer<ChangeResponse> {
        let request = request.into_inner();
        self.check_cluster(&request.cluster_id)?;
        let member = request.member.ok_or_else(|| Status::invalid_argument("no member given"))?;
        let addresses = MemberAddresses {
            raft: member.raft_address,
            client: member.client_address,
            http: member.http_address,
        };
        let change = Change::AddLearner(NodeId(member.node_id), addresses);
        let expected = expected_from_proto(request.expected_membership.as_ref());
        let at = self.0.change(change, expected, request.forwarded).await.map_err(refusal)?;
        Ok(changed(at))
    }

    async fn promote(&self, request: Request<NodeRequest>) -> Answer<ChangeResponse> {
        self.change(request.into_inner(), Change::Promote).await
    }

    async fn demote(&self, request: Request<NodeRequest>) -> Answer<ChangeResponse> {
        self.change(request.into_inner(), Change::Demote).await
    }

    async fn remove(&self, request: Request<NodeRequest>) -> Answer<ChangeResponse> {
        self.change(request.into_inner(), Change::Remove).await
    }

    async fn transfer_leader(&self, request: Request<TransferRequest>) -> Answer<ChangeResponse> {
        let request = request.into_inner();
        self.check_cluster(&request.cluster_id)?;
        let target = (request.node_id != 0).then_some(NodeId(request.node_id));
        let expected = expected_from_proto(request.expected_membership.as_ref());
        let transfer = self.0.transfer_leader(target, expected, request.forwarded);
        transfer.await.map_err(refusal)?;
        Ok(Response::new(ChangeResponse { membership: None }))
    }

    async fn set_parameters(
        &self,
        request: Request<SetParametersRequest>,
    ) -> Answer<SetParametersResponse> {
        let request = request.into_inner();
        self.check_cluster(&request.cluster_id)?;
        let changed = self.0.set_parameters(request.parameters).await.map_err(refusal)?;
        let changed = changed.into_iter().map(str::to_owned).collect();
        Ok(Response::new(SetParametersResponse { changed }))
    }

    async fn checkpoint(&self, _: Request<CheckpointRequest>) -> Answer<CheckpointResponse> {
        let started = Instant::now();
        let index = self.0.checkpoint_now().await.map_err(refusal)?;
        let duration_ms = started.elapsed().as_millis() as u64;
        let bytes = self.0.status().checkpoint_bytes;
        Ok(Response::new(CheckpointResponse { index, bytes, duration_ms }))
    }
}
