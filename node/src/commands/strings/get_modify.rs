//! Reading a string and changing its key in one step.

use super::expiry_option::ExpiryOption;
use super::shared::event;
use crate::commands::args::Args;
use crate::commands::declare::documentation::{ArgumentName, Deprecation};
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::{Expiry, WriteContext};
use crate::data::keyspace::EventClass;
use crate::data::types::{StringValue, TypedValue};
use crate::resp::{Reply, ReplyError};

pub(super) const GETDEL: Command = Command {
    name: "GETDEL",
    summary: "Returns the string stored at a key and deletes the key.",
    since: "6.2.0",
    complexity: "O(1)",
    syntax: "key",
    arity: Arity::Exactly(2),
    keys: Keys::First,
    key_uses: &[KeyUse::Take],
    flags: Flags::FAST,
    run: Run::Write(get_and_delete),
    ..Command::NEW
};

fn get_and_delete(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let Some(value) = ctx.get::<StringValue>(key)?.map(StringValue::bytes) else {
        return Ok(Reply::Null);
    };
    ctx.remove(key);
    ctx.notify(key, (EventClass::Generic, "del"));
    Ok(Reply::Bulk(value))
}

pub(super) const GETEX: Command = Command {
    name: "GETEX",
    summary: "Returns the string stored at a key and sets or removes the key's expiry.",
    since: "6.2.0",
    complexity: "O(1)",
    syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | \
             PXAT unix-time-milliseconds | PERSIST]",
    arity: Arity::AtLeast(2),
    keys: Keys::First,
    flags: Flags::FAST,
    argument_names: &[ArgumentName::group("seconds", "expiration")],
    run: Run::Write(get_and_expire),
    ..Command::NEW
};

fn get_and_expire(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let (expiry, persist) = expiry_options(args)?;
    let Some(value) = ctx.get::<StringValue>(key)?.map(StringValue::bytes) else {
        return Ok(Reply::Null);
    };
    let now_ms = ctx.now_ms();
    if let Some(option) = expiry {
        let deadline_ms = option.deadline_ms(now_ms, "getex")?;
        if deadline_ms <= now_ms {
            ctx.remove(key);
            ctx.notify(key, (EventClass::Generic, "del"));
        } else {
            ctx.database().set_expiry(key, Some(deadline_ms), now_ms);
            ctx.changed(key, (EventClass::Generic, "expire"));
        }
    } else if persist && ctx.object(key).is_some_and(|object| object.expire_at_ms.is_some()) {
        ctx.database().set_expiry(key, None, now_ms);
        ctx.changed(key, (EventClass::Generic, "persist"));
    }
    Ok(Reply::Bulk(value))
}

fn expiry_options(mut args: Args<'_>) -> Result<(Option<ExpiryOption<'_>>, bool), ReplyError> {
    let mut found: Option<ExpiryOption<'_>> = None;
    let mut persist = false;
    while !args.is_empty() {
        if let Some(option) = ExpiryOption::take(&mut args)? {
            let other = found.is_some_and(|before| before.unit != option.unit);
            if other || persist {
                return Err(ReplyError::SYNTAX);
            }
            found = Some(option);
        } else if found.is_none() && args.keyword("PERSIST") {
            persist = true;
        } else {
            return Err(ReplyError::SYNTAX);
        }
    }
    Ok((found, persist))
}

pub(super) const GETSET: Command = Command {
    name: "GETSET",
    summary: "Stores a string at a key and returns the one that was there.",
    since: "1.0.0",
    complexity: "O(1)",
    syntax: "key value",
    arity: Arity::Exactly(3),
    keys: Keys::First,
    flags: Flags::DENY_OOM.with(Flags::FAST),
    deprecated: Some(Deprecation { since: "6.2.0", successor: "SET with GET" }),
    run: Run::Write(get_and_set),
    ..Command::NEW
};

fn get_and_set(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (key, value) = (args.next()?, args.next()?);
    let old = ctx.get::<StringValue>(key)?.map(StringValue::bytes);
    ctx.put(key, StringValue::new(value).into_value(), Expiry::Clear, event("set"));
    Ok(Reply::optional(old))
}

#[cfg(test)]
mod tests {
    use crate::base::ids::DatabaseId;
    use crate::commands::testing::{START_MS, TestDatabase};
    use crate::resp::{Reply, ReplyError};

    fn deadline(db: &TestDatabase) -> Option<u64> {
        let database = db.keyspace.database(DatabaseId(0));
        database.find(b"k", START_MS).and_then(|object| object.expire_at_ms)
    }

    #[test]
    fn getdel_returns_the_value_once() {
        let mut db = TestDatabase::new();
        db.run(["SET", "k", "v"]);
        assert_eq!(db.run(["GETDEL", "k"]), Reply::bulk("v"));
        assert_eq!(db.run(["GETDEL", "k"]), Reply::Null);
        let [_, (name, _)] = &db.events()[..] else { unreachable!() };
        assert_eq!(*name, "del");
    }

    #[test]
    fn getset_returns_the_old_value_and_clears_the_expiry() {
        let mut db = TestDatabase::new();
        assert_eq!(db.run(["GETSET", "k", "1"]), Reply::Null);
        db.run(["SET", "k", "1", "EX", "5"]);
        assert_eq!(db.run(["GETSET", "k", "2"]), Reply::bulk("1"));
        assert_eq!(deadline(&db), None);
    }

    #[test]
    fn getex_sets_and_removes_the_expiry() {
        let mut db = TestDatabase::new();
        db.run(["SET", "k", "v"]);
        assert_eq!(db.run(["GETEX", "k"]), Reply::bulk("v"));
        assert_eq!(db.run(["GETEX", "k", "EX", "10"]), Reply::bulk("v"));
        assert_eq!(deadline(&db), Some(START_MS + 10_000));
        assert_eq!(db.run(["GETEX", "k"]), Reply::bulk("v"));
        assert_eq!(deadline(&db), Some(START_MS + 10_000));
        assert_eq!(db.run(["GETEX", "k", "persist"]), Reply::bulk("v"));
        assert_eq!(deadline(&db), None);
        assert_eq!(db.run(["GETEX", "k", "PXAT", "5"]), Reply::bulk("v"));
        assert_eq!(db.run(["GET", "k"]), Reply::Null);
        let names: Vec<_> = db.events().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["set", "expire", "persist", "del"]);
    }

    #[test]
    fn getex_checks_the_number_only_for_an_existing_key() {
        let mut db = TestDatabase::new();
        assert_eq!(db.run(["GETEX", "k", "EX", "x"]), Reply::Null);
        assert_eq!(db.run(["GETEX", "k", "EX", "1", "PERSIST"]), ReplyError::SYNTAX.into());
        assert_eq!(db.run(["GETEX", "k", "KEEPTTL"]), ReplyError::SYNTAX.into());
        db.run(["SET", "k", "v"]);
        assert_eq!(db.run(["GETEX", "k", "EX", "x"]), ReplyError::NOT_INTEGER.into());
        let invalid = ReplyError::invalid_expire("getex");
        assert_eq!(db.run(["GETEX", "k", "EX", "0"]), invalid.into());
    }
}
