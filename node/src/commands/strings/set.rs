//! Replacing a string: SET and the older forms of it.

use bytes::Bytes;

use super::expiry_option::{ExpiryOption, Unit};
use super::shared::event;
use crate::commands::args::Args;
use crate::commands::declare::documentation::ArgumentName;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::{Expiry, WriteContext};
use crate::data::keyspace::EventClass;
use crate::data::types::{StringValue, TypedValue};
use crate::resp::{Reply, ReplyError};

pub(super) const SET: Command = Command {
    name: "SET",
    summary: "Stores a string at a key, whatever the key held before.",
    since: "1.0.0",
    complexity: "O(1)",
    syntax: "key value [NX | XX] [GET] [EX seconds | PX milliseconds | \
             EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    key_uses: &[KeyUse::ByArguments(key_use)],
    flags: Flags::DENY_OOM,
    history: &[
        ("2.6.12", "EX, PX, NX and XX."),
        ("6.0.0", "KEEPTTL."),
        ("6.2.0", "GET, EXAT and PXAT."),
        ("7.0.0", "NX and GET in one command."),
    ],
    argument_names: &[
        ArgumentName::group("nx", "condition"),
        ArgumentName::group("seconds", "expiration"),
    ],
    run: Run::Write(set),
    ..Command::NEW
};

/// SET returns the old value only when GET asks for it.
fn key_use(argv: &[Bytes]) -> KeyUse {
    let gets = argv.iter().skip(3).any(|arg| arg.eq_ignore_ascii_case(b"GET"));
    if gets { KeyUse::Modify } else { KeyUse::Overwrite }
}

fn set(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (key, value) = (args.next()?, args.next()?);
    if args.is_empty() {
        ctx.put(key, StringValue::new(value).into_value(), Expiry::Clear, event("set"));
        return Ok(Reply::OK);
    }
    let options = Options::parse(args)?;
    let deadline_ms =
        options.expiry.map(|option| option.deadline_ms(ctx.now_ms(), "set")).transpose()?;
    let old = match options.get {
        true => ctx.get::<StringValue>(key)?.map(StringValue::bytes),
        false => None,
    };
    let answer = |without_get: Reply| if options.get { Reply::optional(old) } else { without_get };
    if options.condition.is_some_and(|condition| !condition.holds(ctx, key)) {
        return Ok(answer(Reply::Null));
    }
    let expiry = match deadline_ms {
        Some(deadline_ms) => Expiry::At(deadline_ms),
        None if options.keep_ttl => Expiry::Keep,
        None => Expiry::Clear,
    };
    store(ctx, key, value, expiry);
    Ok(answer(Reply::OK))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Missing,
    Present,
}

impl Condition {
    fn holds(self, ctx: &WriteContext<'_>, key: &[u8]) -> bool {
        ctx.object(key).is_some() == (self == Self::Present)
    }
}

#[derive(Debug, Default)]
struct Options<'a> {
    condition: Option<Condition>,
    get: bool,
    keep_ttl: bool,
    expiry: Option<ExpiryOption<'a>>,
}

impl<'a> Options<'a> {
    /// The same option twice is allowed; options that exclude each other are not.
    fn parse(mut args: Args<'a>) -> Result<Self, ReplyError> {
        let mut options = Self::default();
        while !args.is_empty() {
            if let Some(expiry) = ExpiryOption::take(&mut args)? {
                let other = options.expiry.is_some_and(|before| before.unit != expiry.unit);
                if other || options.keep_ttl {
                    return Err(ReplyError::SYNTAX);
                }
                options.expiry = Some(expiry);
            } else if options.condition != Some(Condition::Present) && args.keyword("NX") {
                options.condition = Some(Condition::Missing);
            } else if options.condition != Some(Condition::Missing) && args.keyword("XX") {
                options.condition = Some(Condition::Present);
            } else if args.keyword("GET") {
                options.get = true;
            } else if options.expiry.is_none() && args.keyword("KEEPTTL") {
                options.keep_ttl = true;
            } else {
                return Err(ReplyError::SYNTAX);
            }
        }
        Ok(options)
    }
}

fn store(ctx: &mut WriteContext<'_>, key: &Bytes, value: &[u8], expiry: Expiry) {
    ctx.put(key, StringValue::new(value).into_value(), expiry, event("set"));
    if matches!(expiry, Expiry::At(_)) {
        ctx.notify(key, (EventClass::Generic, "expire"));
    }
}

pub(super) const SETNX: Command = Command {
    name: "SETNX",
    summary: "Stores a string at a key that does not exist.",
    since: "1.0.0",
    complexity: "O(1)",
    syntax: "key value",
    arity: Arity::Exactly(3),
    keys: Keys::First,
    key_uses: &[KeyUse::Create],
    flags: Flags::DENY_OOM.with(Flags::FAST),
    run: Run::Write(set_if_missing),
    ..Command::NEW
};

fn set_if_missing(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (key, value) = (args.next()?, args.next()?);
    let missing = Condition::Missing.holds(ctx, key);
    if missing {
        store(ctx, key, value, Expiry::Clear);
    }
    Ok(Reply::flag(missing))
}

pub(super) const SETEX: Command = Command {
    name: "SETEX",
    summary: "Stores a string that expires after some seconds.",
    since: "2.0.0",
    complexity: "O(1)",
    syntax: "key seconds value",
    arity: Arity::Exactly(4),
    keys: Keys::First,
    key_uses: &[KeyUse::Overwrite],
    flags: Flags::DENY_OOM,
    run: Run::Write(|ctx, args| set_expiring(ctx, args, Unit::Seconds, "setex")),
    ..Command::NEW
};

pub(super) const PSETEX: Command = Command {
    name: "PSETEX",
    summary: "Stores a string that expires after some milliseconds.",
    since: "2.6.0",
    complexity: "O(1)",
    syntax: "key milliseconds value",
    arity: Arity::Exactly(4),
    keys: Keys::First,
    key_uses: &[KeyUse::Overwrite],
    flags: Flags::DENY_OOM,
    run: Run::Write(|ctx, args| set_expiring(ctx, args, Unit::Milliseconds, "psetex")),
    ..Command::NEW
};

fn set_expiring(
    ctx: &mut WriteContext<'_>,
    mut args: Args<'_>,
    unit: Unit,
    command: &str,
) -> CommandResult {
    let key = args.next()?;
    let deadline_ms = ExpiryOption::new(unit, &mut args)?.deadline_ms(ctx.now_ms(), command)?;
    store(ctx, key, args.next()?, Expiry::At(deadline_ms));
    Ok(Reply::OK)
}

#[cfg(test)]
#[path = "set_test.rs"]
mod tests;
