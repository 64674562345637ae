//! CLUSTER KEYSLOT, COUNTKEYSINSLOT, GETKEYSINSLOT.

use crate::base::ids::Slot;
use crate::base::limits::SLOTS;
use crate::commands::args::Args;
use crate::commands::declare::container::at_once;
use crate::commands::declare::documentation::{ArgumentName, tips};
use crate::commands::declare::syntax::Kind;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, Run};
use crate::commands::run::{NodeContext, ReadContext};
use crate::data::keyspace::slot::slot_of;
use crate::resp::{Reply, ReplyError};

pub(super) const KEYSLOT: Command = Command {
    name: "KEYSLOT",
    summary: "Returns the slot of a key.",
    since: "3.0.0",
    complexity: "O(N) where N is the number of bytes in the key",
    syntax: "key",
    arity: Arity::Exactly(3),
    flags: Flags::STALE,
    argument_names: &[ArgumentName::typed("key", Kind::String)],
    run: at_once!(key_slot),
    ..Command::NEW
};

pub(super) const COUNTKEYSINSLOT: Command = Command {
    name: "COUNTKEYSINSLOT",
    summary: "Returns the number of keys in a slot.",
    since: "3.0.0",
    complexity: "O(1)",
    syntax: "slot",
    arity: Arity::Exactly(3),
    flags: Flags::STALE,
    run: Run::Read(count_keys_in_slot),
    ..Command::NEW
};

pub(super) const GETKEYSINSLOT: Command = Command {
    name: "GETKEYSINSLOT",
    summary: "Returns keys of a slot.",
    since: "3.0.0",
    complexity: "O(N) where N is the number of requested keys",
    syntax: "slot count",
    arity: Arity::Exactly(4),
    flags: Flags::STALE,
    tips: tips::VARIES,
    run: Run::Read(get_keys_in_slot),
    ..Command::NEW
};

const INVALID_SLOT: ReplyError = ReplyError(std::borrow::Cow::Borrowed("ERR Invalid slot"));

fn key_slot(_: &NodeContext<'_>, mut args: Args<'_>) -> CommandResult {
    Ok(Reply::Integer(i64::from(slot_of(args.next()?).0)))
}

fn count_keys_in_slot(context: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let slot = slot(args.integer()?).ok_or(INVALID_SLOT)?;
    Ok(Reply::count(context.database().count_in_slot(slot)))
}

fn get_keys_in_slot(context: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (number, count) = (args.integer()?, args.integer()?);
    let (Some(slot), Ok(count)) = (slot(number), usize::try_from(count)) else {
        return Err(ReplyError::new("ERR Invalid slot or number of keys"));
    };
    let keys = context.database().keys_in_slot(slot, count);
    Ok(Reply::Array(keys.into_iter().map(Reply::Bulk).collect()))
}

fn slot(number: i64) -> Option<Slot> {
    u16::try_from(number).ok().filter(|slot| *slot < SLOTS).map(Slot)
}
