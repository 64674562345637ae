//! ZRANGE, which can do everything that its older forms do, and ZRANGESTORE.

pub(super) mod bounds;
pub(super) mod legacy_ranges;
pub(super) mod query;

use super::reply::members_reply;
use crate::commands::args::Args;
use crate::commands::declare::documentation::ArgumentName;
use crate::commands::declare::syntax::Kind;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, ReadCost, Run};
use crate::commands::run::{Expiry, ReadContext, WriteContext};
use crate::data::keyspace::EventClass;
use crate::data::types::sorted_set::Scored;
use crate::data::types::{SortedSetValue, TypedValue};
use crate::resp::Reply;
use query::{Form, Query};

pub(super) const ZRANGE: Command = Command {
    name: "ZRANGE",
    summary: "Returns the members of a sorted set within a range.",
    since: "1.2.0",
    complexity: "O(log N + M), N: members of the sorted set, M: members returned",
    syntax: "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
    arity: Arity::AtLeast(4),
    keys: Keys::First,
    cost: ReadCost::Range,
    history: &[("6.2.0", "REV, BYSCORE, BYLEX and LIMIT.")],
    argument_names: &[
        ArgumentName::typed("start", Kind::String),
        ArgumentName::typed("stop", Kind::String),
        ArgumentName::group("byscore", "sortby"),
        ArgumentName::group("limit", "offset_count"),
    ],
    run: Run::Read(zrange),
    ..Command::NEW
};

fn zrange(ctx: &ReadContext<'_>, args: Args<'_>) -> CommandResult {
    read(ctx, args, Form { by: None, direction: None, may_have_scores: true })
}

/// Returns a range; `form` is what the name of the command determines.
fn read(ctx: &ReadContext<'_>, mut args: Args<'_>, form: Form) -> CommandResult {
    let key = args.next()?;
    let query = Query::parse(args, form)?;
    let set = ctx.get::<SortedSetValue>(key)?;
    let members = set.map_or_else(Vec::new, |set| query.run(set));
    Ok(members_reply(members.into_iter(), query.with_scores))
}

pub(super) const ZRANGESTORE: Command = Command {
    name: "ZRANGESTORE",
    summary: "Stores the members of a sorted set within a range.",
    since: "6.2.0",
    complexity: "O(log N + M log M), N: members of the sorted set, M: members stored",
    syntax: "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
    arity: Arity::AtLeast(5),
    keys: Keys::Range { first: 1, last: 2, step: 1 },
    key_uses: &[KeyUse::Overwrite, KeyUse::Read],
    flags: Flags::DENY_OOM,
    argument_names: &[
        ArgumentName::group("byscore", "sortby"),
        ArgumentName::group("limit", "offset_count"),
    ],
    run: Run::Write(zrangestore),
    ..Command::NEW
};

fn zrangestore(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let (destination, source) = (args.next()?, args.next()?);
    let form = Form { by: None, direction: None, may_have_scores: false };
    let query = Query::parse(args, form)?;
    let set = ctx.get::<SortedSetValue>(source)?;
    let members = set.map_or_else(Vec::new, |set| query.run(set));
    let members: Vec<Scored> = members.into_iter().cloned().collect();
    let result = SortedSetValue::from_distinct(members, ctx.settings());
    Ok(store(ctx, destination, result, "zrangestore"))
}

/// Stores a result, or removes the key when the result is empty. Returns the number of members.
pub(super) fn store(
    ctx: &mut WriteContext<'_>,
    key: &bytes::Bytes,
    result: SortedSetValue,
    event: &'static str,
) -> Reply {
    let len = result.len();
    if len > 0 {
        ctx.put(key, result.into_value(), Expiry::Clear, (EventClass::SortedSet, event));
    } else if ctx.remove(key).is_some() {
        ctx.notify(key, (EventClass::Generic, "del"));
    }
    Reply::count(len)
}
