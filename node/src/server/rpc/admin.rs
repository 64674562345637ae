//! Administration, for the operator and the command line.

use tokio::time::Instant;

use ironkv_proto::admin::v1::admin_service_server::AdminService;
use ironkv_proto::admin::v1::{
    AddLearnerRequest, AllocateNodeIdRequest, AllocateNodeIdResponse, ChangeResponse,
    CheckpointRequest, CheckpointResponse, InitRequest, InitResponse, JoinRequest, JoinResponse,
    Joined, NodeRequest, ResetTimeRequest, ResetTimeResponse, SetParametersRequest,
    SetParametersResponse, StandingRequest, StandingResponse, StatusRequest, StatusResponse,
    TransferRequest,
};
use ironkv_proto::types::v1::LogId;
use tonic::{Code, Request, Response, Status};

use crate::base::feature_level::FeatureLevel;
use crate::base::ids::{ClusterId, NodeId};
use crate::consensus::log::LogPosition;
use crate::consensus::{
    Change, ChangeError, Group, MemberAddresses, TimeReset, expected_from_proto,
};
use crate::services::cluster::MemberRole;

pub(super) struct Admin(pub(super) Group);

type Answer<T> = Result<Response<T>, Status>;

/// `consensus/membership/admin_client.rs` converts the codes back.
fn code(error: &ChangeError) -> Code {
    match error {
        ChangeError::NotLeader(_) | ChangeError::NoLeader(_) | ChangeError::Unreachable(_) => {
            Code::Unavailable
        }
        ChangeError::Outdated => Code::Aborted,
        ChangeError::InProgress => Code::ResourceExhausted,
        ChangeError::Refused(_) => Code::FailedPrecondition,
        ChangeError::Unknown => Code::DeadlineExceeded,
    }
}

impl Admin {
    /// Adds the reason why this node cannot reach a leader, if that is the cause.
    fn refusal(&self, error: ChangeError) -> Status {
        let text = error.to_string();
        let text = match error {
            ChangeError::NotLeader(None) if self.0.identity().is_none() => format!(
                "the node at {} belongs to no cluster: name a member, or create a cluster with \
                 `ironkv cluster init`",
                self.0.addresses().raft
            ),
            ChangeError::NotLeader(None) | ChangeError::Unreachable(_)
                if self.0.identity().is_some() && !self.0.status().hears_leader() =>
            {
                format!(
                    "{text}; no leader is heard at {}: nothing can be changed before a majority \
                     of the voters runs and its nodes reach each other",
                    self.0.addresses().raft
                )
            }
            _ => return Status::new(code(&error), text),
        };
        Status::new(code(&error), text)
    }

    /// A change for another cluster is refused; an empty id matches any cluster.
    fn check_cluster(&self, cluster_id: &str) -> Result<(), Status> {
        let identity = self.0.identity();
        let known = identity.as_ref().map(|identity| identity.cluster_id.0.as_str());
        if cluster_id.is_empty() || known == Some(cluster_id) {
            return Ok(());
        }
        let address = &self.0.addresses().raft;
        Err(Status::failed_precondition(match known {
            Some(known) => format!("this node, {address}, belongs to cluster {known}"),
            None => format!("the node at {address} belongs to no cluster: its directory is empty"),
        }))
    }

    async fn change(
        &self,
        request: NodeRequest,
        make: fn(NodeId) -> Change,
    ) -> Answer<ChangeResponse> {
        self.check_cluster(&request.cluster_id)?;
        let expected = expected_from_proto(request.expected_membership.as_ref());
        let change = make(NodeId(request.node_id));
        let at = self
            .0
            .change(change, expected, request.forwarded)
            .await
            .map_err(|error| self.refusal(error))?;
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
        let existed = self.0.status().own_member().is_some();
        let identity = self.0.init(wanted).await.map_err(|error| self.refusal(error))?;
        let (cluster_id, node_id) = (identity.cluster_id.0.clone(), identity.node_id.0);
        Ok(Response::new(InitResponse { cluster_id, node_id, existed }))
    }

    async fn join(&self, request: Request<JoinRequest>) -> Answer<JoinResponse> {
        let JoinRequest { seeds, expected_cluster_id } = request.into_inner();
        let expected = cluster_id(expected_cluster_id);
        let before = self.0.status();
        let identity = self.0.join(&seeds, expected).await.map_err(|error| self.refusal(error))?;
        let (cluster_id, node_id) = (identity.cluster_id.0.clone(), identity.node_id.0);
        let voter = before.own_member().is_some_and(|own| own.role == MemberRole::Voter);
        let joined = match (before.own_member(), &before.known_as) {
            (None, _) => Joined::AsLearner,
            (Some(_), None) => Joined::Before,
            (Some(_), Some(_)) => Joined::Moved,
        };
        let joined = joined.into();
        Ok(Response::new(JoinResponse { cluster_id, node_id, joined, voter }))
    }

    async fn allocate_node_id(
        &self,
        request: Request<AllocateNodeIdRequest>,
    ) -> Answer<AllocateNodeIdResponse> {
        let forwarded = request.into_inner().forwarded;
        let (cluster_id, node_id) =
            self.0.allocate_node_id(forwarded).await.map_err(|error| self.refusal(error))?;
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
        let id = NodeId(member.node_id);
        let change = match request.moved {
            Some(moved) => Change::Move { id, addresses, hears_leader: moved.hears_leader },
            None => {
                let level = FeatureLevel::from_number(request.feature_level_understood);
                Change::AddLearner(id, addresses, level)
            }
        };
        let expected = expected_from_proto(request.expected_membership.as_ref());
        let at = self
            .0
            .change(change, expected, request.forwarded)
            .await
            .map_err(|error| self.refusal(error))?;
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
        transfer.await.map_err(|error| self.refusal(error))?;
        Ok(Response::new(ChangeResponse { membership: None }))
    }

    async fn set_parameters(
        &self,
        request: Request<SetParametersRequest>,
    ) -> Answer<SetParametersResponse> {
        let request = request.into_inner();
        self.check_cluster(&request.cluster_id)?;
        let changed =
            self.0.set_parameters(request.parameters).await.map_err(|error| self.refusal(error))?;
        let changed = changed.into_iter().map(str::to_owned).collect();
        Ok(Response::new(SetParametersResponse { changed }))
    }

    async fn reset_time(&self, request: Request<ResetTimeRequest>) -> Answer<ResetTimeResponse> {
        let ResetTimeRequest { cluster_id, check_only, forwarded } = request.into_inner();
        self.check_cluster(&cluster_id)?;
        let reset = if check_only { TimeReset::Check } else { TimeReset::Execute };
        let done =
            self.0.reset_time(reset, forwarded).await.map_err(|error| self.refusal(error))?;
        let (ahead_ms, clock_ms) = (done.ahead_ms, done.clock_ms);
        Ok(Response::new(ResetTimeResponse { ahead_ms, clock_ms }))
    }

    async fn standing(&self, request: Request<StandingRequest>) -> Answer<StandingResponse> {
        self.0
            .standing_of(&request.into_inner())
            .map(Response::new)
            .map_err(|error| self.refusal(error))
    }

    async fn checkpoint(&self, _: Request<CheckpointRequest>) -> Answer<CheckpointResponse> {
        let started = Instant::now();
        let index = self.0.checkpoint_now().await.map_err(|error| self.refusal(error))?;
        let duration_ms = started.elapsed().as_millis() as u64;
        let bytes = self.0.status().checkpoint_bytes;
        Ok(Response::new(CheckpointResponse { index, bytes, duration_ms }))
    }
}
