//! CLUSTER INFO, NODES, SLOTS, SHARDS, MYID, MYSHARDID, LINKS.

use std::fmt::Write;

use super::at_once;
use super::describe::{host_and_port, leader_first, leads, node_name, shard_name};
use crate::base::limits::SLOTS as SLOT_COUNT;
use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys};
use crate::commands::context::NodeContext;
use crate::resp::Reply;
use crate::services::cluster::{Member, RaftStatus};

const FLAGS: Flags = Flags::STALE;

/// A subcommand without arguments.
macro_rules! subcommand {
    ($name:ident, $since:literal, $complexity:literal, $summary:literal, $function:path) => {
        pub(super) const $name: Command = Command {
            name: stringify!($name),
            summary: $summary,
            since: $since,
            complexity: $complexity,
            syntax: "",
            arity: Arity::Exactly(2),
            keys: Keys::None,
            flags: FLAGS,
            run: at_once!($function),
        };
    };
}

subcommand!(INFO, "3.0.0", "O(1)", "Returns the state of the cluster.", info);
subcommand!(
    NODES,
    "3.0.0",
    "O(N) where N is the number of nodes",
    "Returns the nodes in the form of Redis Cluster's configuration file.",
    nodes
);
subcommand!(
    SLOTS,
    "3.0.0",
    "O(N) where N is the number of nodes",
    "Returns which nodes serve which slots, the leader first.",
    slots
);
subcommand!(
    SHARDS,
    "7.0.0",
    "O(N) where N is the number of nodes",
    "Returns the shards with their slots and nodes, the leader first.",
    shards
);
subcommand!(MYID, "3.0.0", "O(1)", "Returns the name of this node.", my_id);
subcommand!(MYSHARDID, "7.2.0", "O(1)", "Returns the name of this node's shard.", my_shard_id);
subcommand!(LINKS, "7.0.0", "O(1)", "Returns links of Redis' cluster bus: none here.", links);

fn info(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let status = context.node.status();
    let (state, slots) = if status.leader.is_some() { ("ok", SLOT_COUNT) } else { ("fail", 0) };
    let mut text = String::new();
    let rows: [(&str, &dyn std::fmt::Display); 12] = [
        ("cluster_state", &state),
        ("cluster_slots_assigned", &SLOT_COUNT),
        ("cluster_slots_ok", &slots),
        ("cluster_slots_pfail", &0),
        ("cluster_slots_fail", &(SLOT_COUNT - slots)),
        ("cluster_known_nodes", &status.members.len()),
        ("cluster_size", &1),
        ("cluster_current_epoch", &status.term),
        ("cluster_my_epoch", &status.term),
        ("cluster_stats_messages_sent", &0),
        ("cluster_stats_messages_received", &0),
        ("total_cluster_links_buffer_limit_exceeded", &0),
    ];
    for (name, value) in rows {
        // Writing to a String cannot fail.
        let _ = write!(text, "{name}:{value}\r\n");
    }
    Ok(Reply::Verbatim("txt", text.into()))
}

fn nodes(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let status = context.node.status();
    let leader = status.leader.map(|leader| node_name(&status, leader));
    let mut text = String::new();
    for member in leader_first(&status) {
        let is_leader = leads(&status, member);
        let (host, port) = host_and_port(&member.client_address);
        let (_, bus_port) = host_and_port(&member.raft_address);
        let myself = if status.node_id == Some(member.node_id) { "myself," } else { "" };
        let kind = if is_leader { "master" } else { "slave" };
        let fails = if is_up(&status, member) { "" } else { ",fail" };
        let master = leader.as_deref().filter(|_| !is_leader).unwrap_or("-");
        let link = if is_up(&status, member) { "connected" } else { "disconnected" };
        let slots = if is_leader { format!(" 0-{}", SLOT_COUNT - 1) } else { String::new() };
        let _ = writeln!(
            text,
            "{} {host}:{port}@{bus_port} {myself}{kind}{fails} {master} 0 0 {} {link}{slots}",
            node_name(&status, member.node_id),
            status.term
        );
    }
    Ok(Reply::Verbatim("txt", text.into()))
}

/// What this node can tell: itself, the leader it follows, and whom the leader hears from.
fn is_up(status: &RaftStatus, member: &Member) -> bool {
    member.reachable || status.node_id == Some(member.node_id)
}

fn slots(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let status = context.node.status();
    if status.leader.is_none() {
        return Ok(Reply::Array(Vec::new()));
    }
    let mut range = vec![Reply::Integer(0), Reply::Integer(i64::from(SLOT_COUNT) - 1)];
    let shown = leader_first(&status).into_iter().filter(|member| is_up(&status, member));
    range.extend(shown.map(|member| {
        let (host, port) = host_and_port(&member.client_address);
        Reply::Array(vec![
            Reply::bulk(host),
            Reply::Integer(i64::from(port)),
            Reply::bulk(node_name(&status, member.node_id)),
            Reply::Array(Vec::new()),
        ])
    }));
    Ok(Reply::Array(vec![Reply::Array(range)]))
}

fn shards(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let status = context.node.status();
    let members = leader_first(&status).into_iter().map(|member| shard_node(&status, member));
    let nodes = Reply::Array(members.collect());
    let range = match status.leader {
        Some(_) => vec![Reply::Integer(0), Reply::Integer(i64::from(SLOT_COUNT) - 1)],
        None => Vec::new(),
    };
    let shard = vec![(Reply::bulk("slots"), Reply::Array(range)), (Reply::bulk("nodes"), nodes)];
    Ok(Reply::Array(vec![Reply::Map(shard)]))
}

fn shard_node(status: &RaftStatus, member: &Member) -> Reply {
    let (host, port) = host_and_port(&member.client_address);
    let role = if leads(status, member) { "master" } else { "replica" };
    let own = status.node_id == Some(member.node_id);
    let offset = if own { status.applied } else { member.matched.unwrap_or(0) };
    let health = if is_up(status, member) { "online" } else { "failed" };
    Reply::Map(vec![
        (Reply::bulk("id"), Reply::bulk(node_name(status, member.node_id))),
        (Reply::bulk("port"), Reply::Integer(i64::from(port))),
        (Reply::bulk("ip"), Reply::bulk(host)),
        (Reply::bulk("endpoint"), Reply::bulk(host)),
        (Reply::bulk("role"), Reply::bulk(role)),
        (Reply::bulk("replication-offset"), Reply::Integer(offset.cast_signed())),
        (Reply::bulk("health"), Reply::bulk(health)),
    ])
}

fn my_id(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let status = context.node.status();
    Ok(Reply::bulk(node_name(&status, status.node_id.unwrap_or_default())))
}

fn my_shard_id(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::bulk(shard_name(&context.node.status())))
}

fn links(_: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::Array(Vec::new()))
}
