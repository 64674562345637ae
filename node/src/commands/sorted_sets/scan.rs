//! ZSCAN.

use crate::base::float::format_double;
use crate::commands::args::Args;
use crate::commands::args::scan_options::{self, ScanOptions};
use crate::commands::declare::documentation::tips;
use crate::commands::declare::{Arity, Command, CommandResult, Keys, ReadCost, Run};
use crate::commands::run::ReadContext;
use crate::data::types::SortedSetValue;
use crate::data::types::sorted_set::Scored;
use crate::resp::Reply;

pub(super) const ZSCAN: Command = Command {
    name: "ZSCAN",
    summary: "Goes through the members of a sorted set with their scores, some with each call.",
    since: "2.8.0",
    complexity: "O(N) for the whole, N: members of the sorted set",
    syntax: "key cursor [MATCH pattern] [COUNT count]",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    cost: ReadCost::Scan,
    tips: tips::VARIES,
    run: Run::Read(zscan),
    ..Command::NEW
};

fn zscan(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let cursor = scan_options::cursor(&mut args)?;
    // Redis checks the options only if there is a sorted set.
    let Some(set) = ctx.get::<SortedSetValue>(key)? else {
        return Ok(scan_options::reply(0, Vec::new()));
    };
    let options = ScanOptions::parse(args)?;
    let (next, page) = set.scan(cursor, options.count);
    // Scores are strings here in both protocols.
    let both = |scored: Scored| {
        [Reply::Bulk(scored.member), Reply::bulk(format_double(scored.score.get()))]
    };
    let found = page.into_iter().filter(|scored| options.admits(&scored.member)).flat_map(both);
    Ok(scan_options::reply(next, found.collect()))
}
