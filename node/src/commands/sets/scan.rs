//! SSCAN.

use crate::commands::args::Args;
use crate::commands::args::scan_options::{self, ScanOptions};
use crate::commands::declare::documentation::tips;
use crate::commands::declare::{Arity, Command, CommandResult, Keys, ReadCost, Run};
use crate::commands::run::ReadContext;
use crate::data::types::SetValue;
use crate::resp::Reply;

pub(super) const SSCAN: Command = Command {
    name: "SSCAN",
    summary: "Goes through the members of a set, some with each call.",
    since: "2.8.0",
    complexity: "O(N) for the whole, N: members of the set",
    syntax: "key cursor [MATCH pattern] [COUNT count]",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    cost: ReadCost::Scan,
    tips: tips::VARIES,
    run: Run::Read(sscan),
    ..Command::NEW
};

fn sscan(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let cursor = scan_options::cursor(&mut args)?;
    // Redis checks the options only if there is a set.
    let Some(set) = ctx.get::<SetValue>(key)? else {
        return Ok(scan_options::reply(0, Vec::new()));
    };
    let options = ScanOptions::parse(args)?;
    let (next, page) = set.scan(cursor, options.count);
    let found = page.into_iter().filter(|member| options.admits(member)).map(Reply::Bulk);
    Ok(scan_options::reply(next, found.collect()))
}
