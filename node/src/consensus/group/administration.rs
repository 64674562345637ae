//! What administrators and other nodes ask a group to decide, on whichever node.

use std::time::Duration;

use ironkv_proto::admin::v1::{StandingRequest, StandingResponse};

use super::Group;
use crate::base::ids::{ClusterId, NodeId};
use crate::consensus::errors::ProposeError;
use crate::consensus::membership::admin_client::AdminClient;
use crate::consensus::membership::change::{Change, ChangeError, Expected};
use crate::consensus::network::convert::{
    log_id_to_position, log_id_to_proto, registration_to_proto, told_from_proto, told_to_proto,
};
use crate::consensus::proposal::entry::Item;
use crate::consensus::state_machine::outcome::ItemOutcome;
use crate::consensus::storage::log::LogPosition;
use crate::consensus::time::reset::{TimeAhead, TimeReset};

/// How long the leader has for a change that a follower passes on.
const HOP_PATIENCE: Duration = Duration::from_secs(15);

impl Group {
    /// Reserves a node id; goes to the leader.
    pub async fn allocate_node_id(
        &self,
        forwarded: bool,
    ) -> Result<(ClusterId, NodeId), ChangeError> {
        let identity = self.identity().ok_or(ChangeError::NotLeader(None))?;
        if !self.0.cluster.leadership.is_leader() {
            return self.leader_client(forwarded).await?.allocate(true).await;
        }
        match self.0.requests.proposals.queue_item(Item::AllocateNode, false).await {
            Ok(Ok(ItemOutcome::NodeId(id))) => Ok((identity.cluster_id.clone(), id)),
            Ok(Err(ProposeError::NotExecuted(_))) => Err(ChangeError::NotLeader(None)),
            _ => Err(ChangeError::Unknown),
        }
    }

    /// Makes one membership change; goes to the leader unless it was `forwarded` already.
    pub async fn change(
        &self,
        change: Change,
        expected: Expected,
        forwarded: bool,
    ) -> Result<LogPosition, ChangeError> {
        if self.0.cluster.leadership.is_leader() {
            let changed = self.0.control.changes.change(change, expected).await;
            return changed.map(|at| log_id_to_position(&at));
        }
        let identity = self.identity().ok_or(ChangeError::NotLeader(None))?;
        let mut leader = self.leader_client(forwarded).await?;
        let changed = leader.change(&identity.cluster_id, change, expected, true).await;
        changed.map(|at| log_id_to_position(&at))
    }

    /// Hands the leadership over; `None` picks the voter that is furthest.
    pub async fn transfer_leader(
        &self,
        target: Option<NodeId>,
        expected: Expected,
        forwarded: bool,
    ) -> Result<(), ChangeError> {
        if self.0.cluster.leadership.is_leader() {
            return self.0.control.transfers.transfer(target, expected).await;
        }
        let identity = self.identity().ok_or(ChangeError::NotLeader(None))?;
        let mut leader = self.leader_client(forwarded).await?;
        leader.transfer(&identity.cluster_id, target, expected).await
    }

    async fn leader_client(&self, forwarded: bool) -> Result<AdminClient, ChangeError> {
        if forwarded {
            // Two nodes that take each other for the leader must not pass a change to and fro.
            let leader = self.0.cluster.leadership.leadership.borrow().leader;
            return Err(ChangeError::NotLeader(leader));
        }
        // One that is remembered and not heard would leave the fate of the change unknown.
        self.0.wait_to_hear_leader().await;
        if !self.status().hears_leader() {
            return Err(ChangeError::NotLeader(None));
        }
        let cluster = &self.0.cluster;
        let leader = cluster.leadership.wait_for_leader().await;
        let leader = leader.ok_or(ChangeError::NotLeader(None))?;
        let address = cluster.raft.address_of(leader).ok_or(ChangeError::NotLeader(None))?;
        AdminClient::new(&cluster.peers, &address.raft, HOP_PATIENCE)
    }

    /// Sets the time of the cluster back to what a majority's clocks say; goes to the leader
    /// unless it was `forwarded` already. Refused when it is not ahead of them by more than
    /// `raft.clock_offset_max_ms`.
    pub async fn reset_time(
        &self,
        reset: TimeReset,
        forwarded: bool,
    ) -> Result<TimeAhead, ChangeError> {
        if self.is_leader() {
            return self.0.control.resets.reset_time(reset).await;
        }
        let identity = self.identity().ok_or(ChangeError::NotLeader(None))?;
        let cluster_id: &ClusterId = &identity.cluster_id;
        self.leader_client(forwarded).await?.reset_time(cluster_id, reset).await
    }

    /// What this node knows about the membership of another one.
    ///
    /// # Errors
    /// This node belongs to another cluster or to none.
    pub fn standing_of(&self, request: &StandingRequest) -> Result<StandingResponse, ChangeError> {
        let (cluster_id, id) = (&request.cluster_id, NodeId(request.node_id));
        let identity = self.identity().ok_or(ChangeError::NotLeader(None))?;
        if identity.cluster_id.0 != *cluster_id {
            let known = &identity.cluster_id;
            return Err(ChangeError::Refused(format!("this node belongs to cluster {known}")));
        }
        let trust = &self.0.cluster.trust;
        if let Some(asker) = request.lineage.as_ref().filter(|_| id == identity.node_id)
            && !trust.incarnations.is_own(&told_from_proto(asker))
        {
            // Another process has this node's id.
            trust.incarnations.renew_at_once();
        }
        let registered = trust.standings.registration_of(id).map(registration_to_proto);
        let (standing, membership, voters) = trust.standings.answer(id);
        Ok(StandingResponse {
            cluster_id: identity.cluster_id.0.clone(),
            answering_node_id: identity.node_id.0,
            node_id: id.0,
            standing: standing.into(),
            membership: membership.as_ref().map(log_id_to_proto),
            voters,
            registered,
            lineage: told_to_proto(trust.incarnations.told()),
            refuted: trust.refuted().into_iter().map(registration_to_proto).collect(),
            confirmed_term: trust.confirmed_term().unwrap_or(0),
        })
    }
}

#[cfg(test)]
impl Group {
    /// Goes halfway to these voters and leaves it there, as a leader that dies does.
    pub(crate) async fn leave_halfway(&self, voters: std::collections::BTreeSet<NodeId>) {
        use openraft::{EntryPayload, Membership};
        let metrics = self.0.cluster.raft.metrics().unwrap();
        let nodes: std::collections::BTreeMap<_, _> =
            metrics.membership_config.nodes().map(|(id, node)| (*id, node.clone())).collect();
        let before = metrics.membership_config.voter_ids().collect();
        let joint = Membership::new(vec![before, voters], nodes).unwrap();
        let raft = self.0.cluster.raft.raft().unwrap();
        raft.append_membership(joint, EntryPayload::Blank, []).await.unwrap();
    }
}
