//! Adding numbers to fields.

use bytes::Bytes;

use crate::base::long_double::{LongDouble, Parsed};
use crate::commands::args::{Args, parse_integer};
use crate::commands::declare::documentation::ArgumentName;
use crate::commands::declare::syntax::Kind;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, Keys, Run};
use crate::commands::run::WriteContext;
use crate::data::keyspace::EventClass;
use crate::data::types::HashValue;
use crate::resp::{Reply, ReplyError};

pub(super) const HINCRBY: Command = Command {
    name: "HINCRBY",
    summary: "Adds an integer to the value of a field, 0 if there is none.",
    since: "2.0.0",
    complexity: "O(1)",
    syntax: "key field increment",
    arity: Arity::Exactly(4),
    keys: Keys::First,
    flags: Flags::DENY_OOM.with(Flags::FAST),
    run: Run::Write(hincrby),
    ..Command::NEW
};

fn hincrby(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (key, field) = (args.next()?, args.next()?);
    let increment = args.integer()?;
    let old = match ctx.get::<HashValue>(key)?.and_then(|hash| hash.get(field)) {
        Some(text) => {
            parse_integer(text).ok_or(ReplyError::new("ERR hash value is not an integer"))?
        }
        None => 0,
    };
    let new = old.checked_add(increment).ok_or(ReplyError::OVERFLOW)?;
    store(ctx, key, field, itoa::Buffer::new().format(new), "hincrby")?;
    Ok(Reply::Integer(new))
}

pub(super) const HINCRBYFLOAT: Command = Command {
    name: "HINCRBYFLOAT",
    summary: "Adds a float to the value of a field, 0 if there is none.",
    since: "2.6.0",
    complexity: "O(1)",
    syntax: "key field increment",
    arity: Arity::Exactly(4),
    keys: Keys::First,
    flags: Flags::DENY_OOM.with(Flags::FAST),
    argument_names: &[ArgumentName::typed("increment", Kind::Double)],
    run: Run::Write(hincrbyfloat),
    ..Command::NEW
};

fn hincrbyfloat(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (key, field) = (args.next()?, args.next()?);
    let increment = match Parsed::from_text(args.next()?) {
        Some(Parsed::Finite(increment)) => increment,
        Some(Parsed::Infinite) => return Err(ReplyError::new("ERR value is NaN or Infinity")),
        None => return Err(ReplyError::NOT_FLOAT),
    };
    let old = match ctx.get::<HashValue>(key)?.and_then(|hash| hash.get(field)) {
        Some(text) => Parsed::from_text(text),
        None => Some(Parsed::Finite(LongDouble::from(0))),
    };
    let sum = match old {
        Some(Parsed::Finite(old)) => old.plus(increment),
        Some(Parsed::Infinite) => None,
        None => return Err(ReplyError::new("ERR hash value is not a float")),
    };
    let text = sum.ok_or(ReplyError::NAN_OR_INFINITY)?.to_text();
    store(ctx, key, field, &text, "hincrbyfloat")?;
    Ok(Reply::bulk(text))
}

fn store(
    ctx: &mut WriteContext<'_>,
    key: &Bytes,
    field: &[u8],
    text: &str,
    event: &'static str,
) -> Result<(), ReplyError> {
    let settings = ctx.settings().clone();
    ctx.get_or_create::<HashValue>(key)?.set(field, text.as_bytes(), &settings);
    ctx.changed(key, (EventClass::Hash, event));
    Ok(())
}
