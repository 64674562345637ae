//! `<container> HELP`, derived from the declarations of the subcommands.

use super::command::{Arity, Command, CommandResult, Run};
use super::flags::Flags;
use crate::resp::Reply;

/// The subcommand HELP; `run` returns [`help_of`] its container.
pub(in crate::commands) const fn help(since: &'static str, run: Run) -> Command {
    Command {
        name: "HELP",
        summary: "Lists the subcommands.",
        since,
        complexity: "O(1)",
        arity: Arity::Exactly(2),
        flags: Flags::LOADING.with(Flags::STALE),
        run,
        ..Command::NEW
    }
}

/// Two lines for each subcommand: its syntax and its summary.
pub(in crate::commands) fn help_of(container: &Command) -> CommandResult {
    let Run::Container(subcommands) = container.run else { return Ok(Reply::Array(Vec::new())) };
    let title =
        format!("{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", container.name);
    let described = subcommands.iter().filter(|subcommand| !subcommand.name.is_empty());
    let lines = described.flat_map(|subcommand| {
        let call = format!("{} {}", subcommand.name, subcommand.syntax);
        [call.trim_end().to_owned(), format!("    {}", subcommand.summary)]
    });
    Ok(Reply::Array(std::iter::once(title).chain(lines).map(Reply::Line).collect()))
}
