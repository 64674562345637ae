//! DBSIZE, FLUSHDB, FLUSHALL, SWAPDB.

use crate::base::ids::DatabaseId;
use crate::base::limits::DATABASES;
use crate::commands::args::{Args, parse_integer};
use crate::commands::declare::documentation::tips;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, Run};
use crate::commands::run::{ReadContext, WriteContext};
use crate::resp::{Reply, ReplyError};

pub(super) const DBSIZE: Command = Command {
    name: "DBSIZE",
    summary: "Returns the number of keys in the selected database.",
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(1),
    flags: Flags::FAST.with(Flags::KEYSPACE),
    tips: &["request_policy:all_shards", "response_policy:agg_sum"],
    run: Run::Read(size),
    ..Command::NEW
};

pub(super) const FLUSHDB: Command = Command {
    name: "FLUSHDB",
    summary: "Removes all keys of the selected database.",
    since: "1.0.0",
    complexity: "O(N) where N is the number of keys in the selected database",
    syntax: "[ASYNC | SYNC]",
    arity: Arity::AtLeast(1),
    flags: Flags::DANGEROUS.with(Flags::KEYSPACE),
    tips: tips::EVERY_SHARD_OR_FAIL,
    history: &[("4.0.0", "ASYNC."), ("6.2.0", "SYNC.")],
    run: Run::Write(flush_one),
    ..Command::NEW
};

pub(super) const FLUSHALL: Command = Command {
    name: "FLUSHALL",
    summary: "Removes all keys of all databases.",
    since: "1.0.0",
    complexity: "O(N) where N is the total number of keys in all databases",
    syntax: "[ASYNC | SYNC]",
    arity: Arity::AtLeast(1),
    flags: Flags::DANGEROUS.with(Flags::KEYSPACE),
    tips: tips::EVERY_SHARD_OR_FAIL,
    history: &[("4.0.0", "ASYNC."), ("6.2.0", "SYNC.")],
    run: Run::Write(flush_all),
    ..Command::NEW
};

pub(super) const SWAPDB: Command = Command {
    name: "SWAPDB",
    summary: "Swaps two databases.",
    since: "4.0.0",
    complexity: "O(1)",
    syntax: "index1 index2",
    arity: Arity::Exactly(3),
    flags: Flags::FAST.with(Flags::DANGEROUS).with(Flags::KEYSPACE),
    run: Run::Write(swap),
    ..Command::NEW
};

fn size(context: &ReadContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::count(context.database().len()))
}

fn flush_one(context: &mut WriteContext<'_>, args: Args<'_>) -> CommandResult {
    check_how(args)?;
    context.database().flush();
    Ok(Reply::OK)
}

fn flush_all(context: &mut WriteContext<'_>, args: Args<'_>) -> CommandResult {
    check_how(args)?;
    for id in (0..DATABASES).map(DatabaseId) {
        context.keyspace().database_mut(id).flush();
    }
    Ok(Reply::OK)
}

/// Both modes do the same: replicas must agree on the state at once.
fn check_how(mut args: Args<'_>) -> Result<(), ReplyError> {
    if !args.keyword("ASYNC") {
        args.keyword("SYNC");
    }
    args.end()
}

fn swap(context: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let first = index(&mut args, "ERR invalid first DB index")?;
    let second = index(&mut args, "ERR invalid second DB index")?;
    let out_of_range = || ReplyError::new("ERR DB index is out of range");
    let database = |number| u8::try_from(number).ok().filter(|number| *number < DATABASES);
    let first = database(first).map(DatabaseId).ok_or_else(out_of_range)?;
    let second = database(second).map(DatabaseId).ok_or_else(out_of_range)?;
    let log_index = context.index();
    if first != second {
        context.keyspace().swap(first, second, log_index);
    }
    Ok(Reply::OK)
}

fn index(args: &mut Args<'_>, refusal: &'static str) -> Result<i64, ReplyError> {
    parse_integer(args.next()?).ok_or(ReplyError::new(refusal))
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::TestDatabase;
    use crate::resp::{Reply, ReplyError};

    fn set(database: &mut TestDatabase, key: &str) {
        let id = crate::base::ids::DatabaseId(0);
        let value = crate::data::types::StringValue::new(b"1");
        let value = crate::data::types::Value::String(value);
        let object = crate::data::keyspace::Object::new(value, None, 1);
        database.keyspace.database_mut(id).insert(key, object);
    }

    #[test]
    fn flushing_removes_every_key() {
        for command in ["FLUSHDB", "FLUSHALL"] {
            let mut database = TestDatabase::new();
            set(&mut database, "a");
            assert_eq!(database.run(["DBSIZE"]), Reply::Integer(1));
            assert_eq!(database.run([command, "async"]), Reply::OK);
            assert_eq!(database.run(["DBSIZE"]), Reply::Integer(0));
            assert_eq!(database.run([command, "now"]), ReplyError::SYNTAX.into());
            assert_eq!(database.run([command, "sync", "async"]), ReplyError::SYNTAX.into());
        }
    }

    #[test]
    fn swapping_moves_all_keys() {
        let mut database = TestDatabase::new();
        set(&mut database, "a");
        assert_eq!(database.run(["SWAPDB", "0", "1"]), Reply::OK);
        assert_eq!(database.run(["DBSIZE"]), Reply::Integer(0));
        assert_eq!(database.select(1).run(["DBSIZE"]), Reply::Integer(1));
        for (argv, error) in [
            (["a", "1"], "ERR invalid first DB index"),
            (["0", "a"], "ERR invalid second DB index"),
            (["0", "99"], "ERR DB index is out of range"),
        ] {
            let reply = database.run(["SWAPDB", argv[0], argv[1]]);
            assert_eq!(reply, ReplyError::new(error).into());
        }
    }
}
