//! The common part of the commands about connections.

use crate::commands::declare::{Command, Flags};

/// The flags of most commands about a connection.
pub(super) const COMMON: Flags = Flags::NO_SCRIPT.with(Flags::LOADING).with(Flags::STALE);

/// The common fields of all commands about a connection.
pub(super) const CONNECTION: Command =
    Command { complexity: "O(1)", flags: COMMON, ..Command::NEW };

/// The flags of subcommands that inspect or end other connections.
pub(super) const ADMIN: Flags = COMMON.with(Flags::ADMIN);
