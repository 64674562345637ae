//! Administration on the hop from one node to another: a follower passes a change on to the leader,
//! an empty node asks a cluster to take it in.

use std::error::Error;
use std::time::Duration;

use ironkv_proto::admin::v1 as proto;
use ironkv_proto::admin::v1::admin_service_client::AdminServiceClient;
use ironkv_proto::types::v1::{Lineage, Member};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::change::{Change, ChangeError, Expected};
use crate::base::ids::{ClusterId, NodeId};
use crate::consensus::network::channels::{Peers, reason, sized_client};
use crate::consensus::network::convert;
use crate::consensus::storage::log::LogPosition;
use crate::consensus::time::reset::{TimeAhead, TimeReset};
use crate::consensus::types::{LogId, MemberAddresses};

/// Talks to one node's admin door.
#[derive(Clone)]
pub(crate) struct AdminClient {
    door: AdminServiceClient<Channel>,
    address: String,
    limit: Duration,
}

impl AdminClient {
    /// Every answer must come within the limit.
    pub(crate) fn new(peers: &Peers, address: &str, limit: Duration) -> Result<Self, ChangeError> {
        let channel = peers
            .channel(address)
            .map_err(|error| ChangeError::Refused(format!("bad address {address}: {error}")))?;
        let door = sized_client!(AdminServiceClient::new(channel));
        Ok(Self { door, address: address.to_owned(), limit })
    }

    pub(crate) async fn status(&mut self) -> Result<proto::StatusResponse, ChangeError> {
        let question = self.door.status(proto::StatusRequest {});
        let answer = within(self.limit, &self.address, question).await;
        answer.map_err(|error| match error {
            ChangeError::Unknown => ChangeError::Unreachable(format!(
                "{} gives no answer; is that the gRPC address of a node?",
                self.address
            )),
            error => error,
        })
    }

    pub(crate) async fn standing(
        &mut self,
        cluster_id: &ClusterId,
        id: NodeId,
        lineage: Option<Lineage>,
    ) -> Result<proto::StandingResponse, ChangeError> {
        let cluster_id = cluster_id.0.clone();
        let request = proto::StandingRequest { cluster_id, node_id: id.0, lineage };
        within(self.limit, &self.address, self.door.standing(request)).await
    }

    pub(crate) async fn change(
        &mut self,
        cluster_id: &ClusterId,
        change: Change,
        expected: Expected,
        forwarded: bool,
    ) -> Result<LogId, ChangeError> {
        let cluster_id = cluster_id.0.clone();
        let expected_membership = expected_to_proto(expected);
        let node = |id: NodeId| proto::NodeRequest {
            node_id: id.0,
            expected_membership,
            forwarded,
            cluster_id: cluster_id.clone(),
        };
        let add = |(id, addresses): (NodeId, &MemberAddresses)| proto::AddLearnerRequest {
            member: Some(member_to_proto(id, addresses)),
            expected_membership,
            forwarded,
            cluster_id: cluster_id.clone(),
            ..proto::AddLearnerRequest::default()
        };
        let (limit, address, door) = (self.limit, &self.address, &mut self.door);
        let answer = match change {
            Change::AddLearner(id, addresses, understood) => {
                let feature_level_understood = understood.0;
                let request =
                    proto::AddLearnerRequest { feature_level_understood, ..add((id, &addresses)) };
                within(limit, address, door.add_learner(request)).await?
            }
            Change::Move { id, addresses, hears_leader } => {
                let moved = Some(proto::Moved { hears_leader });
                let request = proto::AddLearnerRequest { moved, ..add((id, &addresses)) };
                within(limit, address, door.add_learner(request)).await?
            }
            Change::Promote(id) => within(limit, address, door.promote(node(id))).await?,
            Change::Demote(id) => within(limit, address, door.demote(node(id))).await?,
            Change::Remove(id) => within(limit, address, door.remove(node(id))).await?,
        };
        let at = answer.membership.as_ref().map(convert::log_id_from_proto);
        at.ok_or(ChangeError::Unknown)
    }

    pub(crate) async fn transfer(
        &mut self,
        cluster_id: &ClusterId,
        target: Option<NodeId>,
        expected: Expected,
    ) -> Result<(), ChangeError> {
        let request = proto::TransferRequest {
            node_id: target.map_or(0, |id| id.0),
            expected_membership: expected_to_proto(expected),
            forwarded: true,
            cluster_id: cluster_id.0.clone(),
        };
        within(self.limit, &self.address, self.door.transfer_leader(request)).await.map(drop)
    }

    pub(crate) async fn reset_time(
        &mut self,
        cluster_id: &ClusterId,
        reset: TimeReset,
    ) -> Result<TimeAhead, ChangeError> {
        let request = proto::ResetTimeRequest {
            cluster_id: cluster_id.0.clone(),
            check_only: reset == TimeReset::Check,
            forwarded: true,
        };
        let answer = within(self.limit, &self.address, self.door.reset_time(request)).await?;
        Ok(TimeAhead { ahead_ms: answer.ahead_ms, clock_ms: answer.clock_ms })
    }

    pub(crate) async fn allocate(
        &mut self,
        forwarded: bool,
    ) -> Result<(ClusterId, NodeId), ChangeError> {
        let request = proto::AllocateNodeIdRequest { forwarded };
        let answer = within(self.limit, &self.address, self.door.allocate_node_id(request)).await?;
        Ok((ClusterId(answer.cluster_id), NodeId(answer.node_id)))
    }
}

pub(crate) fn member_to_proto(id: NodeId, addresses: &MemberAddresses) -> Member {
    Member {
        node_id: id.0,
        raft_address: addresses.raft.clone(),
        client_address: addresses.client.clone(),
        http_address: addresses.http.clone(),
    }
}

fn expected_to_proto(expected: Expected) -> Option<ironkv_proto::types::v1::LogId> {
    match expected {
        Expected::Any => None,
        Expected::At(LogPosition { index, term, leader }) => {
            Some(ironkv_proto::types::v1::LogId { term, leader_node_id: leader, index })
        }
    }
}

async fn within<T>(
    limit: Duration,
    address: &str,
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, ChangeError> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(error_of(address, &status)),
        Err(_) => Err(ChangeError::Unknown),
    }
}

/// The admin service's statuses, see `server/rpc/admin.rs`.
fn error_of(address: &str, status: &Status) -> ChangeError {
    match status.code() {
        Code::Unavailable if status.source().is_some() => {
            ChangeError::Unreachable(format!("{address}: {}", reason(status)))
        }
        Code::Unavailable => ChangeError::NoLeader(format!("{address}: {}", status.message())),
        Code::Aborted => ChangeError::Outdated,
        Code::ResourceExhausted => ChangeError::InProgress,
        Code::FailedPrecondition => ChangeError::Refused(status.message().to_owned()),
        _ => ChangeError::Unknown,
    }
}
