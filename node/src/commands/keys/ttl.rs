//! How long a key still lives, and until when.

use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys, Run};
use crate::commands::context::ReadContext;
use crate::resp::Reply;

macro_rules! ttl_command {
    ($constant:ident, $name:literal, $since:literal, $summary:literal, $function:expr) => {
        pub(super) const $constant: Command = Command {
            name: $name,
            summary: $summary,
            since: $since,
            complexity: "O(1)",
            syntax: "key",
            arity: Arity::Exactly(2),
            keys: Keys::First,
            flags: Flags::FAST.with(Flags::NO_TOUCH),
            run: Run::Read($function),
        };
    };
}

ttl_command!(TTL, "TTL", "1.0.0", "Returns the seconds until a key expires.", |ctx, args| {
    answer(ctx, args, |at_ms, now_ms| seconds(at_ms.saturating_sub(now_ms)))
});
ttl_command!(
    PTTL,
    "PTTL",
    "2.6.0",
    "Returns the milliseconds until a key expires.",
    |ctx, args| { answer(ctx, args, u64::saturating_sub) }
);
ttl_command!(
    EXPIRETIME,
    "EXPIRETIME",
    "7.0.0",
    "Returns the Unix second at which a key expires.",
    |ctx, args| answer(ctx, args, |at_ms, _| seconds(at_ms))
);
ttl_command!(
    PEXPIRETIME,
    "PEXPIRETIME",
    "7.0.0",
    "Returns the Unix millisecond at which a key expires.",
    |ctx, args| answer(ctx, args, |at_ms, _| at_ms)
);

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
