//! Sections about the other nodes: Replication (as Redis's clients know it), Cluster, Raft.

use super::lines::Lines;
use crate::base::config::Redirect;
use crate::commands::cluster::{host_and_port, node_name};
use crate::commands::run::NodeContext;
use crate::services::cluster::{Member, RaftStatus};

/// There is no second replication id, because there is one log.
const NO_HISTORY: &str = "0000000000000000000000000000000000000000";

/// The leader is shown as a master, and every other node as its replica.
pub(super) fn replication(context: &NodeContext<'_>, lines: &mut Lines) {
    let status = context.node.cluster.status();
    if status.is_leader() {
        lines.add("role", "master");
        let others: Vec<&Member> = others(&status).collect();
        lines.add("connected_slaves", others.len());
        for (index, member) in others.iter().enumerate() {
            add_replica(lines, &status, index, member);
        }
    } else {
        add_master(lines, &status);
        lines.add("slave_read_repl_offset", status.applied);
        lines.add("slave_repl_offset", status.applied);
        lines.add("slave_priority", 100);
        lines.add("slave_read_only", 1);
        lines.add("replica_announced", 1);
        lines.add("connected_slaves", 0);
    }
    lines.add("master_failover_state", "no-failover");
    lines.add("master_replid", history_name(&status));
    lines.add("master_replid2", NO_HISTORY);
    lines.add("master_repl_offset", status.applied);
    lines.add("second_repl_offset", -1);
    lines.add("repl_backlog_active", u8::from(status.is_leader()));
    lines.add("repl_backlog_size", status.log_bytes);
    lines.add("repl_backlog_first_byte_offset", status.purged.saturating_add(1));
    lines.add("repl_backlog_histlen", status.last_log.saturating_sub(status.purged));
}

fn others(status: &RaftStatus) -> impl Iterator<Item = &Member> {
    status.members.iter().filter(|member| Some(member.node_id) != status.node_id)
}

fn add_replica(lines: &mut Lines, status: &RaftStatus, index: usize, member: &Member) {
    let (host, port) = host_and_port(&member.client_address);
    let state = if member.is_reachable() { "online" } else { "wait_bgsave" };
    let offset = member.matched.unwrap_or(0).min(status.last_log);
    let lag = status.last_log - offset;
    lines.add(
        &format!("slave{index}"),
        format_args!("ip={host},port={port},state={state},offset={offset},lag={lag}"),
    );
}

fn add_master(lines: &mut Lines, status: &RaftStatus) {
    lines.add("role", "slave");
    let leader = status.leader_member();
    let (host, port) = leader.map_or(("", 0), |leader| host_and_port(&leader.client_address));
    lines.add("master_host", host);
    lines.add("master_port", port);
    lines.add("master_link_status", if status.hears_leader() { "up" } else { "down" });
    let silent_s =
        status.leader_contact_ms.map_or(-1, |ms| i64::try_from(ms / 1000).unwrap_or(i64::MAX));
    lines.add("master_last_io_seconds_ago", silent_s);
    lines.add("master_sync_in_progress", 0);
    if !status.hears_leader() {
        lines.add("master_link_down_since_seconds", silent_s);
    }
}

/// The replication id belongs to the cluster, so it does not depend on which node leads.
fn history_name(status: &RaftStatus) -> String {
    let id = status.cluster_id.as_ref().map_or("", |cluster| cluster.0.as_str());
    format!("{id:0<40}")
}

pub(super) fn cluster(context: &NodeContext<'_>, lines: &mut Lines) {
    let clustered = context.node.config.load().routing.redirect == Redirect::Moved;
    lines.add("cluster_enabled", u8::from(clustered));
}

pub(super) fn raft(context: &NodeContext<'_>, lines: &mut Lines) {
    let status = context.node.cluster.status();
    lines.add("raft_role", status.role.name());
    lines.add("raft_node_id", status.node_id.map_or(0, |node| node.0));
    lines.add("raft_node_name", node_name(&status, status.node_id.unwrap_or_default()));
    let cluster = status.cluster_id.as_ref().map_or("", |cluster| cluster.0.as_str());
    lines.add("raft_cluster_id", cluster);
    lines.add("raft_term", status.term);
    lines.add("raft_leader_id", status.leader.map_or(0, |node| node.0));
    let leader = status.leader_member().map_or("", |leader| leader.client_address.as_str());
    lines.add("raft_leader_address", leader);
    lines.add("raft_last_log_index", status.last_log);
    lines.add("raft_committed_index", status.committed);
    lines.add("raft_applied_index", status.applied);
    lines.add("raft_lag_entries", status.lag());
    lines.add("raft_purged_index", status.purged);
    lines.add("raft_elections", status.elections);
    lines.add("raft_log_bytes", status.log_bytes);
    lines.add("raft_log_segments", status.log_segments);
    lines.add("raft_checkpoint_index", status.checkpoint_index);
    lines.add("raft_checkpoint_bytes", status.checkpoint_bytes);
    lines.add("raft_checkpoint_ms", status.checkpoint_ms);
    lines.add("raft_checkpoints", status.checkpoints);
    lines.add("raft_checkpoint_in_progress", u8::from(status.checkpoint_running));
    lines.add("raft_flushes", status.flush.count);
    lines.add("raft_flush_p50_us", status.flush.p50_us);
    lines.add("raft_flush_p99_us", status.flush.p99_us);
    lines.add("raft_flush_max_us", status.flush.max_us);
    lines.add("raft_feature_level", status.feature_level);
    lines.add("raft_digest_index", status.digests.index);
    lines.add("raft_replicas_differing", status.differing().count());
    lines.add("raft_members", status.members.len());
    for (index, member) in status.members.iter().enumerate() {
        let matched = member.matched.map_or_else(|| "?".to_owned(), |index| index.to_string());
        let level = status.feature_levels.get(&member.node_id);
        let level = level.map_or_else(|| "?".to_owned(), |level| level.understands.to_string());
        lines.add(
            &format!("raft_member{index}"),
            format_args!(
                "id={},role={},address={},client={},matched={matched},reachable={},\
                 feature_level={level}",
                member.node_id,
                member.role.name(),
                member.raft_address,
                member.client_address,
                if member.is_reachable() { "yes" } else { "no" }
            ),
        );
    }
}
