//! CLIENT and its subcommands.

mod kill_pause;
mod identity;
mod list;
mod toggles;

use super::shared::COMMON;
use crate::commands::declare::container::container;
use crate::commands::declare::help::{help, help_of};
use crate::commands::declare::{Command, Run};
pub(super) use identity::check_name;

pub(super) const CLIENT: Command = Command {
    complexity: "Depends on the subcommand.",
    ..container("CLIENT", "Holds the commands about client connections.", "2.4.0", SUBCOMMANDS)
};

const SUBCOMMANDS: &[Command] = &[
    toggles::CACHING,
    identity::GETNAME,
    toggles::GETREDIR,
    HELP,
    identity::ID,
    list::INFO,
    kill_pause::KILL,
    list::LIST,
    toggles::NO_EVICT,
    toggles::NO_TOUCH,
    kill_pause::PAUSE,
    toggles::REPLY,
    identity::SETINFO,
    identity::SETNAME,
    toggles::TRACKINGINFO,
    kill_pause::UNBLOCK,
    kill_pause::UNPAUSE,
];

const HELP: Command =
    Command { flags: COMMON, ..help("5.0.0", Run::Session(|_, _| help_of(&CLIENT))) };
