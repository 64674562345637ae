//! Strings of several keys at once.

use bytes::Bytes;

use super::shared::event;
use crate::commands::args::Args;
use crate::commands::declare::documentation::ArgumentName;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::{Expiry, ReadContext, WriteContext};
use crate::data::types::{StringValue, TypedValue};
use crate::resp::{Reply, ReplyError};

pub(super) const MGET: Command = Command {
    name: "MGET",
    summary: "Returns the strings stored at several keys.",
    since: "1.0.0",
    complexity: "O(N), N being the number of keys",
    syntax: "key [key ...]",
    arity: Arity::AtLeast(2),
    keys: Keys::Range { first: 1, last: -1, step: 1 },
    flags: Flags::FAST,
    tips: &["request_policy:multi_shard"],
    run: Run::Read(get_many),
    ..Command::NEW
};

fn get_many(ctx: &ReadContext<'_>, args: Args<'_>) -> CommandResult {
    // A key of another type counts as missing here, unlike in GET.
    let get = |key: &Bytes| match ctx.get::<StringValue>(key) {
        Ok(value) => Reply::optional(value.map(StringValue::bytes)),
        Err(_) => Reply::Null,
    };
    Ok(Reply::Array(args.rest().iter().map(get).collect()))
}

pub(super) const MSET: Command = Command {
    name: "MSET",
    summary: "Stores strings at several keys in one step.",
    since: "1.0.1",
    complexity: "O(N), N being the number of keys",
    syntax: "key value [key value ...]",
    arity: Arity::AtLeast(3),
    keys: Keys::Range { first: 1, last: -1, step: 2 },
    key_uses: &[KeyUse::Overwrite],
    flags: Flags::DENY_OOM,
    tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
    argument_names: &[ArgumentName::group("key", "key_value")],
    run: Run::Write(set_many),
    ..Command::NEW
};

fn set_many(ctx: &mut WriteContext<'_>, args: Args<'_>) -> CommandResult {
    let pairs = pairs(args, "mset")?;
    store(ctx, pairs);
    Ok(Reply::OK)
}

pub(super) const MSETNX: Command = Command {
    name: "MSETNX",
    summary: "Stores strings at several keys if none of them exists.",
    since: "1.0.1",
    complexity: "O(N), N being the number of keys",
    syntax: "key value [key value ...]",
    arity: Arity::AtLeast(3),
    keys: Keys::Range { first: 1, last: -1, step: 2 },
    key_uses: &[KeyUse::Create],
    flags: Flags::DENY_OOM,
    tips: &["request_policy:multi_shard", "response_policy:agg_min"],
    argument_names: &[ArgumentName::group("key", "key_value")],
    run: Run::Write(set_many_if_missing),
    ..Command::NEW
};

fn set_many_if_missing(ctx: &mut WriteContext<'_>, args: Args<'_>) -> CommandResult {
    let pairs = pairs(args, "msetnx")?;
    if pairs.iter().any(|[key, _]| ctx.object(key).is_some()) {
        return Ok(Reply::Integer(0));
    }
    store(ctx, pairs);
    Ok(Reply::Integer(1))
}

fn pairs<'a>(args: Args<'a>, command: &str) -> Result<&'a [[Bytes; 2]], ReplyError> {
    match args.rest().as_chunks() {
        (pairs, []) => Ok(pairs),
        _ => Err(ReplyError::arity(command)),
    }
}

fn store(ctx: &mut WriteContext<'_>, pairs: &[[Bytes; 2]]) {
    for [key, value] in pairs {
        ctx.put(key, StringValue::new(value).into_value(), Expiry::Clear, event("set"));
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::TestDatabase;
    use crate::resp::{Reply, ReplyError};

    #[test]
    fn mget_returns_null_for_other_types() {
        let mut db = TestDatabase::new();
        assert_eq!(db.run(["MSET", "a", "1", "b", "2", "a", "3"]), Reply::OK);
        db.run(["HSET", "h", "f", "v"]);
        let expected = vec![Reply::bulk("3"), Reply::Null, Reply::bulk("2"), Reply::Null];
        assert_eq!(db.run(["MGET", "a", "h", "b", "none"]), Reply::Array(expected));
    }

    #[test]
    fn msetnx_stores_all_or_nothing() {
        let mut db = TestDatabase::new();
        assert_eq!(db.run(["MSETNX", "a", "1", "b", "2", "a", "3"]), Reply::Integer(1));
        assert_eq!(db.run(["MSETNX", "c", "1", "b", "2"]), Reply::Integer(0));
        assert_eq!(db.run(["GET", "c"]), Reply::Null);
        assert_eq!(db.run(["GET", "a"]), Reply::bulk("3"));
    }

    #[test]
    fn every_key_needs_a_value() {
        let mut db = TestDatabase::new();
        for command in ["MSET", "MSETNX"] {
            let expected = ReplyError::arity(command).into();
            assert_eq!(db.run([command, "a", "1", "b"]), expected);
        }
        assert_eq!(db.run(["GET", "a"]), Reply::Null);
    }
}
