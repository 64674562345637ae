//! Storing fields.

use crate::commands::args::Args;
use crate::commands::declare::documentation::{ArgumentName, Deprecation};
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::WriteContext;
use crate::data::keyspace::EventClass;
use crate::data::types::HashValue;
use crate::resp::{Reply, ReplyError};

const EVENT: (EventClass, &str) = (EventClass::Hash, "hset");

pub(super) const HSET: Command = Command {
    name: "HSET",
    summary: "Sets fields of a hash, making the hash if there is none.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of fields set",
    syntax: "key field value [field value ...]",
    arity: Arity::AtLeast(4),
    keys: Keys::First,
    key_uses: &[KeyUse::Update],
    flags: Flags::DENY_OOM.with(Flags::FAST),
    history: &[("4.0.0", "Several fields at once.")],
    argument_names: &[ArgumentName::group("field", "field_value")],
    run: Run::Write(hset),
    ..Command::NEW
};

fn hset(ctx: &mut WriteContext<'_>, args: Args<'_>) -> CommandResult {
    set_pairs(ctx, args, "hset").map(Reply::count)
}

pub(super) const HMSET: Command = Command {
    name: "HMSET",
    summary: "Sets fields of a hash. HSET does the same and counts the new ones.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of fields set",
    syntax: "key field value [field value ...]",
    arity: Arity::AtLeast(4),
    keys: Keys::First,
    key_uses: &[KeyUse::Update],
    flags: Flags::DENY_OOM.with(Flags::FAST),
    deprecated: Some(Deprecation { since: "4.0.0", successor: "HSET with several fields" }),
    argument_names: &[ArgumentName::group("field", "field_value")],
    run: Run::Write(hmset),
    ..Command::NEW
};

fn hmset(ctx: &mut WriteContext<'_>, args: Args<'_>) -> CommandResult {
    set_pairs(ctx, args, "hmset").map(|_| Reply::OK)
}

/// Sets all pairs and returns the number of new fields.
fn set_pairs(
    ctx: &mut WriteContext<'_>,
    mut args: Args<'_>,
    command: &str,
) -> Result<usize, ReplyError> {
    let key = args.next()?;
    let (pairs, rest) = args.rest().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(ReplyError::arity(command));
    }
    let settings = ctx.settings().clone();
    let hash = ctx.get_or_create::<HashValue>(key)?;
    hash.expect(hash.len().max(pairs.len()), longest_bytes(args.rest()), &settings);
    let added = pairs.iter().filter(|[field, value]| hash.set(field, value, &settings)).count();
    ctx.changed(key, EVENT);
    Ok(added)
}

/// The longest argument: Redis converts a hash once for all pairs of a command.
fn longest_bytes(args: &[bytes::Bytes]) -> usize {
    args.iter().map(bytes::Bytes::len).max().unwrap_or(0)
}

pub(super) const HSETNX: Command = Command {
    name: "HSETNX",
    summary: "Sets a field of a hash only if the hash has no such field.",
    since: "2.0.0",
    complexity: "O(1)",
    syntax: "key field value",
    arity: Arity::Exactly(4),
    keys: Keys::First,
    key_uses: &[KeyUse::Insert],
    flags: Flags::DENY_OOM.with(Flags::FAST),
    run: Run::Write(hsetnx),
    ..Command::NEW
};

fn hsetnx(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (key, field, value) = (args.next()?, args.next()?, args.next()?);
    let exists = ctx.get::<HashValue>(key)?.is_some_and(|hash| hash.get(field).is_some());
    if exists {
        return Ok(Reply::flag(false));
    }
    let settings = ctx.settings().clone();
    ctx.get_or_create::<HashValue>(key)?.set(field, value, &settings);
    ctx.changed(key, EVENT);
    Ok(Reply::flag(true))
}
