//! A command that a client has sent.

use bytes::Bytes;

use crate::commands::args::Args;
use crate::commands::declare::{Flags, Resolved, Run};

/// A command found in the table, with all its arguments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) found: Resolved,
    /// As sent, names included.
    pub(super) argv: &'a [Bytes],
}

impl<'a> Call<'a> {
    /// The arguments after the names.
    pub(super) fn args(&self) -> Args<'a> {
        Args::new(&self.argv[self.found.name_len()..])
    }

    pub(super) const fn run(&self) -> Run {
        self.found.command.run
    }

    pub(super) const fn has(&self, flags: Flags) -> bool {
        self.found.command.flags.has(flags)
    }

    /// Whether it may change keys.
    pub(super) const fn writes(&self) -> bool {
        matches!(self.run(), Run::Write(_))
    }
}
