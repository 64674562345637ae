//! RAFT: the group as it is. Ours, not Redis'.

use super::{at_once, container, help};
use crate::base::ids::NodeId;
use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys, NodeFuture, Run};
use crate::commands::context::NodeContext;
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
    syntax: "",
    arity: Arity::Exactly(2),
    keys: Keys::None,
    flags: Flags::LOADING.with(Flags::STALE),
    run: at_once!(status),
};

const MEMBERS: Command = Command {
    name: "MEMBERS",
    summary: "Returns the members of the group.",
    since: "7.2.0",
    complexity: "O(N) where N is the number of members",
    syntax: "",
    arity: Arity::Exactly(2),
    keys: Keys::None,
    flags: Flags::LOADING.with(Flags::STALE),
    run: at_once!(members),
};

const TRANSFER: Command = Command {
    name: "TRANSFER",
    summary: "Hands leadership to a voter, by default the one that has come farthest.",
    since: "7.2.0",
    complexity: "O(1)",
    syntax: "[node-id]",
    arity: Arity::AtLeast(2),
    keys: Keys::None,
    flags: Flags::ADMIN.with(Flags::NO_SCRIPT).with(Flags::NO_MULTI),
    run: Run::Node(transfer),
};

const HELP: Command = Command {
    name: "HELP",
    summary: "Lists the subcommands.",
    since: "7.2.0",
    complexity: "O(1)",
    syntax: "",
    arity: Arity::Exactly(2),
    keys: Keys::None,
    flags: Flags::LOADING.with(Flags::STALE),
    run: at_once!(show_help),
};

fn show_help(_: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(help(
        "RAFT",
        &[
            "MEMBERS",
            "    Return the members of the group.",
            "STATUS",
            "    Return term, role, leader and log positions of this node.",
            "TRANSFER [<node-id>]",
            "    Hand leadership to a voter (default: the one that has come farthest).",
        ],
    ))
}

fn status(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let status = context.node.status();
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
    let status = context.node.status();
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
            ("reachable", Reply::flag(member.reachable)),
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
        context.node.transfer_leader(target).await?;
        Ok(Reply::OK)
    })
}

#[cfg(test)]
#[path = "cluster_test.rs"]
mod tests;
