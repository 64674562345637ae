//! CLIENT and its subcommands.

mod ending;
mod identity;
mod list;
mod switches;

use super::{COMMON, about};
use crate::commands::args::Args;
use crate::commands::command::{Arity, Command, CommandResult, Flags, Keys, Run};
use crate::commands::context::SessionContext;
use crate::commands::help::help_of;
pub(super) use identity::check_name;

pub(super) const CLIENT: Command = Command {
    name: "CLIENT",
    summary: "Holds the commands about client connections.",
    since: "2.4.0",
    complexity: "Depends on the subcommand.",
    syntax: "",
    arity: Arity::AtLeast(2),
    keys: Keys::None,
    flags: Flags::NONE,
    run: Run::Container(&[
        switches::CACHING,
        identity::GETNAME,
        switches::GETREDIR,
        HELP,
        identity::ID,
        list::INFO,
        ending::KILL,
        list::LIST,
        switches::NO_EVICT,
        switches::NO_TOUCH,
        ending::PAUSE,
        switches::REPLY,
        identity::SETINFO,
        identity::SETNAME,
        switches::TRACKING,
        switches::TRACKINGINFO,
        ending::UNBLOCK,
        ending::UNPAUSE,
    ]),
};

const HELP: Command =
    about("HELP", "", Arity::Exactly(2), ("5.0.0", "Lists the subcommands."), Run::Session(help));

/// Subcommands that look at or end other connections.
const ADMIN: Flags = COMMON.with(Flags::ADMIN);

fn help(_: &mut SessionContext<'_>, _: Args<'_>) -> CommandResult {
    help_of(&CLIENT)
}
