//! COMMAND DOCS: the documentation of commands, arguments as a tree.

use super::{describe, named, top_level};
use crate::commands::args::Args;
use crate::commands::command::CommandResult;
use crate::commands::context::NodeContext;
use crate::commands::syntax::{self, Argument, Kind};
use crate::commands::table::Resolved;
use crate::resp::Reply;

pub(super) fn docs(_: &NodeContext<'_>, args: Args<'_>) -> CommandResult {
    let rows: Vec<Resolved> = if args.is_empty() {
        top_level().collect()
    } else {
        args.rest().iter().filter_map(|name| named(name)).collect()
    };
    Ok(Reply::Map(rows.iter().map(|row| (Reply::bulk(row.full_name()), document(row))).collect()))
}

fn document(row: &Resolved) -> Reply {
    let command = row.command;
    let mut fields = vec![
        (Reply::bulk("summary"), Reply::bulk(command.summary)),
        (Reply::bulk("since"), Reply::bulk(command.since)),
        (Reply::bulk("group"), Reply::bulk(describe::group(row))),
        (Reply::bulk("complexity"), Reply::bulk(command.complexity)),
    ];
    // A syntax that does not parse is shown as having no arguments; a test parses them all.
    let arguments = syntax::parse(command.syntax).unwrap_or_default();
    if !arguments.is_empty() {
        fields.push((Reply::bulk("arguments"), tree(&arguments)));
    }
    let subcommands: Vec<(Reply, Reply)> = describe::subcommands(row)
        .map(|sub| (Reply::bulk(sub.full_name()), document(&sub)))
        .collect();
    if !subcommands.is_empty() {
        fields.push((Reply::bulk("subcommands"), Reply::Map(subcommands)));
    }
    Reply::Map(fields)
}

fn tree(arguments: &[Argument]) -> Reply {
    Reply::Array(arguments.iter().map(node).collect())
}

fn node(argument: &Argument) -> Reply {
    let mut fields = vec![
        (Reply::bulk("name"), Reply::bulk(&argument.name)),
        (Reply::bulk("type"), Reply::bulk(argument.kind.name())),
    ];
    if argument.kind == Kind::Key {
        fields.push((Reply::bulk("key_spec_index"), Reply::Integer(0)));
    }
    if let Some(token) = &argument.token {
        fields.push((Reply::bulk("token"), Reply::bulk(token)));
    }
    let flags = [(argument.optional, "optional"), (argument.multiple, "multiple")];
    let flags: Vec<Reply> =
        flags.into_iter().filter(|(on, _)| *on).map(|(_, flag)| Reply::Status(flag)).collect();
    if !flags.is_empty() {
        fields.push((Reply::bulk("flags"), Reply::Array(flags)));
    }
    if !argument.children.is_empty() {
        fields.push((Reply::bulk("arguments"), tree(&argument.children)));
    }
    Reply::Map(fields)
}
