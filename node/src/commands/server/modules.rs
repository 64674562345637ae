//! MODULE: there are none, and none can be loaded.

use super::{at_once, container, help};
use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys};
use crate::commands::context::NodeContext;
use crate::resp::Reply;

pub(super) const MODULE: Command =
    container("MODULE", "A container for module commands.", "4.0.0", &[HELP, LIST]);

const LIST: Command = Command {
    name: "LIST",
    summary: "Returns all loaded modules.",
    since: "4.0.0",
    complexity: "O(1)",
    syntax: "",
    arity: Arity::Exactly(2),
    keys: Keys::None,
    flags: Flags::ADMIN.with(Flags::NO_SCRIPT),
    run: at_once!(list),
};

const HELP: Command = Command {
    name: "HELP",
    summary: "Lists the subcommands.",
    since: "5.0.0",
    complexity: "O(1)",
    syntax: "",
    arity: Arity::Exactly(2),
    keys: Keys::None,
    flags: Flags::LOADING.with(Flags::STALE),
    run: at_once!(show_help),
};

fn list(_: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(Reply::Array(Vec::new()))
}

fn show_help(_: &NodeContext<'_>, _: Args<'_>) -> CommandResult {
    Ok(help("MODULE", &["LIST", "    Return a list of loaded modules."]))
}
