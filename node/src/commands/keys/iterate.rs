//! Iterating over the keys of a database.

use crate::commands::args::Args;
use crate::commands::args::glob::glob;
use crate::commands::args::scan_options::{self, ScanOptions};
use crate::commands::declare::{Arity, Command, CommandResult, Flags, ReadCost, Run};
use crate::commands::run::ReadContext;
use crate::data::types::pattern::Case;
use crate::resp::Reply;

/// After this many random keys that are all expired, RANDOMKEY returns the first live one.
const RANDOM_DRAWS_MAX: usize = 100;

pub(super) const SCAN: Command = Command {
    name: "SCAN",
    summary: "Returns some keys and a cursor to go on from; a key that stays is returned.",
    since: "2.8.0",
    complexity: "O(1) for a call, O(N) for all N keys",
    syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
    arity: Arity::AtLeast(2),
    cost: ReadCost::Scan,
    tips: &["nondeterministic_output", "request_policy:special"],
    history: &[("6.0.0", "TYPE.")],
    run: Run::Read(scan),
    ..Command::NEW
};

fn scan(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let cursor = scan_options::cursor(&mut args)?;
    let mut type_name = None;
    let mut options = ScanOptions::default();
    while !args.is_empty() {
        if args.len() > 1 && args.keyword("TYPE") {
            type_name = Some(args.next()?);
        } else {
            options.option(&mut args)?;
        }
    }
    let mut found = Vec::new();
    let next = ctx.database().scan(cursor, options.count, ctx.now_ms(), |key, object| {
        let own = object.value.type_name().as_bytes();
        if options.admits(key) && type_name.is_none_or(|name| name.eq_ignore_ascii_case(own)) {
            found.push(Reply::bulk(key));
        }
    });
    Ok(scan_options::reply(next, found))
}

pub(super) const KEYS: Command = Command {
    name: "KEYS",
    summary: "Returns all keys whose name matches a pattern.",
    since: "1.0.0",
    complexity: "O(N) where N is the number of keys in the database",
    syntax: "pattern",
    arity: Arity::Exactly(2),
    cost: ReadCost::Database,
    flags: Flags::DANGEROUS,
    tips: &["request_policy:all_shards", "nondeterministic_output_order"],
    run: Run::Read(keys),
    ..Command::NEW
};

fn keys(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let wanted = glob(args.next()?, Case::Sensitive)?;
    let found = ctx
        .database()
        .iter()
        .filter(|(_, key, object)| !object.is_expired(ctx.now_ms()) && wanted.matches(key));
    Ok(Reply::Array(found.map(|(_, key, _)| Reply::bulk(key)).collect()))
}

pub(super) const RANDOMKEY: Command = Command {
    name: "RANDOMKEY",
    summary: "Returns any key, each as likely as the others.",
    since: "1.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(1),
    cost: ReadCost::Arguments,
    tips: &["request_policy:all_shards", "nondeterministic_output"],
    run: Run::Read(random_key),
    ..Command::NEW
};

fn random_key(ctx: &ReadContext<'_>, _args: Args<'_>) -> CommandResult {
    let database = ctx.database();
    let drawn = (0..RANDOM_DRAWS_MAX)
        .map_while(|_| ctx.draw(|random| database.random(random)))
        .find(|(_, object)| !object.is_expired(ctx.now_ms()));
    let any = || {
        let mut live = database.iter().filter(|(_, _, object)| !object.is_expired(ctx.now_ms()));
        live.next().map(|(_, key, _)| key)
    };
    Ok(drawn.map(|(key, _)| key).or_else(any).map_or(Reply::Null, Reply::bulk))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::commands::testing::TestDatabase;
    use crate::resp::Reply::{self, Array, Bulk, Error, Null};
    use crate::resp::ReplyError;

    fn texts(reply: Reply) -> BTreeSet<String> {
        let Array(items) = reply else { return BTreeSet::new() };
        let text = |item| match item {
            Bulk(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            other => format!("{other:?}"),
        };
        items.into_iter().map(text).collect()
    }

    fn scan(db: &mut TestDatabase, options: &[&str]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut cursor = "0".to_owned();
        loop {
            let argv = ["SCAN", &cursor].into_iter().chain(options.iter().copied());
            let Array(reply) = db.run(argv) else { return found };
            let [Bulk(next), keys] = <[Reply; 2]>::try_from(reply).unwrap_or([Null, Null]) else {
                return found;
            };
            found.extend(texts(keys));
            cursor = String::from_utf8_lossy(&next).into_owned();
            if cursor == "0" {
                return found;
            }
        }
    }

    fn filled() -> TestDatabase {
        let mut db = TestDatabase::new();
        (0..100).for_each(|number| db.put(&format!("key:{number}"), "v"));
        db.put("gone", "v");
        db.run(["PEXPIRE", "gone", "5"]);
        db.advance_ms(5);
        db
    }

    #[test]
    fn scan_finds_all_live_keys_whatever_the_count() {
        let mut db = filled();
        for count in ["1", "7", "1000", "9223372036854775807"] {
            assert_eq!(scan(&mut db, &["COUNT", count]).len(), 100);
        }
        let some = scan(&mut db, &["MATCH", "key:1?", "type", "STRING"]);
        assert_eq!(some.len(), 10);
        assert_eq!(scan(&mut db, &["TYPE", "list"]).len(), 0);
        assert_eq!(scan(&mut db, &["TYPE", "nonsense"]).len(), 0);
    }

    #[test]
    fn scan_refuses_bad_cursors_and_options() {
        let mut db = TestDatabase::new();
        let mut check = |argv: &[&str], text: &str| {
            let expected = Error(ReplyError::new(text.to_owned()));
            assert_eq!(db.run(argv.iter().copied()), expected, "{argv:?}");
        };
        check(&["SCAN", "x"], "ERR invalid cursor");
        check(&["SCAN", " 0"], "ERR invalid cursor");
        check(&["SCAN", "-"], "ERR invalid cursor");
        check(&["SCAN", "+-1"], "ERR invalid cursor");
        check(&["SCAN", "-99999999999999999999"], "ERR invalid cursor");
        check(&["SCAN", "99999999999999999999"], "ERR invalid cursor");
        check(&["SCAN", "0", "COUNT", "0"], "ERR syntax error");
        check(&["SCAN", "0", "COUNT", "x"], "ERR value is not an integer or out of range");
        check(&["SCAN", "0", "MATCH"], "ERR syntax error");
        check(&["SCAN", "0", "TYPE"], "ERR syntax error");
        check(&["SCAN", "0", "foo"], "ERR syntax error");
    }

    #[test]
    fn keys_matches_names() {
        let mut db = filled();
        assert_eq!(texts(db.run(["KEYS", "*"])).len(), 100);
        assert_eq!(texts(db.run(["KEYS", "key:[3-4]?"])).len(), 20);
        assert_eq!(texts(db.run(["KEYS", "gone"])).len(), 0);
    }

    #[test]
    fn randomkey_is_a_live_key_or_null() {
        let mut db = filled();
        for _ in 0..300 {
            let Bulk(key) = db.run(["RANDOMKEY"]) else { unreachable!("there are live keys") };
            assert!(key.starts_with(b"key:"));
        }
        assert_eq!(TestDatabase::new().run(["RANDOMKEY"]), Null);
    }
}
