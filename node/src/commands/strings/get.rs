//! Reading strings.

use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys, Run};
use crate::commands::context::ReadContext;
use crate::data::types::StringValue;
use crate::resp::Reply;

pub(super) const GET: Command = Command {
    name: "GET",
    summary: "Returns the string stored at a key.",
    since: "1.0.0",
    complexity: "O(1)",
    syntax: "key",
    arity: Arity::Exactly(2),
    keys: Keys::First,
    flags: Flags::FAST,
    run: Run::Read(get),
};

fn get(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    Ok(Reply::optional(ctx.get::<StringValue>(args.next()?)?.map(StringValue::bytes)))
}

pub(super) const STRLEN: Command = Command {
    name: "STRLEN",
    summary: "Returns the length of a string in bytes.",
    since: "2.2.0",
    complexity: "O(1)",
    syntax: "key",
    arity: Arity::Exactly(2),
    keys: Keys::First,
    flags: Flags::FAST,
    run: Run::Read(strlen),
};

fn strlen(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    Ok(Reply::count(ctx.get::<StringValue>(args.next()?)?.map_or(0, StringValue::len)))
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::TestDatabase;
    use crate::resp::Reply;

    #[test]
    fn a_missing_key_is_null_and_has_no_length() {
        let mut db = TestDatabase::new();
        assert_eq!(db.run(["GET", "k"]), Reply::Null);
        assert_eq!(db.run(["STRLEN", "k"]), Reply::Integer(0));
    }
}
