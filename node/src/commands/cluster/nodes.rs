//! CLUSTER INFO, NODES, SLOTS, SHARDS, MYID, MYSHARDID, LINKS.

use std::fmt::Write;

use super::describe::{host_and_port, leader_first, leads, node_name, shard_name};
use crate::base::limits::SLOTS as SLOT_COUNT;
use crate::commands::args::Args;
use crate::commands::declare::container::at_once;
use crate::commands::declare::documentation::{Deprecation, tips};
use crate::commands::declare::{Arity, Command, CommandResult, Flags, Run};
use crate::commands::run::{NodeContext, Waiting};
use crate::resp::Reply;
use crate::services::cluster::{Contact, Member, RaftStatus};

/// Clients learn from these replies which node leads. While the leader is silent or being elected,
/// the reply waits: without a leader, or with one that is gone, a client would fail although it
/// only needs to wait.
macro_rules! once_led {
    ($function:path) => {
        Run::Node(|context, args| {
            Box::pin(async move {
                if context.waiting == Waiting::Allowed {
                    context.node.cluster.wait_to_hear_leader().await;
                }
                $function(context, args)
            })
        })
    };
}

/// The common fields of its subcommands.
const SUBCOMMAND: Command = Command {
    since: "3.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: Flags::STALE,
    tips: tips::VARIES,
    ..Command::NEW
};

/// The common fields of the subcommands that list the nodes.
const LIST: Command = Command { complexity: "O(N) where N is the number of nodes", ..SUBCOMMAND };

pub(super) const INFO: Command = Command {
    name: "INFO",
    summary: "Returns the state of the cluster.",
    run: at_once!(info),
    ..SUBCOMMAND
};

pub(super) const NODES: Command = Command {
    name: "NODES",
    summary: "Returns the nodes in the form of Redis Cluster's configuration file.",
    run: once_led!(nodes),
    ..LIST
};

pub(super) const SLOTS: Command = Command {
    name: "SLOTS",
    summary: "Returns which nodes serve which slots, the leader first.",
    history: &[("4.0.0", "Node ids."), ("7.0.0", "More about each node's network.")],
    deprecated: Some(Deprecation { since: "7.0.0", successor: "CLUSTER SHARDS" }),
    run: once_led!(slots),
    ..LIST
};

pub(super) const SHARDS: Command = Command {
    name: "SHARDS",
    summary: "Returns the shards with their slots and nodes, the leader first.",
    since: "7.0.0",
    run: once_led!(shards),
    ..LIST
};

pub(super) const MYID: Command = Command {
    name: "MYID",
    summary: "Returns the name of this node.",
    tips: &[],
    run: at_once!(my_id),
    ..SUBCOMMAND
};

pub(super) const MYSHARDID: Command = Command {
    name: "MYSHARDID",
    summary: "Returns the name of this node's shard.",
    since: "7.2.0",
    tips: &[],
    run: at_once!(my_shard_id),
    ..SUBCOMMAND
};

pub(super) const LINKS: Command = Command {
    name: "LINKS",
    summary: "Returns links of Redis' cluster bus: none here.",
    since: "7.0.0",
    run: at_once!(links),
    ..SUBCOMMAND
};

fn info(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let status = context.node.cluster.status();
    let (state, slots) = if status.hears_leader() { ("ok", SLOT_COUNT) } else { ("fail", 0) };
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
    let status = context.node.cluster.status();
    let leader = status.leader.map(|leader| node_name(&status, leader));
    let mut text = String::new();
    for member in leader_first(&status) {
        let is_leader = leads(&status, member);
        let (host, port) = host_and_port(&member.client_address);
        let (_, bus_port) = host_and_port(&member.raft_address);
        let myself = if status.node_id == Some(member.node_id) { "myself," } else { "" };
        let kind = if is_leader { "master" } else { "slave" };
        let (fails, link) = link_state(&status, member);
        let master = leader.as_deref().filter(|_| !is_leader).unwrap_or("-");
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

/// The flag and the state of the link. As in Redis, `fail` is the view of the cluster, and `fail?`
/// the view of only this node, which has no contact to a leader.
fn link_state(status: &RaftStatus, member: &Member) -> (&'static str, &'static str) {
    match member.contact {
        _ if status.node_id == Some(member.node_id) => ("", "connected"),
        Contact::Answers => ("", "connected"),
        Contact::Silent => (",fail", "disconnected"),
        Contact::Unknown => (",fail?", "disconnected"),
    }
}

fn slots(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let status = context.node.cluster.status();
    if !status.hears_leader() {
        return Ok(Reply::Array(Vec::new()));
    }
    let mut range = vec![Reply::Integer(0), Reply::Integer(i64::from(SLOT_COUNT) - 1)];
    let shown =
        leader_first(&status).into_iter().filter(|member| member.contact != Contact::Silent);
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
    let status = context.node.cluster.status();
    let members = leader_first(&status).into_iter().map(|member| shard_node(&status, member));
    let nodes = Reply::Array(members.collect());
    let range = if status.hears_leader() {
        vec![Reply::Integer(0), Reply::Integer(i64::from(SLOT_COUNT) - 1)]
    } else {
        Vec::new()
    };
    let shard = vec![(Reply::bulk("slots"), Reply::Array(range)), (Reply::bulk("nodes"), nodes)];
    Ok(Reply::Array(vec![Reply::Map(shard)]))
}

fn shard_node(status: &RaftStatus, member: &Member) -> Reply {
    let (host, port) = host_and_port(&member.client_address);
    let role = if leads(status, member) { "master" } else { "replica" };
    let own = status.node_id == Some(member.node_id);
    let offset = if own { status.applied } else { member.matched.unwrap_or(0) };
    let health = if own || member.is_reachable() { "online" } else { "failed" };
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
    let status = context.node.cluster.status();
    Ok(Reply::bulk(node_name(&status, status.node_id.unwrap_or_default())))
}

fn my_shard_id(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::bulk(shard_name(&context.node.cluster.status())))
}

fn links(_: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::Array(Vec::new()))
}
