//! The status as the operator and the command line read it.

use ironkv_proto::admin::v1 as proto;
use openraft::ServerState;

use super::admin_client::member_to_proto;
use crate::base::config::Unapplied;
use crate::base::ids::NodeId;
use crate::commands::version::IRONKV_VERSION;
use crate::consensus::group::Group;
use crate::consensus::network::convert::log_id_to_proto;
use crate::consensus::shared::Ended;
use crate::consensus::status::quorum_age_ms;
use crate::consensus::storage::log::LogPosition;
use crate::consensus::types::{LogId, Metrics};
use crate::services::cluster::{Contact, RaftStatus};

impl Group {
    /// Everything that an administrator decides on.
    pub fn admin_status(&self) -> proto::StatusResponse {
        let status = self.status();
        let silence_ms_max = self.0.config.load().raft.leader_patience_ms();
        let not_ready_because = status.not_ready(silence_ms_max);
        let Unapplied { pending_restart, error } = self.0.config.unapplied();
        let mut answer = proto::StatusResponse {
            ready: not_ready_because.is_none(),
            not_ready_because,
            warning: status.warning(),
            cluster_id: status.cluster_id.as_ref().map(|id| id.0.clone()),
            node_id: status.node_id.map_or(0, |id| id.0),
            checkpoint_index: status.checkpoint_index,
            checkpoint_bytes: status.checkpoint_bytes,
            log_bytes: status.log_bytes,
            memory_bytes: self.0.applied.memory_bytes(),
            version: IRONKV_VERSION.to_owned(),
            role: proto::Role::Empty.into(),
            pending_restart,
            configuration_error: error,
            disk_full: status.disk_full,
            feature_level: status.feature_level.0,
            feature_level_understood: self.0.own_level().understands.0,
            feature_level_agreed: self.0.own_level().agrees_to.0,
            digest_index: status.digests.index,
            differing_node_ids: status.differing().map(|id| id.0).collect(),
            unconfirmed: status.unconfirmed.clone(),
            ..proto::StatusResponse::default()
        };
        if let Some(metrics) = self.0.metrics() {
            fill(&mut answer, &metrics);
            answer.members = members(&status, &metrics);
        }
        if !status.is_leader() && answer.role == i32::from(proto::Role::Leader) {
            // A leader that gave its leadership up because its disk hangs.
            answer.role = proto::Role::Follower.into();
            answer.leader_node_id = 0;
        }
        if let Some(Ended::Removed(reason)) = &*self.0.ended.borrow() {
            answer.role = proto::Role::Removed.into();
            answer.removed = Some(reason.clone());
        }
        answer
    }
}

fn fill(answer: &mut proto::StatusResponse, metrics: &Metrics) {
    let position = |id: &Option<LogId>| id.as_ref().map(log_id_to_proto);
    let membership = &metrics.membership_config;
    answer.term = metrics.current_term;
    answer.leader_node_id = metrics.current_leader.map_or(0, |id| id.0);
    answer.committed = position(&metrics.cluster_committed);
    answer.applied = position(&metrics.last_applied);
    answer.purged = position(&metrics.purged);
    answer.last_log = metrics.last_log_index.map(|index| ironkv_proto::types::v1::LogId {
        index,
        ..ironkv_proto::types::v1::LogId::default()
    });
    answer.membership = position(membership.log_id());
    answer.joint = membership.get_joint_config().len() > 1;
    answer.membership_committed =
        metrics.committed_membership_config.log_id() == membership.log_id();
    answer.role = role(metrics).into();
    answer.quorum_acknowledged_ms_ago = quorum_age_ms(metrics);
}

/// The members of the membership that [`fill`] named, as far as this node knows of them.
fn members(status: &RaftStatus, metrics: &Metrics) -> Vec<proto::MemberStatus> {
    let membership = &metrics.membership_config;
    let voters: std::collections::BTreeSet<_> = membership.voter_ids().collect();
    let members = membership.nodes().map(|(id, addresses)| {
        let mut told = member(status, metrics, *id);
        told.member = Some(member_to_proto(*id, addresses));
        told.voter = voters.contains(id);
        told
    });
    members.collect()
}

fn member(status: &RaftStatus, metrics: &Metrics, id: NodeId) -> proto::MemberStatus {
    let Some(seen) = status.members.iter().find(|member| member.node_id == id) else {
        return proto::MemberStatus::default();
    };
    let on_leader = metrics.replication.as_ref().and_then(|all| all.get(&id).copied().flatten());
    let index_only = seen.matched.map(|index| ironkv_proto::types::v1::LogId {
        index,
        ..ironkv_proto::types::v1::LogId::default()
    });
    let contact = match seen.contact {
        Contact::Answers => proto::Contact::Answers,
        Contact::Silent => proto::Contact::Silent,
        Contact::Unknown => proto::Contact::Unknown,
    };
    let mut told = proto::MemberStatus {
        matched: on_leader.as_ref().map(log_id_to_proto).or(index_only),
        reachable: seen.is_reachable(),
        caught_up: status.is_caught_up(seen),
        contact: contact.into(),
        ..proto::MemberStatus::default()
    };
    if status.is_leader() {
        if let Some(level) = status.feature_levels.get(&id) {
            told.feature_level_understood = level.understands.0;
            told.feature_level_agreed = level.agrees_to.0;
        }
        told.digest_compared = status.digests.compared.get(&id).map_or(0, |(index, _)| *index);
    }
    told
}

fn role(metrics: &Metrics) -> proto::Role {
    match metrics.state {
        // Before `Init`, and before a leader has sent the first membership.
        ServerState::Learner if metrics.membership_config.log_id().is_none() => proto::Role::Empty,
        ServerState::Learner => proto::Role::Learner,
        ServerState::Follower => proto::Role::Follower,
        ServerState::Candidate => proto::Role::Candidate,
        ServerState::Leader => proto::Role::Leader,
        ServerState::Shutdown => proto::Role::Unspecified,
    }
}

/// From a message: absent means whatever the membership is now.
pub fn expected_from_proto(
    expected: Option<&ironkv_proto::types::v1::LogId>,
) -> super::change::Expected {
    match expected {
        None => super::change::Expected::Any,
        Some(id) => super::change::Expected::At(LogPosition {
            index: id.index,
            term: id.term,
            leader: id.leader_node_id,
        }),
    }
}
