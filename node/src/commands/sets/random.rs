//! Random members: taken by SPOP, looked at by SRANDMEMBER.

use super::members;
use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys, Run};
use crate::commands::context::{ReadContext, WriteContext};
use crate::commands::numbers;
use crate::commands::sampling::SampleCount;
use crate::data::keyspace::EventClass;
use crate::data::types::SetValue;
use crate::data::types::set::Member;
use crate::resp::{Reply, ReplyError};

pub(super) const SPOP: Command = Command {
    name: "SPOP",
    summary: "Takes random members from a set.",
    since: "1.0.0",
    complexity: "O(N log M), N: members taken, M: members of the set",
    syntax: "key [count]",
    arity: Arity::AtLeast(2),
    keys: Keys::First,
    flags: Flags::FAST,
    run: Run::Write(spop),
};

fn spop(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    if args.len() > 1 {
        return Err(ReplyError::SYNTAX);
    }
    let count = if args.is_empty() { None } else { Some(numbers::not_negative(&mut args)?) };
    // The set's order is the same on every replica, so places chosen from the entry's seed are too.
    let mut random = ctx.random().clone();
    let Some(set) = ctx.get_mut::<SetValue>(key)? else {
        return Ok(if count.is_none() { Reply::Null } else { Reply::Set(Vec::new()) });
    };
    let reply = match count {
        None => Reply::Bulk(set.remove_at(random.below(set.len()))),
        Some(0) => return Ok(Reply::Set(Vec::new())),
        Some(count) if count >= set.len() => members::all(&std::mem::take(set)),
        Some(count) => {
            let take = |_| Reply::Bulk(set.remove_at(random.below(set.len())));
            Reply::Set((0..count).map(take).collect())
        }
    };
    ctx.changed(key, (EventClass::Set, "spop"));
    Ok(reply)
}

pub(super) const SRANDMEMBER: Command = Command {
    name: "SRANDMEMBER",
    summary: "Returns random members of a set.",
    since: "1.0.0",
    complexity: "O(N log M), N: members returned, M: members of the set",
    syntax: "key [count]",
    arity: Arity::AtLeast(2),
    keys: Keys::First,
    flags: Flags::NONE,
    run: Run::Read(srandmember),
};

fn srandmember(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    if args.len() > 1 {
        return Err(ReplyError::SYNTAX);
    }
    if args.is_empty() {
        let set = ctx.get::<SetValue>(key)?;
        let member = set.and_then(|set| set.get(ctx.random_below(set.len())));
        return Ok(Reply::optional(member.map(Member::to_bytes)));
    }
    let count = SampleCount::parse(&mut args)?;
    let Some(set) = ctx.get::<SetValue>(key)? else { return Ok(Reply::Array(Vec::new())) };
    let places = count.places(set.len(), |bound| ctx.random_below(bound));
    let members = places.into_iter().filter_map(|place| set.get(place));
    Ok(Reply::Array(members.map(Member::to_bytes).map(Reply::Bulk).collect()))
}
