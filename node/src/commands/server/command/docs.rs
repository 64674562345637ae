//! COMMAND DOCS: the documentation of commands, arguments as a tree.

use super::{argument_names, describe, history, key_specs, named, top_level};
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
    let deprecation = history::deprecation(row);
    let flags = [(deprecation.is_some(), "deprecated"), (history::is_internal(row), "syscmd")];
    if flags.iter().any(|(on, _)| *on) {
        fields.push((Reply::bulk("doc_flags"), Reply::Set(words(&flags))));
    }
    if let Some((since, successor)) = deprecation {
        fields.push((Reply::bulk("deprecated_since"), Reply::bulk(since)));
        fields.push((Reply::bulk("replaced_by"), Reply::bulk(successor)));
    }
    let changes = history::changes(row)
        .iter()
        .map(|(version, change)| Reply::Array(vec![Reply::bulk(version), Reply::bulk(change)]));
    let changes: Vec<Reply> = changes.collect();
    if !changes.is_empty() {
        fields.push((Reply::bulk("history"), Reply::Set(changes)));
    }
    // A syntax that does not parse is shown as having no arguments; a test parses them all.
    let mut arguments = syntax::parse(command.syntax).unwrap_or_default();
    argument_names::correct(&row.full_name(), &mut arguments);
    if !arguments.is_empty() {
        let mut keys = KeyPlaces { next: 0, last: key_specs::specs(row).len().saturating_sub(1) };
        fields.push((Reply::bulk("arguments"), tree(&arguments, &mut keys)));
    }
    let subcommands: Vec<(Reply, Reply)> = describe::subcommands(row)
        .map(|sub| (Reply::bulk(sub.full_name()), document(&sub)))
        .collect();
    if !subcommands.is_empty() {
        fields.push((Reply::bulk("subcommands"), Reply::Map(subcommands)));
    }
    Reply::Map(fields)
}

fn words(flags: &[(bool, &'static str)]) -> Vec<Reply> {
    flags.iter().filter(|(on, _)| *on).map(|(_, word)| Reply::Status(word)).collect()
}

/// Which key specification the next argument that holds keys belongs to.
struct KeyPlaces {
    next: usize,
    last: usize,
}

impl KeyPlaces {
    fn take(&mut self) -> usize {
        let place = self.next.min(self.last);
        self.next += 1;
        place
    }
}

fn tree(arguments: &[Argument], keys: &mut KeyPlaces) -> Reply {
    Reply::Array(arguments.iter().map(|argument| node(argument, keys)).collect())
}

fn node(argument: &Argument, keys: &mut KeyPlaces) -> Reply {
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
