//! MULTI, EXEC, DISCARD, WATCH, UNWATCH. Dispatch queues and executes the commands.

use bytes::Bytes;

use crate::commands::args::Args;
use crate::commands::declare::{Arity, Command, CommandResult, Family, Flags, KeyUse, Keys, Run};
use crate::commands::run::{SessionAction, SessionContext};
use crate::resp::{Reply, ReplyError};

pub(super) const FAMILY: Family = Family {
    group: "transactions",
    category: "@transaction",
    commands: &[DISCARD, EXEC, MULTI, UNWATCH, WATCH],
};

const ALWAYS: Flags = Flags::NO_SCRIPT.with(Flags::LOADING).with(Flags::STALE).with(Flags::FAST);

const MULTI: Command = Command {
    name: "MULTI",
    summary: "Starts a transaction: commands are queued until EXEC.",
    since: "1.2.0",
    complexity: "O(1)",
    arity: Arity::Exactly(1),
    flags: ALWAYS.with(Flags::NOT_QUEUED),
    run: Run::Session(multi),
    ..Command::NEW
};

const EXEC: Command = Command {
    name: "EXEC",
    summary: "Executes the queued commands as one unit.",
    since: "1.2.0",
    complexity: "Depends on the queued commands.",
    arity: Arity::Exactly(1),
    flags: Flags::NO_SCRIPT
        .with(Flags::LOADING)
        .with(Flags::STALE)
        .with(Flags::NOT_QUEUED)
        .with(Flags::EXECUTES_QUEUE)
        .with(Flags::SKIP_SLOW_LOG),
    run: Run::Session(exec),
    ..Command::NEW
};

const DISCARD: Command = Command {
    name: "DISCARD",
    summary: "Drops the queued commands and forgets the watched keys.",
    since: "2.0.0",
    complexity: "O(N), where N is the number of queued commands.",
    arity: Arity::Exactly(1),
    flags: ALWAYS.with(Flags::NOT_QUEUED),
    run: Run::Session(discard),
    ..Command::NEW
};

const WATCH: Command = Command {
    name: "WATCH",
    summary: "Makes the next EXEC do nothing if one of the keys changes before it.",
    since: "2.2.0",
    complexity: "O(1) for every key.",
    syntax: "key [key ...]",
    arity: Arity::AtLeast(2),
    keys: Keys::Range { first: 1, last: -1, step: 1 },
    key_uses: &[KeyUse::Inspect],
    flags: ALWAYS.with(Flags::NOT_QUEUED),
    run: Run::Session(watch),
    ..Command::NEW
};

const UNWATCH: Command = Command {
    name: "UNWATCH",
    summary: "Forgets the watched keys.",
    since: "2.2.0",
    complexity: "O(1)",
    arity: Arity::Exactly(1),
    flags: ALWAYS,
    run: Run::Session(unwatch),
    ..Command::NEW
};

fn multi(ctx: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    if ctx.session.transaction.is_some() {
        return Err(ReplyError::NESTED_MULTI);
    }
    ctx.session.transaction = Some(Box::default());
    Ok(Reply::OK)
}

fn exec(ctx: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    if ctx.session.transaction.is_none() {
        return Err(ReplyError::EXEC_WITHOUT_MULTI);
    }
    ctx.action = SessionAction::Execute;
    Ok(Reply::Nothing)
}

fn discard(ctx: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    ctx.session.transaction.take().ok_or(ReplyError::DISCARD_WITHOUT_MULTI)?;
    ctx.session.watches.clear();
    Ok(Reply::OK)
}

fn watch(ctx: &mut SessionContext<'_>, args: Args<'_>) -> CommandResult {
    if ctx.session.transaction.is_some() {
        return Err(ReplyError::WATCH_IN_MULTI);
    }
    ctx.action =
        SessionAction::Watch(args.rest().iter().map(|key| Bytes::copy_from_slice(key)).collect());
    Ok(Reply::OK)
}

fn unwatch(ctx: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    ctx.session.watches.clear();
    Ok(Reply::OK)
}
