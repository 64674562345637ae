//! Reading strings.

use crate::commands::args::Args;
use crate::commands::declare::documentation::Deprecation;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, ReadCost, Run};
use crate::commands::run::ReadContext;
use crate::data::types::StringValue;
use crate::resp::Reply;

pub(super) const GET: Command = Command {
    name: "GET",
    summary: "Returns the string stored at a key.",
    since: "1.0.0",
    complexity: "O(1)",
    syntax: "key",
    arity: Arity::Exactly(2),
    keys: Keys::First,
    flags: Flags::FAST,
    run: Run::Read(get),
    ..Command::NEW
};

fn get(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    Ok(Reply::optional(ctx.get::<StringValue>(args.next()?)?.map(StringValue::bytes)))
}

pub(super) const STRLEN: Command = Command {
    name: "STRLEN",
    summary: "Returns the length of a string in bytes.",
    since: "2.2.0",
    complexity: "O(1)",
    syntax: "key",
    arity: Arity::Exactly(2),
    keys: Keys::First,
    key_uses: &[KeyUse::Inspect],
    flags: Flags::FAST,
    run: Run::Read(strlen),
    ..Command::NEW
};

fn strlen(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    Ok(Reply::count(ctx.get::<StringValue>(args.next()?)?.map_or(0, StringValue::len)))
}

pub(super) const GETRANGE: Command = Command {
    name: "GETRANGE",
    summary: "Returns a part of the string stored at a key.",
    since: "2.4.0",
    complexity: "O(1): the part is shared, not copied",
    syntax: "key start end",
    arity: Arity::Exactly(4),
    keys: Keys::First,
    cost: ReadCost::Range,
    run: Run::Read(get_range),
    ..Command::NEW
};

pub(super) const SUBSTR: Command = Command {
    name: "SUBSTR",
    summary: "Returns a part of the string stored at a key. The old name of GETRANGE.",
    since: "1.0.0",
    deprecated: Some(Deprecation { since: "2.0.0", successor: "GETRANGE" }),
    ..GETRANGE
};

fn get_range(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (key, start, end) = (args.next()?, args.integer()?, args.integer()?);
    let Some(value) = ctx.get::<StringValue>(key)? else { return Ok(Reply::bulk("")) };
    let length = i64::try_from(value.len()).unwrap_or(i64::MAX);
    let from_start = |index: i64| if index < 0 { index.saturating_add(length) } else { index };
    let backwards = start < 0 && end < 0 && start > end;
    let start = from_start(start).max(0);
    let end = from_start(end).max(0).min(length - 1);
    if backwards || start > end {
        return Ok(Reply::bulk(""));
    }
    // Both are within the string, since 0 <= start <= end < length.
    Ok(Reply::Bulk(value.bytes().slice(start as usize..=end as usize)))
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::TestDatabase;
    use crate::resp::{Reply, ReplyError};

    #[test]
    fn a_missing_key_is_null_and_has_no_length() {
        let mut db = TestDatabase::new();
        assert_eq!(db.run(["GET", "k"]), Reply::Null);
        assert_eq!(db.run(["STRLEN", "k"]), Reply::Integer(0));
    }

    #[test]
    fn ranges_count_from_either_end() {
        let mut db = TestDatabase::new();
        db.run(["SET", "k", "Hello World"]);
        db.run(["SET", "n", "12345"]);
        for (key, start, end, expected) in [
            ("k", "0", "3", "Hell"),
            ("k", "0", "-1", "Hello World"),
            ("k", "-4", "-1", "orld"),
            ("k", "5", "3", ""),
            ("k", "5", "5000", " World"),
            ("k", "-5000", "10000", "Hello World"),
            ("k", "-1", "-5000", ""),
            ("k", "-5000", "-5001", ""),
            ("k", "-5001", "-5000", "H"),
            ("k", "0", "-5000", "H"),
            ("k", "11", "20", ""),
            ("k", "-9223372036854775808", "9223372036854775807", "Hello World"),
            ("n", "1", "-2", "234"),
            ("none", "0", "-1", ""),
        ] {
            let expected = Reply::bulk(expected);
            assert_eq!(db.run(["GETRANGE", key, start, end]), expected, "{key} {start} {end}");
            assert_eq!(db.run(["SUBSTR", key, start, end]), expected, "{key} {start} {end}");
        }
        db.run(["SET", "empty", ""]);
        assert_eq!(db.run(["GETRANGE", "empty", "0", "-1"]), Reply::bulk(""));
        assert_eq!(db.run(["GETRANGE", "none", "x", "1"]), ReplyError::NOT_INTEGER.into());
        db.run(["HSET", "h", "f", "v"]);
        assert_eq!(db.run(["GETRANGE", "h", "0", "1"]), ReplyError::WRONG_TYPE.into());
    }
}
