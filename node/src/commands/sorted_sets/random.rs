//! ZRANDMEMBER.

use super::reply::members_reply;
use crate::commands::args::sampling::SampleCount;
use crate::commands::args::{Args, numbers};
use crate::commands::declare::documentation::{ArgumentName, tips};
use crate::commands::declare::{Arity, Command, CommandResult, Keys, ReadCost, Run};
use crate::commands::run::ReadContext;
use crate::data::types::SortedSetValue;
use crate::resp::{Reply, ReplyError};

pub(super) const ZRANDMEMBER: Command = Command {
    name: "ZRANDMEMBER",
    summary: "Returns random members of a sorted set.",
    since: "6.2.0",
    complexity: "O(N log M), N: members returned, M: members of the sorted set",
    syntax: "key [count [WITHSCORES]]",
    arity: Arity::AtLeast(2),
    keys: Keys::First,
    cost: ReadCost::Sample,
    tips: tips::VARIES,
    argument_names: &[ArgumentName::group("count", "options")],
    run: Run::Read(zrandmember),
    ..Command::NEW
};

fn zrandmember(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    if args.is_empty() {
        let set = ctx.get::<SortedSetValue>(key)?;
        let scored = set.and_then(|set| set.get(ctx.random_below(set.len())));
        return Ok(Reply::optional(scored.map(|scored| scored.member.clone())));
    }
    let mut again = args;
    let count = SampleCount::parse(&mut args)?;
    let with_scores = args.keyword("WITHSCORES");
    args.end()?;
    let number = numbers::negatable(&mut again)?;
    if with_scores && number.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(ReplyError::OUT_OF_RANGE);
    }
    let Some(set) = ctx.get::<SortedSetValue>(key)? else { return Ok(Reply::Array(Vec::new())) };
    let positions = count.positions(set.len(), |bound| ctx.random_below(bound));
    Ok(members_reply(positions.into_iter().filter_map(|position| set.get(position)), with_scores))
}
