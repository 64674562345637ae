//! WAIT, WAITAOF, ROLE, FAILOVER, and Redis's replication commands that a Raft group refuses.

use std::time::Duration;

use tokio::time::Instant;

use crate::commands::args::{Args, parse_integer};
use crate::commands::cluster::host_and_port;
use crate::commands::declare::container::at_once;
use crate::commands::declare::documentation::{ArgumentName, Deprecation};
use crate::commands::declare::{Arity, Command, CommandResult, Flags, NodeFuture, Run};
use crate::commands::run::ports::{FlushGoal, Flushed};
use crate::commands::run::{NodeContext, Waiting};
use crate::resp::{Reply, ReplyError};
use crate::services::cluster::Member;
use crate::services::sessions::{Client, ClientFlag};

const ADMIN: Flags = Flags::ADMIN.with(Flags::NO_SCRIPT).with(Flags::STALE);

pub(super) const WAIT: Command = Command {
    name: "WAIT",
    summary: "Waits until that many other nodes have this connection's writes on disk.",
    since: "3.0.0",
    complexity: "O(1)",
    syntax: "numreplicas timeout",
    arity: Arity::Exactly(3),
    flags: Flags::BLOCKING,
    group: Some("generic"),
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    run: Run::Node(wait),
    ..Command::NEW
};

pub(super) const WAITAOF: Command = Command {
    name: "WAITAOF",
    summary: "Waits until this connection's writes are on the disks of this and other nodes.",
    since: "7.2.0",
    complexity: "O(1)",
    syntax: "numlocal numreplicas timeout",
    arity: Arity::Exactly(4),
    flags: Flags::BLOCKING,
    group: Some("generic"),
    run: Run::Node(wait_on_disk),
    ..Command::NEW
};

pub(super) const ROLE: Command = Command {
    name: "ROLE",
    summary: "Returns whether this node leads, and whom or by whom.",
    since: "2.8.12",
    complexity: "O(1)",
    arity: Arity::Exactly(1),
    flags: Flags::NO_SCRIPT
        .with(Flags::LOADING)
        .with(Flags::STALE)
        .with(Flags::FAST)
        .with(Flags::ADMIN_CATEGORY),
    run: at_once!(role),
    ..Command::NEW
};

pub(super) const REPLICAOF: Command = Command {
    name: "REPLICAOF",
    summary: "Refused: members replicate by consensus.",
    since: "5.0.0",
    complexity: "O(1)",
    syntax: "<host port | NO ONE>",
    arity: Arity::Exactly(3),
    flags: ADMIN,
    argument_names: &[
        ArgumentName::group("host", "args"),
        ArgumentName::group("host", "host-port"),
        ArgumentName::group("no", "no-one"),
    ],
    run: at_once!(replica_of),
    ..Command::NEW
};

pub(super) const SLAVEOF: Command = Command {
    name: "SLAVEOF",
    since: "1.0.0",
    deprecated: Some(Deprecation { since: "5.0.0", successor: "REPLICAOF" }),
    ..REPLICAOF
};

pub(super) const FAILOVER: Command = Command {
    name: "FAILOVER",
    summary: "Hands leadership to another node.",
    since: "6.2.0",
    complexity: "O(1)",
    syntax: "[TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]",
    arity: Arity::AtLeast(1),
    flags: ADMIN,
    argument_names: &[ArgumentName::group("to", "target")],
    run: Run::Node(failover),
    ..Command::NEW
};

fn wait<'a>(context: &'a NodeContext<'a>, mut args: Args<'a>) -> NodeFuture<'a> {
    Box::pin(async move {
        // Redis takes any number here; below 1 it does not wait.
        let others = args.integer()?.max(0);
        let timeout = timeout(&mut args)?;
        let flushed = wait_for(context, false, others, timeout).await;
        Ok(Reply::Integer(i64::from(flushed.others)))
    })
}

fn wait_on_disk<'a>(context: &'a NodeContext<'a>, mut args: Args<'a>) -> NodeFuture<'a> {
    Box::pin(async move {
        let here = args.integer()?;
        if !(0..=1).contains(&here) {
            return Err(ReplyError::new("ERR value is out of range, value must between 0 and 1"));
        }
        let others = args.integer()?;
        if others < 0 {
            return Err(ReplyError::NOT_POSITIVE);
        }
        let timeout = timeout(&mut args)?;
        let flushed = wait_for(context, here == 1, others, timeout).await;
        let count = |number: u32| Reply::Integer(i64::from(number));
        Ok(Reply::Array(vec![count(flushed.here.into()), count(flushed.others)]))
    })
}

/// Marks a client as blocked until dropped.
struct Blocked<'a>(&'a Client);

impl<'a> Blocked<'a> {
    fn new(client: &'a Client) -> Self {
        client.set(ClientFlag::Blocked, true);
        Self(client)
    }
}

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        self.0.set(ClientFlag::Blocked, false);
    }
}

/// Waits until the last write of this connection is on the requested number of disks.
async fn wait_for(
    context: &NodeContext<'_>,
    here: bool,
    others: i64,
    timeout: Option<Duration>,
) -> Flushed {
    let until = match context.waiting {
        Waiting::Allowed => timeout.map(|timeout| Instant::now() + timeout),
        Waiting::Refused => Some(Instant::now()),
    };
    let _blocked = Blocked::new(&context.session.client);
    let others = u32::try_from(others).unwrap_or(u32::MAX);
    let index = context.session.client.last_write();
    context.node.cluster.wait_flushed(FlushGoal { index, here, others, until }).await
}

/// Without a timeout, the wait has no limit.
fn timeout(args: &mut Args<'_>) -> Result<Option<Duration>, ReplyError> {
    let text = args.next()?;
    let number = parse_integer(text)
        .ok_or(ReplyError::new("ERR timeout is not an integer or out of range"))?;
    let milliseconds =
        u64::try_from(number).map_err(|_| ReplyError::new("ERR timeout is negative"))?;
    // A century means no limit in practice, and cannot overflow the clock.
    let century = 100 * 365 * 86_400_000;
    Ok((milliseconds > 0).then(|| Duration::from_millis(milliseconds.min(century))))
}

fn role(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let status = context.node.cluster.status();
    if status.is_leader() {
        let others = status
            .members
            .iter()
            .filter(|member| Some(member.node_id) != status.node_id && member.is_reachable());
        let describe = |member: &Member| {
            let (host, port) = host_and_port(&member.client_address);
            let offset = member.matched.unwrap_or(0).to_string();
            let parts = [host.to_owned(), port.to_string(), offset];
            Reply::Array(parts.iter().map(Reply::bulk).collect())
        };
        return Ok(Reply::Array(vec![
            Reply::bulk("master"),
            Reply::Integer(status.applied.cast_signed()),
            Reply::Array(others.map(describe).collect()),
        ]));
    }
    let leader = status.leader_member();
    let (host, port) = leader.map_or(("", 0), |leader| host_and_port(&leader.client_address));
    Ok(Reply::Array(vec![
        Reply::bulk("slave"),
        Reply::bulk(host),
        Reply::Integer(i64::from(port)),
        Reply::bulk(if status.hears_leader() { "connected" } else { "connect" }),
        Reply::Integer(status.applied.cast_signed()),
    ]))
}

fn replica_of(_: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Err(ReplyError::new(
        "ERR REPLICAOF not allowed: members replicate by consensus. Change members with \
         `ironkv cluster add` or `remove`, the leader with RAFT TRANSFER",
    ))
}

fn failover<'a>(context: &'a NodeContext<'a>, mut args: Args<'a>) -> NodeFuture<'a> {
    Box::pin(async move {
        let mut to = None;
        while !args.is_empty() {
            if args.keyword("TO") {
                let host = String::from_utf8_lossy(args.next()?).into_owned();
                let port = String::from_utf8_lossy(args.next()?).into_owned();
                args.keyword("FORCE");
                to = Some(format!("{host}:{port}"));
            } else if args.keyword("ABORT") {
                return Err(ReplyError::new("ERR No failover in progress."));
            } else if args.keyword("TIMEOUT") {
                args.integer()?;
            } else {
                return Err(ReplyError::SYNTAX);
            }
        }
        let status = context.node.cluster.status();
        if status.members.len() < 2 {
            return Err(ReplyError::new("ERR FAILOVER requires connected replicas."));
        }
        let target = match to {
            None => None,
            Some(address) => {
                let found = status.members.iter().find(|member| member.client_address == address);
                let unknown =
                    || ReplyError::new("ERR FAILOVER target HOST and PORT is not a replica.");
                Some(found.ok_or_else(unknown)?.node_id)
            }
        };
        context.node.cluster.transfer_leader(target).await?;
        Ok(Reply::OK)
    })
}
