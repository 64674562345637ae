//! Random members: SPOP removes them, SRANDMEMBER only returns them.

use super::members;
use crate::commands::args::sampling::SampleCount;
use crate::commands::args::{Args, numbers};
use crate::commands::declare::documentation::tips;
use crate::commands::declare::{Arity, Command, CommandResult, Flags, KeyUse, Keys, ReadCost, Run};
use crate::commands::run::{ReadContext, WriteContext};
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
    key_uses: &[KeyUse::Take],
    flags: Flags::FAST,
    tips: tips::VARIES,
    history: &[("3.2.0", "A count.")],
    run: Run::Write(spop),
    ..Command::NEW
};

fn spop(ctx: &mut WriteContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    if args.len() > 1 {
        return Err(ReplyError::SYNTAX);
    }
    let count = if args.is_empty() { None } else { Some(numbers::not_negative(&mut args)?) };
    // The order of the set is the same on every replica, so the seed of the entry chooses the same
    // members everywhere.
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
    cost: ReadCost::Sample,
    tips: tips::VARIES,
    history: &[("2.6.0", "A count.")],
    run: Run::Read(srandmember),
    ..Command::NEW
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
    let positions = count.positions(set.len(), |bound| ctx.random_below(bound));
    let members = positions.into_iter().filter_map(|position| set.get(position));
    Ok(Reply::Array(members.map(Member::to_bytes).map(Reply::Bulk).collect()))
}
