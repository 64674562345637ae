//! The status as the operator and the command line read it.

use ironkv_proto::admin::v1 as proto;
use openraft::ServerState;

use super::admin_client::member_to_proto;
use super::convert::log_id_to_proto;
use super::group::Group;
use super::log::LogPosition;
use super::membership::is_caught_up;
use super::shared::Ended;
use super::status::{is_reachable, quorum_age_ms};
use super::types::{LogId, Metrics};
use crate::base::config::Unapplied;
use crate::commands::version::IRONKV_VERSION;

impl Group {
    /// Everything that an administrator decides on.
    pub fn admin_status(&self) -> proto::StatusResponse {
        let status = self.status();
        let silence_ms_max = self.0.config.load().raft.leader_patience_ms();
        let Unapplied { pending_restart, error } = self.0.config.unapplied();
        let mut answer = proto::StatusResponse {
            ready: status.not_ready(silence_ms_max).is_none(),
            cluster_id: status.cluster_id.map(|id| id.0),
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
            ..proto::StatusResponse::default()
        };
        if let Some(metrics) = self.0.metrics() {
            fill(&mut answer, &metrics);
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
    let leads = metrics.state == ServerState::Leader;
    let voters: std::collections::BTreeSet<_> = membership.voter_ids().collect();
    let matched = |id| metrics.replication.as_ref().and_then(|all| all.get(&id).copied().flatten());
    answer.members = membership
        .nodes()
        .map(|(id, addresses)| proto::MemberStatus {
            member: Some(member_to_proto(*id, addresses)),
            voter: voters.contains(id),
            matched: matched(*id).as_ref().map(log_id_to_proto),
            reachable: leads && is_reachable(metrics, *id),
            caught_up: leads && is_caught_up(metrics, *id),
        })
        .collect();
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
) -> super::membership::Expected {
    match expected {
        None => super::membership::Expected::Any,
        Some(id) => super::membership::Expected::At(LogPosition {
            index: id.index,
            term: id.term,
            leader: id.leader_node_id,
        }),
    }
}
