//! Changing a string in place.

use super::shared::{check_length, event};
use crate::commands::args::Args;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::{Expiry, WriteContext};
use crate::data::types::{StringValue, TypedValue};
use crate::resp::{Reply, ReplyError};

pub(super) const APPEND: Command = Command {
    name: "APPEND",
    summary: "Adds text at the end of the string stored at a key, creating it if missing.",
    since: "2.0.0",
    complexity: "O(N), N being the length of the added text",
    syntax: "key value",
    arity: Arity::Exactly(3),
    keys: Keys::First,
    key_uses: &[KeyUse::Insert],
    flags: Flags::DENY_OOM.with(Flags::FAST),
    run: Run::Write(append),
    ..Command::NEW
};

fn append(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (key, tail) = (args.next()?, args.next()?);
    let Some(value) = ctx.get_mut::<StringValue>(key)? else {
        ctx.put(key, StringValue::new(tail).into_value(), Expiry::Clear, event("append"));
        return Ok(Reply::count(tail.len()));
    };
    check_length(value.len(), tail.len())?;
    value.append(tail);
    let length = value.len();
    ctx.changed(key, event("append"));
    Ok(Reply::count(length))
}

pub(super) const SETRANGE: Command = Command {
    name: "SETRANGE",
    summary: "Overwrites a part of the string stored at a key, filling gaps with zero bytes.",
    since: "2.2.0",
    complexity: "O(N), N being the length of the written text and of the gap",
    syntax: "key offset value",
    arity: Arity::Exactly(4),
    keys: Keys::First,
    key_uses: &[KeyUse::Update],
    flags: Flags::DENY_OOM,
    run: Run::Write(overwrite),
    ..Command::NEW
};

fn overwrite(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (key, offset, patch) = (args.next()?, args.integer()?, args.next()?);
    let negative = |_| ReplyError::new("ERR offset is out of range");
    let offset = usize::try_from(offset).map_err(negative)?;
    let length = ctx.get::<StringValue>(key)?.map_or(0, StringValue::len);
    if patch.is_empty() {
        return Ok(Reply::count(length));
    }
    check_length(offset, patch.len())?;
    let value = ctx.get_or_create::<StringValue>(key)?;
    value.overwrite(offset, patch);
    let length = value.len();
    ctx.changed(key, event("setrange"));
    Ok(Reply::count(length))
}

#[cfg(test)]
mod tests {
    use crate::base::limits::BULK_BYTES_MAX;
    use crate::commands::testing::{START_MS, TestDatabase};
    use crate::resp::{Reply, ReplyError};

    #[test]
    fn append_creates_and_grows_and_keeps_the_expiry() {
        let mut db = TestDatabase::new();
        assert_eq!(db.run(["APPEND", "k", "12"]), Reply::Integer(2));
        assert_eq!(db.run(["INCR", "k"]), Reply::Integer(13));
        assert_eq!(db.run(["APPEND", "k", "x"]), Reply::Integer(3));
        assert_eq!(db.run(["APPEND", "k", ""]), Reply::Integer(3));
        assert_eq!(db.run(["GET", "k"]), Reply::bulk("13x"));
        db.run(["SET", "k", "a", "PX", "10"]);
        db.run(["APPEND", "k", "b"]);
        assert_eq!(db.at_ms(START_MS + 10).run(["GET", "k"]), Reply::Null);
    }

    #[test]
    fn setrange_overwrites_and_fills_gaps() {
        let mut db = TestDatabase::new();
        assert_eq!(db.run(["SETRANGE", "k", "3", ""]), Reply::Integer(0));
        assert_eq!(db.run(["GET", "k"]), Reply::Null);
        assert_eq!(db.run(["SETRANGE", "k", "1", "bc"]), Reply::Integer(3));
        assert_eq!(db.run(["GET", "k"]), Reply::bulk("\0bc"));
        db.run(["SET", "k", "1234"]);
        assert_eq!(db.run(["SETRANGE", "k", "1", "xy"]), Reply::Integer(4));
        assert_eq!(db.run(["GET", "k"]), Reply::bulk("1xy4"));
        assert_eq!(db.run(["SETRANGE", "k", "9", ""]), Reply::Integer(4));
    }

    #[test]
    fn offsets_and_sizes_are_checked() {
        let mut db = TestDatabase::new();
        let offset = ReplyError::new("ERR offset is out of range");
        assert_eq!(db.run(["SETRANGE", "k", "-1", "a"]), offset.into());
        assert_eq!(db.run(["SETRANGE", "k", "x", "a"]), ReplyError::NOT_INTEGER.into());
        let too_far = BULK_BYTES_MAX.to_string();
        for offset in [&too_far, "4611686018427387904", "9223372036854775807"] {
            let reply = db.run(["SETRANGE", "k", offset, "a"]);
            assert_eq!(reply, ReplyError::STRING_TOO_LONG.into(), "{offset}");
        }
        assert_eq!(db.run(["GET", "k"]), Reply::Null);
        db.run(["HSET", "h", "f", "v"]);
        assert_eq!(db.run(["SETRANGE", "h", "0", ""]), ReplyError::WRONG_TYPE.into());
        assert_eq!(db.run(["APPEND", "h", "a"]), ReplyError::WRONG_TYPE.into());
    }
}
