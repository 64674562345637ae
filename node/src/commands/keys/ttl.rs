//! When keys expire.

use crate::commands::args::Args;
use crate::commands::declare::documentation::tips;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, Keys, Run};
use crate::commands::run::ReadContext;
use crate::resp::Reply;

/// The common fields of the four commands.
const SHARED: Command = Command {
    complexity: "O(1)",
    syntax: "key",
    arity: Arity::Exactly(2),
    keys: Keys::First,
    flags: Flags::FAST,
    ..Command::NEW
};

pub(super) const TTL: Command = Command {
    name: "TTL",
    summary: "Returns the seconds until a key expires.",
    since: "1.0.0",
    tips: tips::VARIES,
    history: &[("2.8.0", "-2 for a key that does not exist.")],
    run: Run::Read(|ctx, args| {
        answer(ctx, args, |at_ms, now_ms| seconds(at_ms.saturating_sub(now_ms)))
    }),
    ..SHARED
};

pub(super) const PTTL: Command = Command {
    name: "PTTL",
    summary: "Returns the milliseconds until a key expires.",
    since: "2.6.0",
    run: Run::Read(|ctx, args| answer(ctx, args, u64::saturating_sub)),
    ..TTL
};

pub(super) const EXPIRETIME: Command = Command {
    name: "EXPIRETIME",
    summary: "Returns the Unix second at which a key expires.",
    since: "7.0.0",
    run: Run::Read(|ctx, args| answer(ctx, args, |at_ms, _| seconds(at_ms))),
    ..SHARED
};

pub(super) const PEXPIRETIME: Command = Command {
    name: "PEXPIRETIME",
    summary: "Returns the Unix millisecond at which a key expires.",
    since: "7.0.0",
    run: Run::Read(|ctx, args| answer(ctx, args, |at_ms, _| at_ms)),
    ..SHARED
};

/// -2 without a key, -1 without a deadline.
fn answer(
    ctx: &ReadContext<'_>,
    mut args: Args<'_>,
    show: impl Fn(u64, u64) -> u64,
) -> CommandResult {
    let Some(object) = ctx.peek(args.next()?) else { return Ok(Reply::Integer(-2)) };
    let Some(at_ms) = object.expire_at_ms else { return Ok(Reply::Integer(-1)) };
    Ok(Reply::Integer(i64::try_from(show(at_ms, ctx.now_ms())).unwrap_or(i64::MAX)))
}

const fn seconds(ms: u64) -> u64 {
    ms.saturating_add(500) / 1000
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{START_MS, TestDatabase};
    use crate::resp::Reply::Integer;

    #[test]
    fn seconds_are_rounded_and_absence_is_negative() {
        let mut db = TestDatabase::new();
        for name in ["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"] {
            assert_eq!(db.run([name, "k"]), Integer(-2));
        }
        db.put("k", "v");
        for name in ["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"] {
            assert_eq!(db.run([name, "k"]), Integer(-1));
        }
        db.run(["PEXPIRE", "k", "1600"]);
        let start = i64::try_from(START_MS).unwrap_or(0);
        assert_eq!(db.run(["TTL", "k"]), Integer(2));
        assert_eq!(db.run(["PTTL", "k"]), Integer(1600));
        assert_eq!(db.run(["EXPIRETIME", "k"]), Integer(start / 1000 + 2));
        assert_eq!(db.run(["PEXPIRETIME", "k"]), Integer(start + 1600));
        db.advance_ms(1200);
        assert_eq!(db.run(["TTL", "k"]), Integer(0));
        assert_eq!(db.run(["PTTL", "k"]), Integer(400));
    }
}
