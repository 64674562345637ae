//! COMMAND LIST with its filters.

use super::describe;
use crate::commands::args::Args;
use crate::commands::args::glob::glob;
use crate::commands::declare::{CommandResult, CommandTable, Resolved};
use crate::data::types::pattern::Case;
use crate::resp::{Reply, ReplyError};

pub(super) fn list(table: &dyn CommandTable, mut args: Args<'_>) -> CommandResult {
    if args.is_empty() {
        return Ok(names(table, |_| true));
    }
    if !args.keyword("FILTERBY") || args.len() != 2 {
        return Err(ReplyError::SYNTAX);
    }
    if args.keyword("MODULE") {
        // There are no modules, so no command belongs to this one.
        return Ok(names(table, |_| false));
    }
    if args.keyword("ACLCAT") {
        let category = format!("@{}", String::from_utf8_lossy(args.next()?).to_ascii_lowercase());
        return Ok(names(table, |row| describe::categories(row).contains(&category.as_str())));
    }
    if args.keyword("PATTERN") {
        let wanted = glob(args.next()?, Case::Ignored)?;
        return Ok(names(table, |row| wanted.matches(row.full_name().as_bytes())));
    }
    Err(ReplyError::SYNTAX)
}

fn names(table: &dyn CommandTable, wanted: impl Fn(&Resolved) -> bool) -> Reply {
    let rows = table.rows().iter().filter(|row| !row.command.name.is_empty() && wanted(row));
    Reply::Array(rows.map(|row| Reply::bulk(row.full_name())).collect())
}
