//! The type of a value and how it is stored.

use crate::commands::args::Args;
use crate::commands::declare::container::container;
use crate::commands::declare::documentation::tips;
use crate::commands::declare::help::{help, help_of};
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, ReadCost, Run};
use crate::commands::run::ReadContext;
use crate::data::keyspace::AccessRule;
use crate::resp::{Reply, ReplyError};

pub(super) const TYPE: Command = Command {
    name: "TYPE",
    summary: "Returns the type of what a key holds.",
    since: "1.0.0",
    complexity: "O(1)",
    syntax: "key",
    arity: Arity::Exactly(2),
    keys: Keys::First,
    key_uses: &[KeyUse::Inspect],
    flags: Flags::FAST,
    run: Run::Read(type_of),
    ..Command::NEW
};

fn type_of(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let name = ctx.peek(args.next()?).map_or("none", |object| object.value.type_name());
    Ok(Reply::Status(name))
}

pub(super) const OBJECT: Command = Command {
    complexity: "Depends on the subcommand.",
    ..container(
        "OBJECT",
        "Holds the commands that look at how a key is kept.",
        "2.2.3",
        &[ENCODING, FREQ, HELP, IDLETIME, REFCOUNT],
    )
};

const SECOND: Keys = Keys::Range { first: 2, last: 2, step: 1 };

const ENCODING: Command = Command {
    name: "ENCODING",
    summary: "Returns how the value of a key is kept in memory.",
    since: "2.2.3",
    complexity: "O(1)",
    syntax: "key",
    arity: Arity::Exactly(3),
    keys: SECOND,
    key_uses: &[KeyUse::Inspect],
    cost: ReadCost::Arguments,
    tips: tips::VARIES,
    run: Run::Read(encoding),
    ..Command::NEW
};

fn encoding(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let object = ctx.peek(args.next()?);
    Ok(object.map_or(Reply::Null, |object| Reply::bulk(object.value.encoding())))
}

const FREQ: Command = Command {
    name: "FREQ",
    summary: "Returns the logarithmic counter of how often a key is used.",
    since: "4.0.0",
    complexity: "O(1)",
    syntax: "key",
    arity: Arity::Exactly(3),
    keys: SECOND,
    key_uses: &[KeyUse::Inspect],
    cost: ReadCost::Arguments,
    tips: tips::VARIES,
    run: Run::Read(frequency),
    ..Command::NEW
};

fn frequency(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let Some(object) = ctx.peek(args.next()?) else { return Ok(Reply::Null) };
    let AccessRule::Frequency { decay_minutes, .. } = ctx.settings().access_rule() else {
        return Err(ReplyError::new(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please \
             note that when switching between policies at runtime LRU and LFU data will take some \
             time to adjust.",
        ));
    };
    Ok(Reply::Integer(i64::from(object.frequency(ctx.now_ms(), decay_minutes))))
}

const IDLETIME: Command = Command {
    name: "IDLETIME",
    summary: "Returns the seconds since a key was last used on this node.",
    since: "2.2.3",
    complexity: "O(1)",
    syntax: "key",
    arity: Arity::Exactly(3),
    keys: SECOND,
    key_uses: &[KeyUse::Inspect],
    cost: ReadCost::Arguments,
    tips: tips::VARIES,
    run: Run::Read(idle_time),
    ..Command::NEW
};

fn idle_time(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let Some(object) = ctx.peek(args.next()?) else { return Ok(Reply::Null) };
    if ctx.settings().access_rule() != AccessRule::Recency {
        return Err(ReplyError::new(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    Ok(Reply::Integer(i64::from(object.idle_seconds(ctx.now_ms()))))
}

const REFCOUNT: Command = Command {
    name: "REFCOUNT",
    summary: "Returns 1 for a key that exists: values are not shared between keys.",
    since: "2.2.3",
    complexity: "O(1)",
    syntax: "key",
    arity: Arity::Exactly(3),
    keys: SECOND,
    key_uses: &[KeyUse::Inspect],
    cost: ReadCost::Arguments,
    tips: tips::VARIES,
    run: Run::Read(reference_count),
    ..Command::NEW
};

fn reference_count(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    Ok(ctx.peek(args.next()?).map_or(Reply::Null, |_| Reply::Integer(1)))
}

const HELP: Command = Command {
    summary: "Lists the subcommands of OBJECT.",
    ..help("6.2.0", Run::Read(|_, _| help_of(&OBJECT)))
};

#[cfg(test)]
mod tests {
    use crate::commands::testing::TestDatabase;
    use crate::data::keyspace::MaxmemoryPolicy;
    use crate::resp::Reply::{self, Error, Integer, Null, Status};

    #[test]
    fn a_missing_key_has_no_type_and_null_for_the_rest() {
        let mut db = TestDatabase::new();
        assert_eq!(db.run(["TYPE", "k"]), Status("none"));
        for name in ["ENCODING", "FREQ", "IDLETIME", "REFCOUNT"] {
            assert_eq!(db.run(["OBJECT", name, "k"]), Null);
        }
        db.put("k", "v");
        assert_eq!(db.run(["TYPE", "k"]), Status("string"));
        assert_eq!(db.run(["OBJECT", "ENCODING", "k"]), Reply::bulk("embstr"));
        assert_eq!(db.run(["OBJECT", "REFCOUNT", "k"]), Integer(1));
    }

    #[test]
    fn the_policy_decides_between_idle_time_and_frequency() {
        let mut db = TestDatabase::new();
        db.put("k", "v");
        db.advance_ms(3000);
        assert_eq!(db.run(["OBJECT", "IDLETIME", "k"]), Integer(3));
        assert!(matches!(db.run(["OBJECT", "FREQ", "k"]), Error(_)));
        db.settings().maxmemory_policy = MaxmemoryPolicy::AllkeysLfu;
        assert!(matches!(db.run(["OBJECT", "IDLETIME", "k"]), Error(_)));
        db.put("k", "v");
        assert_eq!(db.run(["OBJECT", "FREQ", "k"]), Integer(5));
        db.advance_ms(2 * 60_000);
        assert_eq!(db.run(["OBJECT", "FREQ", "k"]), Integer(3));
    }

    #[test]
    fn reading_a_value_is_a_use_and_inspecting_it_is_not() {
        let mut db = TestDatabase::new();
        db.put("k", "v");
        db.advance_ms(9000);
        db.run(["TYPE", "k"]);
        db.run(["TTL", "k"]);
        assert_eq!(db.run(["OBJECT", "IDLETIME", "k"]), Integer(9));
        db.run(["GET", "k"]);
        assert_eq!(db.run(["OBJECT", "IDLETIME", "k"]), Integer(0));
    }
}
