//! `<container> HELP`, derived from the subcommands' own descriptions.

use super::command::{Command, CommandResult, Run};
use crate::resp::Reply;

/// Two lines for each subcommand: how to call it and what it does.
pub(super) fn help_of(container: &Command) -> CommandResult {
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
