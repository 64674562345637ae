//! Administration on the hop from one node to another: a follower passes a change on to the leader,
//! an empty node asks a cluster to take it in.

use std::error::Error;
use std::time::Duration;

use ironkv_proto::admin::v1 as proto;
use ironkv_proto::admin::v1::admin_service_client::AdminServiceClient;
use ironkv_proto::types::v1::Member;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::convert;
use super::log::LogPosition;
use super::membership::{Change, ChangeError, Expected};
use super::peers::{Peers, reason, sized_client};
use super::types::{LogId, MemberAddresses};
use crate::base::ids::{ClusterId, NodeId};

/// Talks to one node's admin door.
pub(crate) struct AdminClient {
    door: AdminServiceClient<Channel>,
    limit: Duration,
}

impl AdminClient {
    /// Every answer must come within the limit.
    pub(crate) fn new(peers: &Peers, address: &str, limit: Duration) -> Result<Self, ChangeError> {
        let channel = peers
            .channel(address)
            .map_err(|error| ChangeError::Refused(format!("bad address {address}: {error}")))?;
        Ok(Self { door: sized_client!(AdminServiceClient::new(channel)), limit })
    }

    pub(crate) async fn status(&mut self) -> Result<proto::StatusResponse, ChangeError> {
        let answer = within(self.limit, self.door.status(proto::StatusRequest {})).await;
        answer.map_err(|error| match error {
            ChangeError::Unknown => ChangeError::Unreachable("it is silent".to_owned()),
            error => error,
        })
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
        let answer = match change {
            Change::AddLearner(id, addresses) => {
                let request = proto::AddLearnerRequest {
                    member: Some(member_to_proto(id, &addresses)),
                    expected_membership,
                    forwarded,
                    cluster_id: cluster_id.clone(),
                };
                within(self.limit, self.door.add_learner(request)).await?
            }
            Change::Promote(id) => within(self.limit, self.door.promote(node(id))).await?,
            Change::Demote(id) => within(self.limit, self.door.demote(node(id))).await?,
            Change::Remove(id) => within(self.limit, self.door.remove(node(id))).await?,
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
        within(self.limit, self.door.transfer_leader(request)).await.map(drop)
    }

    pub(crate) async fn allocate(
        &mut self,
        forwarded: bool,
    ) -> Result<(ClusterId, NodeId), ChangeError> {
        let request = proto::AllocateNodeIdRequest { forwarded };
        let answer = within(self.limit, self.door.allocate_node_id(request)).await?;
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
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, ChangeError> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(error_of(&status)),
        Err(_) => Err(ChangeError::Unknown),
    }
}

/// The admin service's statuses, see `server/rpc/admin.rs`.
fn error_of(status: &Status) -> ChangeError {
    match status.code() {
        Code::Unavailable if status.source().is_some() => ChangeError::Unreachable(reason(status)),
        Code::Unavailable => ChangeError::NotLeader(None),
        Code::Aborted => ChangeError::Outdated,
        Code::ResourceExhausted => ChangeError::InProgress,
        Code::FailedPrecondition => ChangeError::Refused(status.message().to_owned()),
        _ => ChangeError::Unknown,
    }
}
