//! Setting and removing the expiry of keys.

use bytes::Bytes;

use crate::commands::args::Args;
use crate::commands::declare::documentation::ArgumentName;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::WriteContext;
use crate::data::keyspace::EventClass;
use crate::resp::{Reply, ReplyError};

/// The common fields of the four commands.
const SHARED: Command = Command {
    complexity: "O(1)",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    key_uses: &[KeyUse::Update],
    flags: Flags::FAST,
    history: &[("7.0.0", "Conditions NX, XX, GT and LT.")],
    argument_names: &[ArgumentName::group("nx", "condition")],
    ..Command::NEW
};

pub(super) const EXPIRE: Command = Command {
    name: "EXPIRE",
    summary: "Removes a key after some seconds.",
    since: "1.0.0",
    syntax: "key seconds [NX | XX | GT | LT]",
    run: Run::Write(|ctx, args| expire(ctx, args, &Form::new(EXPIRE.name, 1000, Base::Now))),
    ..SHARED
};

pub(super) const PEXPIRE: Command = Command {
    name: "PEXPIRE",
    summary: "Removes a key after milliseconds.",
    since: "2.6.0",
    syntax: "key milliseconds [NX | XX | GT | LT]",
    run: Run::Write(|ctx, args| expire(ctx, args, &Form::new(PEXPIRE.name, 1, Base::Now))),
    ..SHARED
};

pub(super) const EXPIREAT: Command = Command {
    name: "EXPIREAT",
    summary: "Removes a key at a Unix second.",
    since: "1.2.0",
    syntax: "key unix-time-seconds [NX | XX | GT | LT]",
    run: Run::Write(|ctx, args| expire(ctx, args, &Form::new(EXPIREAT.name, 1000, Base::Epoch))),
    ..SHARED
};

pub(super) const PEXPIREAT: Command = Command {
    name: "PEXPIREAT",
    summary: "Removes a key at a Unix millisecond.",
    since: "2.6.0",
    syntax: "key unix-time-milliseconds [NX | XX | GT | LT]",
    run: Run::Write(|ctx, args| expire(ctx, args, &Form::new(PEXPIREAT.name, 1, Base::Epoch))),
    ..SHARED
};

/// How one of the commands counts time.
struct Form {
    name: &'static str,
    unit_ms: i64,
    base: Base,
}

impl Form {
    const fn new(name: &'static str, unit_ms: i64, base: Base) -> Self {
        Self { name, unit_ms, base }
    }
}

/// The time to which the argument is added.
enum Base {
    Now,
    Epoch,
}

/// Under which conditions the deadline may be changed.
#[derive(Default)]
struct Conditions {
    if_none: bool,
    if_some: bool,
    if_later: bool,
    if_sooner: bool,
}

fn expire(ctx: &mut WriteContext<'_>, mut args: Args<'_>, form: &Form) -> CommandResult {
    let key = args.next()?;
    let amount = args.next()?;
    let conditions = Conditions::parse(args)?;
    let deadline_ms = deadline(amount, form, ctx.now_ms())?;
    let Some(object) = ctx.object(key) else { return Ok(Reply::Integer(0)) };
    if !conditions.allow(object.expire_at_ms, deadline_ms) {
        return Ok(Reply::Integer(0));
    }
    match u64::try_from(deadline_ms) {
        Ok(at_ms) if at_ms > ctx.now_ms() => set_expiry(ctx, key, Some(at_ms), "expire"),
        _ => {
            ctx.remove(key);
            ctx.notify(key, (EventClass::Generic, "del"));
        }
    }
    Ok(Reply::Integer(1))
}

fn set_expiry(
    ctx: &mut WriteContext<'_>,
    key: &Bytes,
    expire_at_ms: Option<u64>,
    event: &'static str,
) {
    let now_ms = ctx.now_ms();
    ctx.database().set_expiry(key, expire_at_ms, now_ms);
    ctx.changed(key, (EventClass::Generic, event));
}

/// Unix milliseconds; a negative deadline has passed.
fn deadline(amount: &Bytes, form: &Form, now_ms: u64) -> Result<i64, ReplyError> {
    let amount = Args::new(std::slice::from_ref(amount)).integer()?;
    let base_ms = match form.base {
        Base::Now => i64::try_from(now_ms).unwrap_or(i64::MAX),
        Base::Epoch => 0,
    };
    let deadline = amount.checked_mul(form.unit_ms).and_then(|ms| ms.checked_add(base_ms));
    deadline.ok_or_else(|| ReplyError::invalid_expire(form.name))
}

impl Conditions {
    fn parse(mut args: Args<'_>) -> Result<Self, ReplyError> {
        let mut found = Self::default();
        while !args.is_empty() {
            if args.keyword("NX") {
                found.if_none = true;
            } else if args.keyword("XX") {
                found.if_some = true;
            } else if args.keyword("GT") {
                found.if_later = true;
            } else if args.keyword("LT") {
                found.if_sooner = true;
            } else {
                let unknown = String::from_utf8_lossy(args.next()?).into_owned();
                return Err(ReplyError::new(format!("ERR Unsupported option {unknown}")));
            }
        }
        if found.if_none && (found.if_some || found.if_later || found.if_sooner) {
            return Err(ReplyError::new(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if found.if_later && found.if_sooner {
            return Err(ReplyError::new(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(found)
    }

    /// A key without a deadline counts as one with an infinite deadline.
    fn allow(&self, current_ms: Option<u64>, deadline_ms: i64) -> bool {
        let current_ms = current_ms.map(|at_ms| i64::try_from(at_ms).unwrap_or(i64::MAX));
        let later = current_ms.is_some_and(|current_ms| deadline_ms > current_ms);
        let sooner = current_ms.is_none_or(|current_ms| deadline_ms < current_ms);
        !(self.if_none && current_ms.is_some()
            || self.if_some && current_ms.is_none()
            || self.if_later && !later
            || self.if_sooner && !sooner)
    }
}

pub(super) const PERSIST: Command = Command {
    name: "PERSIST",
    summary: "Takes the deadline of a key away.",
    since: "2.2.0",
    complexity: "O(1)",
    syntax: "key",
    arity: Arity::Exactly(2),
    keys: Keys::First,
    key_uses: &[KeyUse::Update],
    flags: Flags::FAST,
    run: Run::Write(persist),
    ..Command::NEW
};

fn persist(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let expires = ctx.object(key).is_some_and(|object| object.expire_at_ms.is_some());
    if expires {
        set_expiry(ctx, key, None, "persist");
    }
    Ok(Reply::flag(expires))
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{START_MS, TestDatabase};
    use crate::resp::Reply::{Error, Integer};
    use crate::resp::ReplyError;

    #[test]
    fn conditions_compare_with_the_existing_deadline() {
        let check = |current: Option<&str>, option: &str, expected: i64| {
            let mut db = TestDatabase::new();
            db.put("k", "v");
            if let Some(seconds) = current {
                assert_eq!(db.run(["EXPIRE", "k", seconds]), Integer(1));
            }
            let argv = ["EXPIRE", "k", "100", option];
            assert_eq!(db.run(argv), Integer(expected), "{current:?} {option}");
            let left = if expected == 1 { Some("100") } else { current };
            let left = left.map_or(-1, |seconds| seconds.parse().unwrap_or(0));
            assert_eq!(db.run(["TTL", "k"]), Integer(left));
        };
        check(None, "NX", 1);
        check(Some("50"), "NX", 0);
        check(None, "xx", 0);
        check(Some("50"), "XX", 1);
        check(None, "GT", 0);
        check(Some("50"), "GT", 1);
        check(Some("100"), "GT", 0);
        check(Some("200"), "GT", 0);
        check(None, "LT", 1);
        check(Some("50"), "LT", 0);
        check(Some("100"), "LT", 0);
        check(Some("200"), "lt", 1);
    }

    #[test]
    fn a_deadline_in_the_past_deletes() {
        let now = START_MS.to_string();
        for argv in [
            ["EXPIRE", "k", "0"],
            ["EXPIRE", "k", "-1"],
            ["PEXPIRE", "k", "-9223372036854775808"],
            ["EXPIREAT", "k", "1"],
            ["PEXPIREAT", "k", &now],
        ] {
            let mut db = TestDatabase::new();
            db.put("k", "v");
            assert_eq!(db.run(argv), Integer(1));
            assert_eq!(db.events(), [("del", "k".to_owned())]);
            assert_eq!(db.run(["EXISTS", "k"]), Integer(0));
        }
    }

    #[test]
    fn a_key_is_there_until_its_deadline_and_gone_at_it() {
        let mut db = TestDatabase::new();
        db.put("k", "v");
        assert_eq!(db.run(["PEXPIRE", "k", "100"]), Integer(1));
        assert_eq!(db.events(), [("expire", "k".to_owned())]);
        db.advance_ms(99);
        assert_eq!(db.run(["EXISTS", "k"]), Integer(1));
        db.advance_ms(1);
        assert_eq!(db.run(["EXISTS", "k"]), Integer(0));
        assert_eq!(db.run(["EXPIRE", "k", "100"]), Integer(0));
    }

    #[test]
    fn persist_answers_whether_there_was_a_deadline() {
        let mut db = TestDatabase::new();
        assert_eq!(db.run(["PERSIST", "k"]), Integer(0));
        db.put("k", "v");
        assert_eq!(db.run(["PERSIST", "k"]), Integer(0));
        db.run(["EXPIRE", "k", "10"]);
        db.events();
        assert_eq!(db.run(["PERSIST", "k"]), Integer(1));
        assert_eq!(db.events(), [("persist", "k".to_owned())]);
        assert_eq!(db.run(["TTL", "k"]), Integer(-1));
    }

    #[test]
    fn errors_come_in_the_order_of_redis() {
        let mut db = TestDatabase::new();
        let mut check = |argv: &[&str], text: &str| {
            let expected = ReplyError::new(text.to_owned());
            assert_eq!(db.run(argv.iter().copied()), Error(expected), "{argv:?}");
        };
        let pair = "ERR NX and XX, GT or LT options at the same time are not compatible";
        check(&["EXPIRE", "k", "1", "NX", "XX"], pair);
        check(&["EXPIRE", "k", "x", "XX", "NX", "GT"], pair);
        let pair = "ERR GT and LT options at the same time are not compatible";
        check(&["EXPIRE", "k", "1", "GT", "LT"], pair);
        check(&["EXPIRE", "k", "x", "foo"], "ERR Unsupported option foo");
        check(&["EXPIRE", "k", "x"], "ERR value is not an integer or out of range");
        let max = i64::MAX.to_string();
        let min = i64::MIN.to_string();
        check(&["EXPIRE", "k", &max], "ERR invalid expire time in 'expire' command");
        check(&["EXPIRE", "k", &min], "ERR invalid expire time in 'expire' command");
        check(&["PEXPIRE", "k", &max], "ERR invalid expire time in 'pexpire' command");
        check(&["EXPIREAT", "k", &max], "ERR invalid expire time in 'expireat' command");
        assert_eq!(db.run(["PEXPIREAT", "k", &max]), Integer(0));
    }
}
