//! Adding integers to strings that hold integers.

use super::shared::event;
use crate::commands::args::Args;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, Keys, Run};
use crate::commands::run::{Expiry, WriteContext};
use crate::data::types::{StringValue, TypedValue};
use crate::resp::{Reply, ReplyError};

/// Each command has a key and, in some forms, a number.
const TEMPLATE: Command = Command {
    name: "",
    summary: "",
    since: "1.0.0",
    complexity: "O(1)",
    syntax: "key",
    arity: Arity::Exactly(2),
    keys: Keys::First,
    flags: Flags::DENY_OOM.with(Flags::FAST),
    run: Run::Write(|ctx, args| add(ctx, args, 1)),
    ..Command::NEW
};

pub(super) const INCR: Command = Command {
    name: "INCR",
    summary: "Adds one to the integer stored at a key; a missing key counts as 0.",
    ..TEMPLATE
};

pub(super) const DECR: Command = Command {
    name: "DECR",
    summary: "Subtracts one from the integer stored at a key; a missing key counts as 0.",
    run: Run::Write(|ctx, args| add(ctx, args, -1)),
    ..TEMPLATE
};

pub(super) const INCRBY: Command = Command {
    name: "INCRBY",
    summary: "Adds a number to the integer stored at a key; a missing key counts as 0.",
    syntax: "key increment",
    arity: Arity::Exactly(3),
    run: Run::Write(|ctx, args| {
        let increment = number(args)?;
        add(ctx, args, increment)
    }),
    ..TEMPLATE
};

pub(super) const DECRBY: Command = Command {
    name: "DECRBY",
    summary: "Subtracts a number from the integer stored at a key; a missing key counts as 0.",
    syntax: "key decrement",
    arity: Arity::Exactly(3),
    run: Run::Write(|ctx, args| {
        let overflow = || ReplyError::new("ERR decrement would overflow");
        let increment = number(args)?.checked_neg().ok_or_else(overflow)?;
        add(ctx, args, increment)
    }),
    ..TEMPLATE
};

fn number(mut args: Args<'_>) -> Result<i64, ReplyError> {
    args.next()?;
    args.integer()
}

fn add(ctx: &mut WriteContext<'_>, mut args: Args<'_>, increment: i64) -> CommandResult {
    let key = args.next()?;
    let Some(value) = ctx.get_mut::<StringValue>(key)? else {
        let value = StringValue::from_integer(increment).into_value();
        ctx.put(key, value, Expiry::Clear, event("incrby"));
        return Ok(Reply::Integer(increment));
    };
    let old = value.integer().ok_or(ReplyError::NOT_INTEGER)?;
    let new = old.checked_add(increment).ok_or(ReplyError::OVERFLOW)?;
    *value = StringValue::from_integer(new);
    ctx.changed(key, event("incrby"));
    Ok(Reply::Integer(new))
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{START_MS, TestDatabase};
    use crate::resp::{Reply, ReplyError};

    #[test]
    fn a_missing_key_counts_as_zero() {
        let mut db = TestDatabase::new();
        assert_eq!(db.run(["INCR", "a"]), Reply::Integer(1));
        assert_eq!(db.run(["DECR", "b"]), Reply::Integer(-1));
        assert_eq!(db.run(["INCRBY", "a", "41"]), Reply::Integer(42));
        assert_eq!(db.run(["DECRBY", "a", "-8"]), Reply::Integer(50));
        assert_eq!(db.run(["GET", "a"]), Reply::bulk("50"));
    }

    #[test]
    fn counting_keeps_the_expiry() {
        let mut db = TestDatabase::new();
        db.run(["SET", "k", "1", "PX", "10"]);
        db.run(["INCR", "k"]);
        assert_eq!(db.at_ms(START_MS + 10).run(["GET", "k"]), Reply::Null);
    }

    #[test]
    fn overflow_changes_nothing() {
        let mut db = TestDatabase::new();
        db.run(["SET", "k", "9223372036854775807"]);
        assert_eq!(db.run(["INCR", "k"]), ReplyError::OVERFLOW.into());
        assert_eq!(db.run(["DECRBY", "k", "-1"]), ReplyError::OVERFLOW.into());
        let overflow = ReplyError::new("ERR decrement would overflow");
        assert_eq!(db.run(["DECRBY", "k", "-9223372036854775808"]), overflow.into());
        assert_eq!(db.run(["GET", "k"]), Reply::bulk("9223372036854775807"));
    }

    #[test]
    fn only_canonical_integers_count() {
        let mut db = TestDatabase::new();
        for text in [" 1", "1 ", "01", "1.0", "", "abc", "9223372036854775808"] {
            db.run(["SET", "k", text]);
            assert_eq!(db.run(["INCR", "k"]), ReplyError::NOT_INTEGER.into(), "{text:?}");
            assert_eq!(db.run(["INCRBY", "n", text]), ReplyError::NOT_INTEGER.into(), "{text:?}");
        }
        db.run(["HSET", "h", "f", "v"]);
        assert_eq!(db.run(["INCR", "h"]), ReplyError::WRONG_TYPE.into());
    }
}
