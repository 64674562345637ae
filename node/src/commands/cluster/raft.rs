//! RAFT: the Raft group. Redis has no such command.

use crate::base::ids::NodeId;
use crate::commands::args::Args;
use crate::commands::declare::container::{at_once, container};
use crate::commands::declare::help::{help, help_of};
use crate::commands::declare::{Arity, Command, CommandResult, Flags, NodeFuture, Run};
use crate::commands::run::NodeContext;
use crate::resp::{Reply, ReplyError};
use crate::services::cluster::Member;

pub(super) const RAFT: Command = container(
    "RAFT",
    "A container for commands about consensus.",
    "7.2.0",
    &[HELP, MEMBERS, STATUS, TRANSFER],
);

const STATUS: Command = Command {
    name: "STATUS",
    summary: "Returns term, role, leader and log positions of this node.",
    since: "7.2.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: Flags::LOADING.with(Flags::STALE),
    run: at_once!(status),
    ..Command::NEW
};

const MEMBERS: Command = Command {
    name: "MEMBERS",
    summary: "Returns the members of the group.",
    since: "7.2.0",
    complexity: "O(N) where N is the number of members",
    arity: Arity::Exactly(2),
    flags: Flags::LOADING.with(Flags::STALE),
    run: at_once!(members),
    ..Command::NEW
};

const TRANSFER: Command = Command {
    name: "TRANSFER",
    summary: "Hands leadership to a voter, by default the one that has come farthest.",
    since: "7.2.0",
    complexity: "O(1)",
    syntax: "[node-id]",
    arity: Arity::AtLeast(2),
    flags: Flags::ADMIN.with(Flags::NO_SCRIPT).with(Flags::NO_MULTI),
    run: Run::Node(transfer),
    ..Command::NEW
};

const HELP: Command = help("7.2.0", Run::Describe(|_, _| help_of(&RAFT)));

fn status(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let status = context.node.cluster.status();
    let cluster = status.cluster_id.as_ref().map_or("", |cluster| cluster.0.as_str());
    let number = |number: u64| Reply::Integer(number.cast_signed());
    let node = |node: Option<NodeId>| node.map_or(Reply::Null, |node| number(node.0));
    let rows = [
        ("cluster-id", Reply::bulk(cluster)),
        ("node-id", node(status.node_id)),
        ("role", Reply::bulk(status.role.name())),
        ("term", number(status.term)),
        ("leader", node(status.leader)),
        ("last-log", number(status.last_log)),
        ("committed", number(status.committed)),
        ("applied", number(status.applied)),
        ("purged", number(status.purged)),
        ("checkpoint", number(status.checkpoint_index)),
        ("elections", number(status.elections)),
        ("log-bytes", number(status.log_bytes)),
    ];
    Ok(map(rows))
}

fn members(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let status = context.node.cluster.status();
    let describe = |member: &Member| {
        let matched = member.matched.map(|index| Reply::Integer(index.cast_signed()));
        map([
            ("node-id", Reply::Integer(member.node_id.0.cast_signed())),
            ("role", Reply::bulk(member.role.name())),
            ("leader", Reply::flag(status.leader == Some(member.node_id))),
            ("raft-address", Reply::bulk(&member.raft_address)),
            ("client-address", Reply::bulk(&member.client_address)),
            ("http-address", Reply::bulk(&member.http_address)),
            ("matched", matched.unwrap_or(Reply::Null)),
            ("reachable", Reply::flag(member.is_reachable())),
        ])
    };
    Ok(Reply::Array(status.members.iter().map(describe).collect()))
}

fn map<const ROWS: usize>(rows: [(&'static str, Reply); ROWS]) -> Reply {
    Reply::Map(rows.into_iter().map(|(name, value)| (Reply::bulk(name), value)).collect())
}

fn transfer<'a>(context: &'a NodeContext<'a>, mut args: Args<'a>) -> NodeFuture<'a> {
    Box::pin(async move {
        let target = if args.is_empty() {
            None
        } else {
            let number = u64::try_from(args.integer()?).map_err(|_| {
                ReplyError::new("ERR node id must be a positive number, see RAFT MEMBERS")
            })?;
            args.end()?;
            Some(NodeId(number))
        };
        context.node.cluster.transfer_leader(target).await?;
        Ok(Reply::OK)
    })
}

#[cfg(test)]
#[path = "cluster_test.rs"]
mod tests;
