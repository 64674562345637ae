//! COMMAND DOCS: the documentation of commands, arguments as a tree.

use super::lookup::{named, top_level};
use super::{describe, key_specs};
use crate::commands::args::Args;
use crate::commands::declare::documentation::ArgumentName;
use crate::commands::declare::syntax::{self, Argument, Kind};
use crate::commands::declare::{CommandResult, CommandTable, Flags, Resolved};
use crate::resp::Reply;

pub(super) fn docs(table: &dyn CommandTable, args: Args<'_>) -> CommandResult {
    let rows: Vec<Resolved> = if args.is_empty() {
        top_level(table).copied().collect()
    } else {
        args.rest().iter().filter_map(|name| named(table, name)).collect()
    };
    let documented = |row: &Resolved| (Reply::bulk(row.full_name()), document(table, row));
    Ok(Reply::Map(rows.iter().map(documented).collect()))
}

fn document(table: &dyn CommandTable, row: &Resolved) -> Reply {
    let command = row.command;
    let mut fields = vec![
        (Reply::bulk("summary"), Reply::bulk(command.summary)),
        (Reply::bulk("since"), Reply::bulk(command.since)),
        (Reply::bulk("group"), Reply::bulk(describe::group(row))),
        (Reply::bulk("complexity"), Reply::bulk(command.complexity)),
    ];
    let is_internal = command.flags.has(Flags::INTERNAL);
    let flags = [(command.deprecated.is_some(), "deprecated"), (is_internal, "syscmd")];
    if flags.iter().any(|(on, _)| *on) {
        fields.push((Reply::bulk("doc_flags"), Reply::Set(words(&flags))));
    }
    if let Some(deprecation) = command.deprecated {
        fields.push((Reply::bulk("deprecated_since"), Reply::bulk(deprecation.since)));
        fields.push((Reply::bulk("replaced_by"), Reply::bulk(deprecation.successor)));
    }
    if !command.history.is_empty() {
        let changes = command
            .history
            .iter()
            .map(|(version, change)| Reply::Array(vec![Reply::bulk(version), Reply::bulk(change)]));
        fields.push((Reply::bulk("history"), Reply::Set(changes.collect())));
    }
    // A syntax that does not parse is shown as having no arguments; a test parses them all.
    let mut arguments = syntax::parse(command.syntax).unwrap_or_default();
    ArgumentName::apply_all(command.argument_names, &mut arguments);
    if !arguments.is_empty() {
        let last = key_specs::specs(command).len().saturating_sub(1);
        fields.push((
            Reply::bulk("arguments"),
            tree(&arguments, &mut KeySpecIndex { next: 0, last }),
        ));
    }
    let subcommands: Vec<(Reply, Reply)> = describe::subcommands(table, row)
        .map(|row| (Reply::bulk(row.full_name()), document(table, row)))
        .collect();
    if !subcommands.is_empty() {
        fields.push((Reply::bulk("subcommands"), Reply::Map(subcommands)));
    }
    Reply::Map(fields)
}

fn words(flags: &[(bool, &'static str)]) -> Vec<Reply> {
    flags.iter().filter(|(on, _)| *on).map(|(_, word)| Reply::Status(word)).collect()
}

/// The key specification of the next argument that holds keys.
struct KeySpecIndex {
    next: usize,
    last: usize,
}

impl KeySpecIndex {
    fn take(&mut self) -> usize {
        let index = self.next.min(self.last);
        self.next += 1;
        index
    }
}

fn tree(arguments: &[Argument], keys: &mut KeySpecIndex) -> Reply {
    Reply::Array(arguments.iter().map(|argument| node(argument, keys)).collect())
}

fn node(argument: &Argument, keys: &mut KeySpecIndex) -> Reply {
    let mut fields = vec![
        (Reply::bulk("name"), Reply::bulk(&argument.name)),
        (Reply::bulk("type"), Reply::bulk(argument.kind.name())),
    ];
    if argument.kind == Kind::Key {
        fields.push((Reply::bulk("key_spec_index"), Reply::count(keys.take())));
    }
    if let Some(token) = &argument.token {
        fields.push((Reply::bulk("token"), Reply::bulk(token)));
    }
    let flags = words(&[
        (argument.optional, "optional"),
        (argument.multiple, "multiple"),
        (argument.multiple_token, "multiple_token"),
    ]);
    if !flags.is_empty() {
        fields.push((Reply::bulk("flags"), Reply::Array(flags)));
    }
    if !argument.children.is_empty() {
        fields.push((Reply::bulk("arguments"), tree(&argument.children, keys)));
    }
    Reply::Map(fields)
}
