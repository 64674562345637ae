//! CONFIG: parameters of this node and of the cluster, read and changed by Redis's names.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::base::config::parameters::{self, Change, Parameter, Scope};
use crate::commands::args::Args;
use crate::commands::args::glob::glob;
use crate::commands::declare::container::{at_once, container};
use crate::commands::declare::documentation::{ArgumentName, tips};
use crate::commands::declare::help::{help, help_of};
use crate::commands::declare::{Arity, Command, CommandResult, Flags, NodeFuture, Run};
use crate::commands::run::{NodeContext, NodeServices};
use crate::data::keyspace::Settings;
use crate::data::types::pattern::Case;
use crate::resp::{Reply, ReplyError};

const FLAGS: Flags = Flags::ADMIN.with(Flags::NO_SCRIPT).with(Flags::LOADING).with(Flags::STALE);

pub(super) const CONFIG: Command = container(
    "CONFIG",
    "A container for server configuration commands.",
    "2.0.0",
    &[GET, HELP, RESETSTAT, REWRITE, SET],
);

const GET: Command = Command {
    name: "GET",
    summary: "Returns the effective values of configuration parameters.",
    since: "2.0.0",
    complexity: "O(N) when N is the number of configuration parameters provided",
    syntax: "parameter [parameter ...]",
    arity: Arity::AtLeast(3),
    flags: FLAGS,
    history: &[("7.0.0", "Several patterns at once.")],
    run: at_once!(get),
    ..Command::NEW
};

const SET: Command = Command {
    name: "SET",
    summary: "Changes configuration parameters while the server runs.",
    since: "2.0.0",
    complexity: "O(N) when N is the number of configuration parameters provided",
    syntax: "parameter value [parameter value ...]",
    arity: Arity::AtLeast(4),
    flags: FLAGS.with(Flags::SETS_PARAMETERS),
    tips: tips::EVERY_NODE_OR_FAIL,
    history: &[("7.0.0", "Several parameters at once.")],
    argument_names: &[ArgumentName::group("parameter", "parameter_value")],
    run: Run::Node(set),
    ..Command::NEW
};

const RESETSTAT: Command = Command {
    name: "RESETSTAT",
    summary: "Resets the statistics that INFO shows.",
    since: "2.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: FLAGS,
    run: at_once!(reset_statistics),
    ..Command::NEW
};

const REWRITE: Command = Command {
    name: "REWRITE",
    summary: "Writes the effective configuration of this node into its file.",
    since: "2.8.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: FLAGS,
    run: at_once!(rewrite),
    ..Command::NEW
};

const HELP: Command = help("5.0.0", Run::Describe(|_, _| help_of(&CONFIG)));

fn get(context: &NodeContext<'_>, args: Args<'_>) -> CommandResult {
    let settings = context.node.storage.keyspace().read().settings.clone();
    let patterns = args.rest().iter().map(|text| glob(text, Case::Ignored));
    let patterns: Vec<_> = patterns.collect::<Result<_, _>>()?;
    let mut found = BTreeMap::new();
    for (name, row) in names() {
        let matched = patterns.iter().any(|pattern| pattern.matches(name.as_bytes()));
        if matched && let Some(value) = value_of(context.node, &settings, row) {
            found.insert(name, value);
        }
    }
    let pairs = found.into_iter().map(|(name, value)| (Reply::bulk(name), Reply::bulk(value)));
    Ok(Reply::Map(pairs.collect()))
}

/// Every name and alias with its row.
fn names() -> impl Iterator<Item = (&'static str, &'static Parameter)> {
    parameters::all()
        .flat_map(|row| std::iter::once((row.name, row)).chain(row.alias.map(|alias| (alias, row))))
}

fn value_of(node: &NodeServices, settings: &Settings, row: &Parameter) -> Option<String> {
    match row.scope {
        Scope::Cluster => settings.get(row.name),
        Scope::Node("security.requirepass", _) => {
            let config = node.config.load();
            Some(config.security.requirepass.expose().to_owned())
        }
        Scope::Node("threads.io", _) => {
            // 0 means automatic here, which Redis's clients do not know.
            node.config.get(row).map(|count| if count == "0" { "1".to_owned() } else { count })
        }
        Scope::Node(..) | Scope::Compatibility(_) => node.config.get(row),
    }
}

/// A checked change.
type Changes = Vec<(&'static Parameter, String)>;

fn set<'a>(context: &'a NodeContext<'a>, args: Args<'a>) -> NodeFuture<'a> {
    Box::pin(async move {
        let changes = check(context.node, args.rest())?;
        let cluster = changes.iter().filter(|(row, _)| row.scope == Scope::Cluster);
        let cluster: Vec<(&str, &[u8])> =
            cluster.map(|(row, value)| (row.name, value.as_bytes())).collect();
        // Parameters of the cluster come first, because only their change can still fail.
        if !cluster.is_empty() {
            context.node.cluster.change_parameters(&cluster).await?;
        }
        let changed = context.node.config.set(&changes);
        changed.map_err(|(name, reason)| failed(&name, &reason))?;
        context.node.config_changed();
        Ok(Reply::OK)
    })
}

/// Checks all changes and returns them, or the first error. Nothing is changed yet.
fn check(node: &NodeServices, argv: &[Bytes]) -> Result<Changes, ReplyError> {
    if !argv.len().is_multiple_of(2) {
        let name = String::from_utf8_lossy(&argv[argv.len() - 1]).into_owned();
        return Err(unknown(&name));
    }
    let mut settings = node.storage.keyspace().read().settings.clone();
    let mut changes = Changes::new();
    for pair in argv.chunks_exact(2) {
        let name = String::from_utf8_lossy(&pair[0]).into_owned();
        let row = parameters::find(&name).ok_or_else(|| unknown(&name))?;
        let same = || node.config.get(row).is_some_and(|value| value.as_bytes() == pair[1]);
        let reason = match row.change {
            Change::Live => None,
            Change::Fixed if same() => None,
            Change::Fixed | Change::Restart => Some("can't set immutable config"),
            Change::Protected => Some("can't set protected config"),
        };
        if let Some(reason) = reason {
            return Err(failed(&name, reason));
        }
        if changes.iter().any(|(other, _)| other.name == row.name) {
            return Err(failed(&name, "duplicate parameter"));
        }
        if row.change == Change::Fixed {
            continue;
        }
        changes.push((row, check_one(node, &mut settings, row, &name, &pair[1])?));
    }
    Ok(changes)
}

fn check_one(
    node: &NodeServices,
    settings: &mut Settings,
    row: &Parameter,
    name: &str,
    value: &Bytes,
) -> Result<String, ReplyError> {
    let text = String::from_utf8_lossy(value).into_owned();
    if row.scope == Scope::Cluster {
        settings.set(name, value)?;
        return Ok(text);
    }
    let current = node.config.get(row).unwrap_or_default();
    row.kind.check(&text, &current).map_err(|reason| failed(name, &reason))
}

fn unknown(name: &str) -> ReplyError {
    ReplyError::new(format!("ERR Unknown option or number of arguments for CONFIG SET - '{name}'"))
}

fn failed(name: &str, reason: &str) -> ReplyError {
    ReplyError::new(format!(
        "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"
    ))
}

fn reset_statistics(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    context.node.telemetry.metrics.reset();
    Ok(Reply::OK)
}

fn rewrite(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let written = context.node.config.rewrite();
    written.map(|()| Reply::OK).map_err(|text| ReplyError::new(format!("ERR {text}")))
}

#[cfg(test)]
#[path = "config_test.rs"]
mod tests;
