//! Adding floats to strings that hold floats.

use super::shared::event;
use crate::base::long_double::Parsed;
use crate::commands::args::Args;
use crate::commands::declare::documentation::ArgumentName;
use crate::commands::declare::syntax::Kind;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, Keys, Run};
use crate::commands::run::{Expiry, WriteContext};
use crate::data::types::{StringValue, TypedValue};
use crate::resp::{Reply, ReplyError};

pub(super) const INCRBYFLOAT: Command = Command {
    name: "INCRBYFLOAT",
    summary: "Adds a number to the float stored at a key; a missing key counts as 0.",
    since: "2.6.0",
    complexity: "O(1)",
    syntax: "key increment",
    arity: Arity::Exactly(3),
    keys: Keys::First,
    flags: Flags::DENY_OOM.with(Flags::FAST),
    argument_names: &[ArgumentName::typed("increment", Kind::Double)],
    run: Run::Write(add),
    ..Command::NEW
};

fn add(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let old = match ctx.get::<StringValue>(key)? {
        Some(value) => Parsed::from_text(&value.text()),
        None => Some(Parsed::Finite(0.into())),
    };
    let increment = Parsed::from_text(args.next()?);
    let sum = match (old, increment) {
        (Some(Parsed::Finite(old)), Some(Parsed::Finite(increment))) => old.plus(increment),
        (Some(_), Some(_)) => None,
        _ => return Err(ReplyError::NOT_FLOAT),
    };
    let text = sum.ok_or(ReplyError::NAN_OR_INFINITY)?.to_text();
    let value = StringValue::from_text(text.as_bytes()).into_value();
    ctx.put(key, value, Expiry::Keep, event("incrbyfloat"));
    Ok(Reply::bulk(text))
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{START_MS, TestDatabase};
    use crate::resp::{Reply, ReplyError};

    #[test]
    fn sums_have_no_binary_noise() {
        let mut db = TestDatabase::new();
        assert_eq!(db.run(["INCRBYFLOAT", "k", "3.0"]), Reply::bulk("3"));
        assert_eq!(db.run(["INCRBYFLOAT", "k", "1.1"]), Reply::bulk("4.1"));
        assert_eq!(db.run(["INCRBYFLOAT", "k", "-5e-1"]), Reply::bulk("3.6"));
        assert_eq!(db.run(["GET", "k"]), Reply::bulk("3.6"));
        db.run(["SET", "k", "10", "PX", "10"]);
        assert_eq!(db.run(["INCRBYFLOAT", "k", "-10"]), Reply::bulk("0"));
        assert_eq!(db.at_ms(START_MS + 10).run(["GET", "k"]), Reply::Null);
    }

    #[test]
    fn an_invalid_number_is_refused() {
        let mut db = TestDatabase::new();
        db.run(["SET", "k", "1"]);
        for text in ["", "x", " 1", "1 ", "nan"] {
            assert_eq!(db.run(["INCRBYFLOAT", "k", text]), ReplyError::NOT_FLOAT.into());
        }
        assert_eq!(db.run(["INCRBYFLOAT", "k", "inf"]), ReplyError::NAN_OR_INFINITY.into());
        db.run(["SET", "k", "x"]);
        assert_eq!(db.run(["INCRBYFLOAT", "k", "1"]), ReplyError::NOT_FLOAT.into());
        db.run(["HSET", "h", "f", "v"]);
        assert_eq!(db.run(["INCRBYFLOAT", "h", "x"]), ReplyError::WRONG_TYPE.into());
    }
}
