//! Random fields.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::base::limits::RANDOM_MEMBERS_MAX;
use crate::commands::args::Args;
use crate::commands::declare::documentation::{ArgumentName, tips};
use crate::commands::declare::{Arity, Command, CommandResult, Keys, ReadCost, Run};
use crate::commands::run::ReadContext;
use crate::data::types::HashValue;
use crate::resp::{Reply, ReplyError};

pub(super) const HRANDFIELD: Command = Command {
    name: "HRANDFIELD",
    summary: "Returns random fields of a hash.",
    since: "6.2.0",
    complexity: "O(N) where N is the number of fields returned",
    syntax: "key [count [WITHVALUES]]",
    arity: Arity::AtLeast(2),
    keys: Keys::First,
    cost: ReadCost::Sample,
    tips: tips::VARIES,
    argument_names: &[ArgumentName::group("count", "options")],
    run: Run::Read(hrandfield),
    ..Command::NEW
};

fn hrandfield(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    if args.is_empty() {
        let field =
            ctx.get::<HashValue>(key)?.and_then(|hash| hash.at(ctx.random_below(hash.len())));
        return Ok(Reply::optional(field.map(|(field, _)| field.clone())));
    }
    let (count, with_values) = count(args)?;
    let chosen = ctx.get::<HashValue>(key)?.map_or(Vec::new(), |hash| choose(ctx, hash, count));
    let bulk = |bytes: &Bytes| Reply::Bulk(bytes.clone());
    Ok(match with_values {
        true => Reply::Pairs(chosen.into_iter().map(|(f, v)| (bulk(f), bulk(v))).collect()),
        false => Reply::Array(chosen.into_iter().map(|(field, _)| bulk(field)).collect()),
    })
}

/// The count, and whether values are requested.
fn count(mut args: Args<'_>) -> Result<(i64, bool), ReplyError> {
    let count = args.integer()?;
    if count == i64::MIN {
        let max = i64::MAX;
        let text = format!("ERR value is out of range, value must between -{max} and {max}");
        return Err(ReplyError::new(text));
    }
    let with_values = args.keyword("WITHVALUES");
    args.end()?;
    // Fields with values are twice as many elements, and their number must not overflow. A reply
    // with repetitions is built as a whole, so its size is limited.
    let countable = !with_values || count.unsigned_abs() <= i64::MAX.unsigned_abs() / 2;
    if !countable || count < 0 && count.unsigned_abs() > RANDOM_MEMBERS_MAX as u64 {
        return Err(ReplyError::OUT_OF_RANGE);
    }
    Ok((count, with_values))
}

/// Distinct pairs for a positive count. For a negative count exactly that many pairs, with
/// repetitions.
fn choose<'a>(
    ctx: &ReadContext<'_>,
    hash: &'a HashValue,
    count: i64,
) -> Vec<(&'a Bytes, &'a Bytes)> {
    let len = hash.len();
    if count < 0 {
        let times = 0..count.unsigned_abs();
        return times.filter_map(|_| hash.at(ctx.random_below(len))).collect();
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count >= len {
        return hash.iter().collect();
    }
    // Floyd's sampling (Bentley and Floyd 1987): one random number for each pair.
    let mut positions = BTreeSet::new();
    for last in len - count..len {
        let position = ctx.random_below(last + 1);
        positions.insert(if positions.contains(&position) { last } else { position });
    }
    positions.into_iter().filter_map(|position| hash.at(position)).collect()
}
