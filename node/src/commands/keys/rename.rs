//! Renaming keys.

use crate::commands::args::Args;
use crate::commands::declare::{Arity, Command, Flags, KeyUse, Keys, Run};
use crate::commands::run::WriteContext;
use crate::data::keyspace::{EventClass, Object};
use crate::resp::{Reply, ReplyError};

pub(super) const RENAME: Command = Command {
    name: "RENAME",
    summary: "Renames a key, whatever the new name held.",
    since: "1.0.0",
    complexity: "O(1)",
    syntax: "key newkey",
    arity: Arity::Exactly(3),
    keys: Keys::Range { first: 1, last: 2, step: 1 },
    key_uses: &[KeyUse::Take, KeyUse::Overwrite],
    flags: Flags::CREATES_KEY,
    run: Run::Write(|ctx, args| rename(ctx, args, Target::Any).map(|_| Reply::OK)),
    ..Command::NEW
};

pub(super) const RENAMENX: Command = Command {
    name: "RENAMENX",
    summary: "Renames a key unless the new name exists.",
    since: "1.0.0",
    complexity: "O(1)",
    syntax: "key newkey",
    arity: Arity::Exactly(3),
    keys: Keys::Range { first: 1, last: 2, step: 1 },
    key_uses: &[KeyUse::Take, KeyUse::Create],
    flags: Flags::FAST.with(Flags::CREATES_KEY),
    history: &[("3.2.0", "No error when both names are the same.")],
    run: Run::Write(|ctx, args| rename(ctx, args, Target::Missing).map(Reply::flag)),
    ..Command::NEW
};

/// Whether the new name may exist already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Any,
    Missing,
}

/// Returns whether the key has the new name now.
fn rename(
    ctx: &mut WriteContext<'_>,
    mut args: Args<'_>,
    target: Target,
) -> Result<bool, ReplyError> {
    let (from, to) = (args.next()?, args.next()?);
    if ctx.object(from).is_none() {
        return Err(ReplyError::NO_SUCH_KEY);
    }
    if from == to || (target == Target::Missing && ctx.peek(to).is_some()) {
        return Ok(from == to && target == Target::Any);
    }
    ctx.remove(to).into_iter().for_each(Object::discard);
    if let Some(mut object) = ctx.remove(from) {
        object.version = ctx.index();
        ctx.database().insert(to, object);
    }
    ctx.notify(from, (EventClass::Generic, "rename_from"));
    ctx.notify(to, (EventClass::Generic, "rename_to"));
    Ok(true)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::TestDatabase;
    use crate::resp::Reply::{self, Error, Integer};
    use crate::resp::ReplyError;

    #[test]
    fn the_value_and_the_deadline_move_to_the_new_name() {
        let mut db = TestDatabase::new();
        db.put("a", "1");
        db.put("b", "2");
        db.run(["EXPIRE", "a", "100"]);
        db.events();
        assert_eq!(db.run(["RENAME", "a", "b"]), Reply::OK);
        let events = [("rename_from", "a".to_owned()), ("rename_to", "b".to_owned())];
        assert_eq!(db.events(), events);
        assert_eq!(db.run(["GET", "b"]), Reply::bulk("1"));
        assert_eq!(db.run(["TTL", "b"]), Integer(100));
        assert_eq!(db.run(["EXISTS", "a"]), Integer(0));
    }

    #[test]
    fn renamenx_keeps_the_existing_key() {
        let mut db = TestDatabase::new();
        db.put("a", "1");
        db.put("b", "2");
        assert_eq!(db.run(["RENAMENX", "a", "b"]), Integer(0));
        assert_eq!(db.run(["RENAMENX", "a", "c"]), Integer(1));
        assert_eq!(db.run(["GET", "c"]), Reply::bulk("1"));
    }

    #[test]
    fn the_same_name_is_fine_and_a_missing_key_is_not() {
        let mut db = TestDatabase::new();
        db.put("a", "1");
        assert_eq!(db.run(["RENAME", "a", "a"]), Reply::OK);
        assert_eq!(db.run(["RENAMENX", "a", "a"]), Integer(0));
        assert!(db.events().is_empty());
        for name in ["RENAME", "RENAMENX"] {
            assert_eq!(db.run([name, "x", "x"]), Error(ReplyError::NO_SUCH_KEY));
        }
    }
}
