//! COMMAND LIST with its filters.

use super::describe;
use crate::commands::args::Args;
use crate::commands::command::CommandResult;
use crate::commands::context::NodeContext;
use crate::commands::table::{self, Resolved};
use crate::data::types::pattern;
use crate::resp::{Reply, ReplyError};

pub(super) fn list(_: &NodeContext<'_>, mut args: Args<'_>) -> CommandResult {
    if args.is_empty() {
        return Ok(names(|_| true));
    }
    if !args.keyword("FILTERBY") || args.len() != 2 {
        return Err(ReplyError::SYNTAX);
    }
    if args.keyword("MODULE") {
        // No command comes from a module, so none is of this one.
        return Ok(names(|_| false));
    }
    if args.keyword("ACLCAT") {
        let category = format!("@{}", String::from_utf8_lossy(args.next()?).to_ascii_lowercase());
        return Ok(names(|row| describe::categories(row).contains(&category.as_str())));
    }
    if args.keyword("PATTERN") {
        let glob = args.next()?.to_ascii_lowercase();
        return Ok(names(|row| pattern::matches(&glob, row.full_name().as_bytes())));
    }
    Err(ReplyError::SYNTAX)
}

fn names(wanted: impl Fn(&Resolved) -> bool) -> Reply {
    let rows = table::rows().iter().filter(|row| !row.command.name.is_empty() && wanted(row));
    Reply::Array(rows.map(|row| Reply::bulk(row.full_name())).collect())
}
