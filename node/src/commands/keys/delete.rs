//! Removing keys, and counting those that exist.

use crate::commands::args::Args;
use crate::commands::declare::documentation::tips;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::{ReadContext, WriteContext};
use crate::data::keyspace::EventClass;
use crate::resp::Reply;

const ALL_ARE_KEYS: Keys = Keys::Range { first: 1, last: -1, step: 1 };

pub(super) const DEL: Command = Command {
    name: "DEL",
    summary: "Removes keys and tells how many there were.",
    since: "1.0.0",
    complexity: "O(N) where N is the number of keys; big values are freed in the background",
    syntax: "key [key ...]",
    arity: Arity::AtLeast(2),
    keys: ALL_ARE_KEYS,
    key_uses: &[KeyUse::Remove],
    tips: tips::SUM_OF_SHARDS,
    run: Run::Write(delete),
    ..Command::NEW
};

pub(super) const UNLINK: Command = Command {
    name: "UNLINK",
    summary: "Removes keys and tells how many there were.",
    since: "4.0.0",
    complexity: "O(N) where N is the number of keys; big values are freed in the background",
    syntax: "key [key ...]",
    arity: Arity::AtLeast(2),
    keys: ALL_ARE_KEYS,
    key_uses: &[KeyUse::Remove],
    flags: Flags::FAST,
    tips: tips::SUM_OF_SHARDS,
    run: Run::Write(delete),
    ..Command::NEW
};

fn delete(ctx: &mut WriteContext<'_>, args: Args<'_>) -> CommandResult {
    let mut deleted = 0;
    for key in args.rest() {
        if let Some(old) = ctx.remove(key) {
            old.discard();
            ctx.notify(key, (EventClass::Generic, "del"));
            deleted += 1;
        }
    }
    Ok(Reply::Integer(deleted))
}

pub(super) const EXISTS: Command = Command {
    name: "EXISTS",
    summary: "Counts how many of the keys exist; a key named twice counts twice.",
    since: "1.0.0",
    complexity: "O(N) where N is the number of keys",
    syntax: "key [key ...]",
    arity: Arity::AtLeast(2),
    keys: ALL_ARE_KEYS,
    key_uses: &[KeyUse::Inspect],
    flags: Flags::FAST,
    tips: tips::SUM_OF_SHARDS,
    history: &[("3.0.3", "Several keys at once.")],
    run: Run::Read(exists),
    ..Command::NEW
};

fn exists(ctx: &ReadContext<'_>, args: Args<'_>) -> CommandResult {
    Ok(Reply::count(args.rest().iter().filter(|key| ctx.peek(key).is_some()).count()))
}

pub(super) const TOUCH: Command = Command {
    name: "TOUCH",
    summary: "Marks keys as used now and counts those that exist.",
    since: "3.2.1",
    complexity: "O(N) where N is the number of keys",
    syntax: "key [key ...]",
    arity: Arity::AtLeast(2),
    keys: ALL_ARE_KEYS,
    key_uses: &[KeyUse::Inspect],
    flags: Flags::FAST,
    tips: tips::SUM_OF_SHARDS,
    run: Run::Read(touch),
    ..Command::NEW
};

fn touch(ctx: &ReadContext<'_>, args: Args<'_>) -> CommandResult {
    Ok(Reply::count(args.rest().iter().filter(|key| ctx.object(key).is_some()).count()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::ids::DatabaseId;
    use crate::commands::run::Lookups;
    use crate::commands::testing::{START_MS, TestDatabase};
    use crate::resp::Reply::Integer;

    #[test]
    fn a_key_named_twice_is_deleted_once_and_exists_twice() {
        for name in ["DEL", "UNLINK"] {
            let mut db = TestDatabase::new();
            db.put("k", "v");
            assert_eq!(db.run(["EXISTS", "k", "missing", "k"]), Integer(2));
            assert_eq!(db.run([name, "k", "missing", "k"]), Integer(1));
            assert_eq!(db.events(), [("del", "k".to_owned())]);
            assert_eq!(db.run(["EXISTS", "k"]), Integer(0));
        }
    }

    #[test]
    fn deleting_an_expired_key_reports_only_its_expiry() {
        let mut db = TestDatabase::new();
        db.put("k", "v");
        db.run(["PEXPIRE", "k", "10"]);
        db.events();
        db.advance_ms(10);
        assert_eq!(db.run(["DEL", "k"]), Integer(0));
        assert_eq!(db.events(), [("expired", "k".to_owned())]);
    }

    #[test]
    fn reads_count_the_keys_they_find_and_miss() {
        let mut db = TestDatabase::new();
        db.put("k", "v");
        let context = ReadContext::new(&db.keyspace, DatabaseId(0), START_MS, 1);
        let keys = ["k", "missing", "k"].map(|key| Bytes::from_static(key.as_bytes()));
        assert_eq!(exists(&context, Args::new(&keys)), Ok(Integer(2)));
        assert_eq!(context.lookups(), Lookups { hits: 2, misses: 1 });
    }

    #[test]
    fn touch_is_a_use_and_exists_is_not() {
        let mut db = TestDatabase::new();
        db.put("k", "v");
        db.advance_ms(5000);
        db.run(["EXISTS", "k"]);
        assert_eq!(db.run(["OBJECT", "IDLETIME", "k"]), Integer(5));
        assert_eq!(db.run(["TOUCH", "k", "k", "missing"]), Integer(2));
        assert_eq!(db.run(["OBJECT", "IDLETIME", "k"]), Integer(0));
    }
}
