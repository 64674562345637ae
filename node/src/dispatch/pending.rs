//! Commands of a batch that have been admitted and wait to be run together.

use bytes::BytesMut;

use super::Rules;
use crate::base::ids::DatabaseId;
use crate::commands::command::{Flags, Run};
use crate::commands::table::Resolved;
use crate::resp::{Protocol, Reply};
use crate::services::sessions::{ClientFlag, Session};

/// The settings of the connection at the moment a command was admitted: a later command of the same
/// batch may change them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mode {
    pub(super) database: DatabaseId,
    protocol: Protocol,
    quiet: bool,
    stale: bool,
    /// Reads count as uses of keys.
    pub(super) touches: bool,
}

/// One reply to come.
#[derive(Debug)]
pub(super) enum Slot {
    /// Known already.
    Answer(Reply),
    /// The command at this place of the batch.
    Data { found: Resolved, index: usize },
}

/// What waits, in order.
#[derive(Debug, Default)]
pub(super) struct Pending {
    slots: Vec<(Slot, Mode)>,
}

impl Mode {
    pub(super) fn of(session: &Session, rules: &Rules, quiet: bool) -> Self {
        Self {
            database: session.database,
            protocol: session.protocol,
            quiet,
            stale: rules.stale || session.read_only,
            touches: !session.client.has(ClientFlag::NoTouch),
        }
    }

    /// Appends a reply unless it is held back.
    pub(super) fn encode(self, reply: &Reply, out: &mut BytesMut) {
        if !self.quiet {
            reply.encode(self.protocol, out);
        }
    }
}

impl Pending {
    pub(super) fn push(&mut self, slot: Slot, mode: Mode) {
        self.slots.push((slot, mode));
    }

    pub(super) fn take(&mut self) -> Vec<(Slot, Mode)> {
        std::mem::take(&mut self.slots)
    }

    /// Keeps the allocation for the next run.
    pub(super) fn give_back(&mut self, mut slots: Vec<(Slot, Mode)>) {
        slots.clear();
        self.slots = slots;
    }
}

impl Slot {
    fn writes(&self) -> bool {
        matches!(self, Self::Data { found, .. } if matches!(found.command.run, Run::Write(_)))
    }
}

/// How many slots have to go through the log because a write stands among them or after them.
pub(super) fn after_last_write(slots: &[(Slot, Mode)]) -> usize {
    slots.iter().rposition(|(slot, _)| slot.writes()).map_or(0, |last| last + 1)
}

/// Whether every read among the slots may be answered without asking the leader.
pub(super) fn all_stale(slots: &[(Slot, Mode)]) -> bool {
    slots.iter().all(|(slot, mode)| match slot {
        Slot::Answer(_) => true,
        Slot::Data { found, .. } => mode.stale || found.command.flags.has(Flags::STALE),
    })
}
