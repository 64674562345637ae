//! Iterating over hashes.

use crate::commands::args::Args;
use crate::commands::args::scan_options::{self, ScanOptions};
use crate::commands::declare::documentation::tips;
use crate::commands::declare::{Arity, Command, CommandResult, Keys, ReadCost, Run};
use crate::commands::run::ReadContext;
use crate::data::types::HashValue;
use crate::resp::{Reply, ReplyError};

pub(super) const HSCAN: Command = Command {
    name: "HSCAN",
    summary: "Walks the fields of a hash page by page.",
    since: "2.8.0",
    complexity: "O(1) a call, O(N) a whole walk, where N is the number of fields",
    syntax: "key cursor [MATCH pattern] [COUNT count] [NOVALUES]",
    arity: Arity::AtLeast(3),
    keys: Keys::First,
    cost: ReadCost::Scan,
    tips: tips::VARIES,
    run: Run::Read(hscan),
    ..Command::NEW
};

fn hscan(ctx: &ReadContext<'_>, mut args: Args<'_>) -> CommandResult {
    let key = args.next()?;
    let cursor = scan_options::cursor(&mut args)?;
    // Redis does not check the options for a missing key.
    let Some(hash) = ctx.get::<HashValue>(key)? else {
        return Ok(scan_options::reply(0, Vec::new()));
    };
    let (options, with_values) = scan_arguments(args)?;
    let (next, page) = hash.scan(cursor, options.count);
    let wanted = page.into_iter().filter(|(field, _)| options.admits(field));
    let found = match with_values {
        true => wanted.flat_map(|(field, value)| [field, value]).map(Reply::Bulk).collect(),
        false => wanted.map(|(field, _)| Reply::Bulk(field)).collect(),
    };
    Ok(scan_options::reply(next, found))
}

/// The options, and whether values are requested.
fn scan_arguments(mut args: Args<'_>) -> Result<(ScanOptions, bool), ReplyError> {
    let (mut options, mut with_values) = (ScanOptions::default(), true);
    while !args.is_empty() {
        if args.keyword("NOVALUES") {
            with_values = false;
        } else {
            options.option(&mut args)?;
        }
    }
    Ok((options, with_values))
}
