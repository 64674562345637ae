//! `/v1/status`: this node and its group as JSON.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Lifecycle;
use crate::base::config::Unapplied;
use crate::base::telemetry::Stat;
use crate::commands::run::NodeServices;
use crate::commands::version::IRONKV_VERSION;
use crate::services::cluster::{Member, RaftStatus};

/// The response of `/v1/status`. Fields are only added, never changed.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
pub struct NodeStatus {
    /// The version of the program.
    pub version: String,
    /// Seconds since the process started.
    pub uptime_s: u64,
    /// This node; `None` before it has an identity.
    pub node_id: Option<u64>,
    /// The cluster; `None` before it belongs to one.
    pub cluster_id: Option<String>,
    /// leader, candidate, follower, learner or stopped.
    pub role: String,
    /// The current term.
    pub term: u64,
    /// The leader, if known.
    pub leader: Option<u64>,
    /// Whether requests sent here are served.
    pub ready: bool,
    /// The reason if not.
    pub not_ready_because: Option<String>,
    /// Keys of the configuration file whose value needs a restart.
    pub pending_restart: Vec<String>,
    /// Why the current configuration file was refused.
    pub configuration_error: Option<String>,
    /// Whether writes are refused here because the disk is full.
    pub disk_full: bool,
    /// Whether the log's disk hangs: this node does not lead then.
    pub disk_stalled: bool,
    /// Age of the log's pending write or flush.
    pub disk_silent_ms: u64,
    /// Bytes of log entries not flushed yet.
    pub log_unflushed_bytes: u64,
    /// Bytes of requests that wait to be proposed or forwarded, or for the reply of the leader.
    pub queued_bytes: u64,
    /// Whether the disk is too full for a checkpoint; it is retried automatically.
    pub checkpoint_no_room: bool,
    /// The current feature level of the cluster.
    pub feature_level: u32,
    /// On the leader: members with different data at the last comparison of digests.
    pub differing_nodes: Vec<u64>,
    /// Log index of this node's last digest; 0 before the first.
    pub digest_index: u64,
    /// How far this machine's clock is ahead of a majority's, milliseconds, if a majority agrees.
    pub clock_offset_ms: Option<i64>,
    /// Log index at which the incarnation of this process was registered; 0 before.
    pub incarnation_index: u64,
    /// Why this node takes no part until the members have confirmed its data.
    pub unconfirmed: Option<String>,
    /// What is wrong with a node that serves requests.
    pub warning: Option<String>,
    /// Index of the last log entry.
    pub last_log: u64,
    /// Index of the last committed entry known here.
    pub committed: u64,
    /// Index of the last applied entry.
    pub applied: u64,
    /// Index of the current checkpoint.
    pub checkpoint: u64,
    /// Bytes of the log on disk.
    pub log_bytes: u64,
    /// Keys in all databases.
    pub keys: u64,
    /// Bytes of keys and values.
    pub data_bytes: u64,
    /// Bytes of the process in physical memory.
    pub resident_bytes: u64,
    /// Clients connected now.
    pub clients: u64,
    /// Commands run since the start.
    pub commands: u64,
    /// Commands per second at present.
    pub commands_per_second: f64,
    /// Keys removed because they expired, since the start.
    pub expired_keys: u64,
    /// All members.
    pub members: Vec<MemberStatus>,
}

/// One member of the group.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct MemberStatus {
    /// Its identity.
    pub node_id: u64,
    /// voter or learner.
    pub role: String,
    /// `host:port` for peers.
    pub raft_address: String,
    /// `host:port` for clients.
    pub client_address: String,
    /// `host:port` for HTTP.
    pub http_address: String,
    /// The last log index known to be on its disk, by the leader's last report; null when it is not
    /// known.
    pub matched: Option<u64>,
    /// Whether it is known to answer the leader. A node without contact to a leader knows it only
    /// of itself.
    pub reachable: bool,
    /// Whether it answers and its log is close enough to the leader's for a vote.
    pub caught_up: bool,
    /// The highest feature level that its program understands, by its last report to the leader;
    /// other nodes know only their own.
    pub feature_level_understood: Option<u32>,
}

pub(super) async fn status(
    State(lifecycle): State<Arc<Lifecycle>>,
) -> Result<Json<NodeStatus>, (StatusCode, String)> {
    let loading =
        (StatusCode::SERVICE_UNAVAILABLE, "checkpoint and log are being loaded\n".to_owned());
    let node = lifecycle.node().ok_or(loading)?;
    Ok(Json(describe(node, lifecycle.not_ready())))
}

fn describe(node: &NodeServices, problem: Option<String>) -> NodeStatus {
    let status = node.cluster.status();
    let warning = status.warning();
    let telemetry = &node.telemetry;
    let (keys, data_bytes) = {
        let keyspace = node.storage.keyspace().read();
        let keys: usize = keyspace.databases().map(|(_, database)| database.len()).sum();
        (keys as u64, keyspace.memory_bytes() as u64)
    };
    let Unapplied { pending_restart, error } = node.config.unapplied();
    let members = status.members.iter().map(|member| describe_member(&status, member)).collect();
    let differing_nodes = status.differing().map(|id| id.0).collect();
    NodeStatus {
        version: IRONKV_VERSION.to_owned(),
        uptime_s: telemetry.process.uptime().as_secs(),
        node_id: status.node_id.map(|id| id.0),
        cluster_id: status.cluster_id.map(|id| id.0),
        role: status.role.name().to_owned(),
        term: status.term,
        leader: status.leader.map(|id| id.0),
        ready: problem.is_none(),
        not_ready_because: problem,
        pending_restart,
        configuration_error: error,
        disk_full: status.disk_full,
        disk_stalled: status.disk_stalled,
        disk_silent_ms: status.disk_silent_ms,
        log_unflushed_bytes: status.log_unflushed_bytes,
        queued_bytes: status.queued_bytes,
        checkpoint_no_room: status.checkpoint_no_room,
        feature_level: status.feature_level.0,
        differing_nodes,
        digest_index: status.digests.index,
        clock_offset_ms: status.clock_offset_ms,
        incarnation_index: status.incarnation_index,
        unconfirmed: status.unconfirmed,
        warning,
        last_log: status.last_log,
        committed: status.committed,
        applied: status.applied,
        checkpoint: status.checkpoint_index,
        log_bytes: status.log_bytes,
        keys,
        data_bytes,
        resident_bytes: telemetry.process.memory().resident,
        clients: node.clients.count() as u64,
        commands: telemetry.metrics.total().calls(),
        commands_per_second: telemetry.metrics.rates().commands,
        expired_keys: telemetry.metrics.stat_total(Stat::ExpiredKeys),
        members,
    }
}

fn describe_member(status: &RaftStatus, member: &Member) -> MemberStatus {
    let level = status.feature_levels.get(&member.node_id);
    MemberStatus {
        feature_level_understood: level.map(|level| level.understands.0),
        node_id: member.node_id.0,
        role: member.role.name().to_owned(),
        raft_address: member.raft_address.clone(),
        client_address: member.client_address.clone(),
        http_address: member.http_address.clone(),
        matched: member.matched,
        reachable: member.is_reachable(),
        caught_up: status.is_caught_up(member),
    }
}
