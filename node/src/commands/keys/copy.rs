//! Copying a key, and moving it to another database.

use crate::base::ids::DatabaseId;
use crate::base::limits::DATABASES;
use crate::commands::args::Args;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::WriteContext;
use crate::data::keyspace::EventClass;
use crate::resp::{Reply, ReplyError};

const SAME_OBJECT: &str = "ERR source and destination objects are the same";

pub(super) const COPY: Command = Command {
    name: "COPY",
    summary: "Copies a key, perhaps to another database.",
    since: "6.2.0",
    complexity: "O(1); what is copied is shared until one of both changes",
    syntax: "source destination [DB destination-db] [REPLACE]",
    arity: Arity::AtLeast(3),
    keys: Keys::Range { first: 1, last: 2, step: 1 },
    key_uses: &[KeyUse::Read, KeyUse::Overwrite],
    flags: Flags::DENY_OOM,
    run: Run::Write(copy),
    ..Command::NEW
};

fn copy(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (from, to) = (args.next()?, args.next()?);
    let (mut target, mut replace) = (ctx.database_id(), false);
    while !args.is_empty() {
        if args.keyword("REPLACE") {
            replace = true;
        } else if args.len() > 1 && args.keyword("DB") {
            target = database(&mut args)?;
        } else {
            return Err(ReplyError::SYNTAX);
        }
    }
    if target == ctx.database_id() && from == to {
        return Err(ReplyError::new(SAME_OBJECT));
    }
    let (now_ms, index) = (ctx.now_ms(), ctx.index());
    let Some(mut object) = ctx.object(from).cloned() else { return Ok(Reply::Integer(0)) };
    object.version = index;
    object.set_access(ctx.settings().access_rule().new_stamp(now_ms));
    let destination = ctx.keyspace().database_mut(target);
    if destination.find(to, now_ms).is_some() && !replace {
        return Ok(Reply::Integer(0));
    }
    destination.insert(to, object);
    ctx.notify_in(target, to, (EventClass::Generic, "copy_to"));
    Ok(Reply::Integer(1))
}

pub(super) const MOVE: Command = Command {
    name: "MOVE",
    summary: "Moves a key to another database unless it exists there.",
    since: "1.0.0",
    complexity: "O(1)",
    syntax: "key db",
    arity: Arity::Exactly(3),
    keys: Keys::First,
    flags: Flags::FAST,
    run: Run::Write(move_key),
    ..Command::NEW
};

fn move_key(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let target = database(&mut args)?;
    if target == ctx.database_id() {
        return Err(ReplyError::new(SAME_OBJECT));
    }
    let (now_ms, index) = (ctx.now_ms(), ctx.index());
    let there = ctx.keyspace().database(target).find(key, now_ms).is_some();
    if there || ctx.object(key).is_none() {
        return Ok(Reply::Integer(0));
    }
    if let Some(mut object) = ctx.remove(key) {
        object.version = index;
        ctx.keyspace().database_mut(target).insert(key, object);
    }
    ctx.notify(key, (EventClass::Generic, "move_from"));
    ctx.notify_in(target, key, (EventClass::Generic, "move_to"));
    Ok(Reply::Integer(1))
}

fn database(args: &mut Args<'_>) -> Result<DatabaseId, ReplyError> {
    let number = args.integer()?;
    if i32::try_from(number).is_err() {
        return Err(ReplyError::new(
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        ));
    }
    let number = u8::try_from(number).ok().filter(|number| *number < DATABASES);
    number.map(DatabaseId).ok_or(ReplyError::new("ERR DB index is out of range"))
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::TestDatabase;
    use crate::resp::Reply::{self, Error, Integer};
    use crate::resp::ReplyError;

    #[test]
    fn a_copy_has_the_value_and_the_deadline_and_is_independent() {
        let mut db = TestDatabase::new();
        db.put("a", "1");
        db.run(["EXPIRE", "a", "100"]);
        db.events();
        assert_eq!(db.run(["COPY", "a", "b"]), Integer(1));
        assert_eq!(db.events(), [("copy_to", "b".to_owned())]);
        assert_eq!(db.run(["TTL", "b"]), Integer(100));
        db.put("a", "2");
        assert_eq!(db.run(["GET", "b"]), Reply::bulk("1"));
        assert_eq!(db.run(["COPY", "a", "b"]), Integer(0));
        assert_eq!(db.run(["COPY", "a", "b", "REPLACE"]), Integer(1));
        assert_eq!(db.run(["GET", "b"]), Reply::bulk("2"));
        assert_eq!(db.run(["TTL", "b"]), Integer(-1));
        assert_eq!(db.run(["COPY", "missing", "c"]), Integer(0));
    }

    #[test]
    fn copy_and_move_reach_other_databases() {
        let mut db = TestDatabase::new();
        db.put("a", "1");
        assert_eq!(db.run(["COPY", "a", "a", "DB", "3"]), Integer(1));
        assert_eq!(db.run(["MOVE", "a", "3"]), Integer(0));
        db.events();
        assert_eq!(db.run(["MOVE", "a", "4"]), Integer(1));
        assert_eq!(db.run(["MOVE", "a", "4"]), Integer(0));
        let events = [("move_from", "a".to_owned()), ("move_to", "a".to_owned())];
        assert_eq!(db.events(), events);
        assert_eq!(db.run(["EXISTS", "a"]), Integer(0));
        assert_eq!(db.select(3).run(["GET", "a"]), Reply::bulk("1"));
        assert_eq!(db.select(4).run(["GET", "a"]), Reply::bulk("1"));
    }

    #[test]
    fn invalid_databases_are_refused() {
        let mut db = TestDatabase::new();
        db.put("k", "v");
        let mut check = |argv: &[&str], text: &str| {
            let expected = Error(ReplyError::new(text.to_owned()));
            assert_eq!(db.run(argv.iter().copied()), expected, "{argv:?}");
        };
        let range = "ERR value is out of range, value must between -2147483648 and 2147483647";
        check(&["MOVE", "k", "99999999999"], range);
        check(&["MOVE", "k", "16"], "ERR DB index is out of range");
        check(&["MOVE", "k", "-1"], "ERR DB index is out of range");
        check(&["MOVE", "k", "x"], "ERR value is not an integer or out of range");
        check(&["MOVE", "k", "0"], "ERR source and destination objects are the same");
        check(&["COPY", "k", "k"], "ERR source and destination objects are the same");
        check(&["COPY", "k", "l", "DB", "16"], "ERR DB index is out of range");
        check(&["COPY", "k", "l", "DB"], "ERR syntax error");
        check(&["COPY", "k", "l", "foo"], "ERR syntax error");
    }
}
