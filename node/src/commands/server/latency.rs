//! LATENCY: pauses of this node by cause, and how long commands take.

mod graph;

use super::{at_once, container, help};
use crate::base::telemetry::latency::LatencyEvent;
use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys};
use crate::commands::context::NodeContext;
use crate::resp::{Reply, ReplyError};

pub(super) const LATENCY: Command = container(
    "LATENCY",
    "A container for latency diagnostics commands.",
    "2.8.13",
    &[
        command(
            "DOCTOR",
            "Returns an analysis for people.",
            "",
            Arity::Exactly(2),
            at_once!(doctor),
        ),
        command(
            "GRAPH",
            "Draws the pauses of one cause.",
            "event",
            Arity::Exactly(3),
            at_once!(graph),
        ),
        Command {
            flags: Flags::LOADING.with(Flags::STALE),
            ..command("HELP", "Lists the subcommands.", "", Arity::Exactly(2), at_once!(show_help))
        },
        Command {
            since: "7.0.0",
            ..command(
                "HISTOGRAM",
                "Returns how long commands took, as running totals.",
                "[command [command ...]]",
                Arity::AtLeast(2),
                at_once!(histogram),
            )
        },
        command(
            "HISTORY",
            "Returns the pauses of one cause.",
            "event",
            Arity::Exactly(3),
            at_once!(history),
        ),
        command(
            "LATEST",
            "Returns the last pause of every cause.",
            "",
            Arity::Exactly(2),
            at_once!(latest),
        ),
        command(
            "RESET",
            "Forgets the pauses of some causes or all.",
            "[event [event ...]]",
            Arity::AtLeast(2),
            at_once!(reset),
        ),
    ],
);

const fn command(
    name: &'static str,
    summary: &'static str,
    syntax: &'static str,
    arity: Arity,
    run: crate::commands::command::Run,
) -> Command {
    Command {
        name,
        summary,
        since: "2.8.13",
        complexity: "O(N) where N is the number of samples or commands returned",
        syntax,
        arity,
        keys: Keys::None,
        flags: Flags::ADMIN.with(Flags::NO_SCRIPT).with(Flags::LOADING).with(Flags::STALE),
        run,
    }
}

fn show_help(_: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(help(
        "LATENCY",
        &[
            "DOCTOR",
            "    Return a human readable latency analysis report.",
            "GRAPH <event>",
            "    Return an ASCII latency graph for the <event> class.",
            "HISTORY <event>",
            "    Return time-latency samples for the <event> class.",
            "LATEST",
            "    Return the latest latency samples for all events.",
            "RESET [<event> ...]",
            "    Reset latency data of one or more <event> classes.",
            "    (default: reset all data for all event classes)",
            "HISTOGRAM [COMMAND ...]",
            "    Return a cumulative distribution of commands' latencies as histograms.",
            "    If no commands are specified then all histograms are replied.",
        ],
    ))
}

fn history(context: &NodeContext<'_>, mut args: Args<'_>) -> CommandResult {
    let event = context.node.telemetry().latency.event(&name(&mut args)?);
    let samples = event.unwrap_or_default().samples.into_iter().map(|sample| {
        Reply::Array(vec![
            Reply::Integer(sample.unix_s.cast_signed()),
            Reply::Integer(sample.elapsed_ms.cast_signed()),
        ])
    });
    Ok(Reply::Array(samples.collect()))
}

fn latest(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let events = context.node.telemetry().latency.events();
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
    Ok(Reply::count(context.node.telemetry().latency.reset(&names)))
}

fn graph(context: &NodeContext<'_>, mut args: Args<'_>) -> CommandResult {
    let name = name(&mut args)?;
    let missing = || ReplyError::new(format!("ERR No samples available for event '{name}'"));
    let event = context.node.telemetry().latency.event(&name).ok_or_else(missing)?;
    let now_s = context.node.clock().unix_ms() / 1000;
    Ok(Reply::Verbatim("txt", graph::draw(&name, &event, now_s).into()))
}

fn doctor(context: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    let latency = &context.node.telemetry().latency;
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
    let metrics = &context.node.telemetry().metrics;
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
