//! MODULE: there are no modules, and none can be loaded.

use crate::commands::args::Args;
use crate::commands::declare::container::{at_once, container};
use crate::commands::declare::documentation::tips;
use crate::commands::declare::help::{help, help_of};
use crate::commands::declare::{Arity, Command, CommandResult, Flags, Run};
use crate::commands::run::NodeContext;
use crate::resp::Reply;

pub(super) const MODULE: Command =
    container("MODULE", "A container for module commands.", "4.0.0", &[HELP, LIST]);

const LIST: Command = Command {
    name: "LIST",
    summary: "Returns all loaded modules.",
    since: "4.0.0",
    complexity: "O(1)",
    arity: Arity::Exactly(2),
    flags: Flags::ADMIN.with(Flags::NO_SCRIPT),
    tips: tips::REORDERS,
    run: at_once!(list),
    ..Command::NEW
};

const HELP: Command = help("5.0.0", Run::Describe(|_, _| help_of(&MODULE)));

fn list(_: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::Array(Vec::new()))
}
