//! Removing fields.

use crate::commands::args::Args;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, Run};
use crate::commands::run::WriteContext;
use crate::data::keyspace::EventClass;
use crate::data::types::HashValue;
use crate::resp::Reply;

pub(super) const HDEL: Command = Command {
    name: "HDEL",
    summary: "Removes fields of a hash, and the hash with its last field.",
    since: "2.0.0",
    complexity: "O(N) where N is the number of fields to remove",
    syntax: "key field [field ...]",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    key_uses: &[KeyUse::Delete],
    flags: Flags::FAST,
    history: &[("2.4.0", "Several fields at once.")],
    run: Run::Write(hdel),
    ..Command::NEW
};

fn hdel(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let Some(hash) = ctx.get_mut::<HashValue>(key)? else { return Ok(Reply::Integer(0)) };
    let removed = args.rest().iter().filter(|field| hash.remove(field)).count();
    if removed > 0 {
        ctx.changed(key, (EventClass::Hash, "hdel"));
    }
    Ok(Reply::count(removed))
}
