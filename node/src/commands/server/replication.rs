//! WAIT, WAITAOF, ROLE, and Redis' commands for replication that have no place in a Raft group.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::at_once;
use crate::commands::args::{Args, parse_integer};
use crate::commands::cluster::host_and_port;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys, NodeFuture, Run};
use crate::commands::context::NodeContext;
use crate::resp::{Reply, ReplyError};
use crate::services::cluster::Member;

/// How often a waiting client looks again.
const LOOK_EVERY: Duration = Duration::from_millis(2);

const ADMIN: Flags = Flags::ADMIN.with(Flags::NO_SCRIPT).with(Flags::STALE);

pub(super) const WAIT: Command = Command {
    name: "WAIT",
    summary: "Waits until that many other nodes have this connection's writes on disk.",
    since: "3.0.0",
    complexity: "O(1)",
    syntax: "numreplicas timeout",
    arity: Arity::Exactly(3),
    keys: Keys::None,
    flags: Flags::NONE,
    run: Run::Node(wait),
};

pub(super) const WAITAOF: Command = Command {
    name: "WAITAOF",
    summary: "Waits until this connection's writes are on the disks of this and other nodes.",
    since: "7.2.0",
    complexity: "O(1)",
    syntax: "numlocal numreplicas timeout",
    arity: Arity::Exactly(4),
    keys: Keys::None,
    flags: Flags::NONE,
    run: Run::Node(wait_on_disk),
};

pub(super) const ROLE: Command = Command {
    name: "ROLE",
    summary: "Returns whether this node leads, and whom or by whom.",
    since: "2.8.12",
    complexity: "O(1)",
    syntax: "",
    arity: Arity::Exactly(1),
    keys: Keys::None,
    flags: Flags::NO_SCRIPT.with(Flags::LOADING).with(Flags::STALE).with(Flags::FAST),
    run: at_once!(role),
};

pub(super) const REPLICAOF: Command = Command {
    name: "REPLICAOF",
    summary: "Refused: members replicate by consensus.",
    since: "5.0.0",
    complexity: "O(1)",
    syntax: "<host port | NO ONE>",
    arity: Arity::Exactly(3),
    keys: Keys::None,
    flags: ADMIN,
    run: at_once!(replica_of),
};

pub(super) const SLAVEOF: Command = Command { name: "SLAVEOF", since: "1.0.0", ..REPLICAOF };

pub(super) const FAILOVER: Command = Command {
    name: "FAILOVER",
    summary: "Hands leadership to another node.",
    since: "6.2.0",
    complexity: "O(1)",
    syntax: "[TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]",
    arity: Arity::AtLeast(1),
    keys: Keys::None,
    flags: ADMIN,
    run: Run::Node(failover),
};

fn wait<'a>(context: &'a NodeContext<'a>, mut args: Args<'a>) -> NodeFuture<'a> {
    Box::pin(async move {
        let wanted = args.integer()?;
        let timeout = timeout(&mut args)?;
        Ok(Reply::Integer(i64::from(wait_for(context, wanted, timeout).await?)))
    })
}

fn wait_on_disk<'a>(context: &'a NodeContext<'a>, mut args: Args<'a>) -> NodeFuture<'a> {
    Box::pin(async move {
        let local = args.integer()?;
        if !(0..=1).contains(&local) {
            return Err(ReplyError::OUT_OF_RANGE);
        }
        let wanted = args.integer()?;
        if wanted < 0 {
            return Err(ReplyError::NOT_POSITIVE);
        }
        let timeout = timeout(&mut args)?;
        let others = wait_for(context, wanted, timeout).await?;
        // An acknowledged write that is visible here is on this node's disk too.
        Ok(Reply::Array(vec![Reply::Integer(1), Reply::Integer(i64::from(others))]))
    })
}

/// How many other nodes hold everything this connection has written. Its acknowledged writes are
/// applied here after the barrier, so the applied index covers the last of them.
async fn wait_for(
    context: &NodeContext<'_>,
    wanted: i64,
    timeout: Option<Duration>,
) -> Result<u32, ReplyError> {
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    context.node.read_barrier().await?;
    let index = context.node.applied_index();
    loop {
        let reached = context.node.replicas_with(index);
        let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if i64::from(reached) >= wanted || late {
            return Ok(reached);
        }
        sleep(LOOK_EVERY).await;
    }
}

/// `None` waits for ever.
fn timeout(args: &mut Args<'_>) -> Result<Option<Duration>, ReplyError> {
    let text = args.next()?;
    let number = parse_integer(text)
        .ok_or(ReplyError::new("ERR timeout is not an integer or out of range"))?;
    let milliseconds =
        u64::try_from(number).map_err(|_| ReplyError::new("ERR timeout is negative"))?;
    // A century is for ever, and cannot overflow the clock.
    let century = 100 * 365 * 86_400_000;
    Ok((milliseconds > 0).then(|| Duration::from_millis(milliseconds.min(century))))
}

fn role(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let status = context.node.status();
    if status.is_leader() {
        let others = status
            .members
            .iter()
            .filter(|member| Some(member.node_id) != status.node_id && member.reachable);
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
        Reply::bulk(if leader.is_some() { "connected" } else { "connect" }),
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
        let status = context.node.status();
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
        context.node.transfer_leader(target).await?;
        Ok(Reply::OK)
    })
}
