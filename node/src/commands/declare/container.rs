//! Parts that many declarations have in common.

use super::command::{Arity, Command, Run};

/// A container: only its subcommands run.
pub const fn container(
    name: &'static str,
    summary: &'static str,
    since: &'static str,
    subcommands: &'static [Command],
) -> Command {
    Command {
        name,
        summary,
        since,
        complexity: "Depends on subcommand.",
        arity: Arity::AtLeast(2),
        run: Run::Container(subcommands),
        ..Command::NEW
    }
}

/// A [`Run::Node`] whose function does not wait.
macro_rules! at_once {
    ($function:path) => {
        $crate::commands::declare::Run::Node(|context, args| {
            Box::pin(std::future::ready($function(context, args)))
        })
    };
}
pub(in crate::commands) use at_once;
