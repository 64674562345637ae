//! LATENCY: pauses of this node by cause, and how long commands take.

mod graph;

use crate::base::telemetry::latency::LatencyEvent;
use crate::commands::args::Args;
use crate::commands::declare::container::{at_once, container};
use crate::commands::declare::documentation::tips;
use crate::commands::declare::help::{help, help_of};
use crate::commands::declare::{Arity, Command, CommandResult, Flags, Run};
use crate::commands::run::NodeContext;
use crate::resp::{Reply, ReplyError};

pub(super) const LATENCY: Command = container(
    "LATENCY",
    "A container for latency diagnostics commands.",
    "2.8.13",
    &[
        Command {
            name: "DOCTOR",
            summary: "Returns an analysis for people.",
            tips: tips::NODE_REPORT,
            run: at_once!(doctor),
            ..SUBCOMMAND
        },
        Command {
            name: "GRAPH",
            summary: "Draws the pauses of one cause.",
            syntax: "event",
            arity: Arity::Exactly(3),
            tips: tips::NODE_REPORT,
            run: at_once!(graph),
            ..SUBCOMMAND
        },
        HELP,
        Command {
            name: "HISTOGRAM",
            summary: "Returns how long commands took, as running totals.",
            since: "7.0.0",
            syntax: "[command [command ...]]",
            arity: Arity::AtLeast(2),
            tips: tips::NODE_REPORT,
            run: at_once!(histogram),
            ..SUBCOMMAND
        },
        Command {
            name: "HISTORY",
            summary: "Returns the pauses of one cause.",
            syntax: "event",
            arity: Arity::Exactly(3),
            tips: tips::NODE_REPORT,
            run: at_once!(history),
            ..SUBCOMMAND
        },
        Command {
            name: "LATEST",
            summary: "Returns the last pause of every cause.",
            tips: tips::NODE_REPORT,
            run: at_once!(latest),
            ..SUBCOMMAND
        },
        Command {
            name: "RESET",
            summary: "Forgets the pauses of some causes or all.",
            syntax: "[event [event ...]]",
            arity: Arity::AtLeast(2),
            tips: tips::EVERY_NODE_OR_FAIL,
            run: at_once!(reset),
            ..SUBCOMMAND
        },
    ],
);

/// The common fields of its subcommands.
const SUBCOMMAND: Command = Command {
    since: "2.8.13",
    complexity: "O(N) where N is the number of samples or commands returned",
    arity: Arity::Exactly(2),
    flags: Flags::ADMIN.with(Flags::NO_SCRIPT).with(Flags::LOADING).with(Flags::STALE),
    ..Command::NEW
};

const HELP: Command = Command {
    complexity: SUBCOMMAND.complexity,
    ..help("2.8.13", Run::Describe(|_, _| help_of(&LATENCY)))
};

fn history(context: &NodeContext<'_>, mut args: Args<'_>) -> CommandResult {
    let event = context.node.telemetry.latency.event(&name(&mut args)?);
    let samples = event.unwrap_or_default().samples.into_iter().map(|sample| {
        Reply::Array(vec![
            Reply::Integer(sample.unix_s.cast_signed()),
            Reply::Integer(sample.elapsed_ms.cast_signed()),
        ])
    });
    Ok(Reply::Array(samples.collect()))
}

fn latest(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let events = context.node.telemetry.latency.events();
    let rows = events.into_iter().filter_map(|(name, event)| {
        let last = event.samples.back()?;
        Some(Reply::Array(vec![
            Reply::bulk(name),
            Reply::Integer(last.unix_s.cast_signed()),
            Reply::Integer(last.elapsed_ms.cast_signed()),
            Reply::Integer(event.max_ms.cast_signed()),
        ]))
    });
    Ok(Reply::Array(rows.collect()))
}

fn reset(context: &NodeContext<'_>, args: Args<'_>) -> CommandResult {
    let names: Vec<String> =
        args.rest().iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    Ok(Reply::count(context.node.telemetry.latency.reset(&names)))
}

fn graph(context: &NodeContext<'_>, mut args: Args<'_>) -> CommandResult {
    let name = name(&mut args)?;
    let missing = || ReplyError::new(format!("ERR No samples available for event '{name}'"));
    let event = context.node.telemetry.latency.event(&name).ok_or_else(missing)?;
    let now_s = context.node.clock.unix_ms() / 1000;
    Ok(Reply::Verbatim("txt", graph::draw(&name, &event, now_s).into()))
}

fn doctor(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let latency = &context.node.telemetry.latency;
    let text = match (latency.threshold_ms(), latency.events()) {
        (0, _) => "Latency monitoring is off. Switch it on with \"CONFIG SET \
                   latency-monitor-threshold <milliseconds>\".\n"
            .to_owned(),
        (threshold, events) if events.is_empty() => {
            format!("No pause of {threshold} ms or longer was seen on this node.\n")
        }
        (_, events) => events.iter().map(|(name, event)| describe(name, event)).collect(),
    };
    Ok(Reply::Verbatim("txt", text.into()))
}

fn describe(name: &str, event: &LatencyEvent) -> String {
    let count = event.samples.len().max(1) as u64;
    let sum: u64 = event.samples.iter().map(|sample| sample.elapsed_ms).sum();
    let worst = event.max_ms;
    format!("{name}: {count} pauses, {} ms on average, {worst} ms at worst\n", sum / count)
}

fn histogram(context: &NodeContext<'_>, args: Args<'_>) -> CommandResult {
    let metrics = &context.node.telemetry.metrics;
    let counted = metrics.since_reset();
    let asked: Vec<String> =
        args.rest().iter().map(|name| String::from_utf8_lossy(name).to_ascii_lowercase()).collect();
    let rows = metrics.command_names().iter().zip(&counted.commands);
    let shown = rows.filter(|(name, command)| {
        let container = name.split('|').next().unwrap_or_default();
        let wanted = asked.iter().any(|one| one == *name || one == container);
        command.calls > 0 && (asked.is_empty() || wanted)
    });
    let maps = shown.map(|(name, command)| {
        let steps = command.latency.powers_of_two_us().into_iter().map(|(bound, count)| {
            (Reply::Integer(bound.cast_signed()), Reply::Integer(count.cast_signed()))
        });
        let fields = vec![
            (Reply::bulk("calls"), Reply::Integer(command.calls.cast_signed())),
            (Reply::bulk("histogram_usec"), Reply::Map(steps.collect())),
        ];
        (Reply::bulk(name), Reply::Map(fields))
    });
    Ok(Reply::Map(maps.collect()))
}

fn name(args: &mut Args<'_>) -> Result<String, ReplyError> {
    Ok(String::from_utf8_lossy(args.next()?).into_owned())
}
