//! `MOVED` for clients that follow a cluster's redirections instead of being proxied.

use bytes::Bytes;

use super::{Dispatcher, Rules, Store};
use crate::base::ids::Slot;
use crate::commands::command::Run;
use crate::commands::table::Resolved;
use crate::data::keyspace::slot::slot_of;
use crate::resp::ReplyError;
use crate::services::sessions::Session;

impl<S: Store> Dispatcher<S> {
    /// In cluster mode the keys of a command must share a slot, and the leader serves it.
    pub(super) fn check_route(
        &self,
        session: &Session,
        rules: &Rules,
        found: &Resolved,
        words: &[Bytes],
    ) -> Result<(), ReplyError> {
        if !rules.moved {
            return Ok(());
        }
        let positions = found.command.keys.positions(words).unwrap_or_default();
        let mut slots = positions.iter().filter_map(|at| words.get(*at)).map(|key| slot_of(key));
        let Some(slot) = slots.next() else { return Ok(()) };
        if slots.any(|other| other != slot) {
            return Err(ReplyError::CROSS_SLOT);
        }
        let reads = matches!(found.command.run, Run::Read(_));
        if self.store.is_leader() || (reads && session.read_only) {
            return Ok(());
        }
        Err(self.moved(slot))
    }

    fn moved(&self, slot: Slot) -> ReplyError {
        match self.store.leader() {
            Some(leader) => ReplyError::new(format!("MOVED {} {}", slot.0, leader.client_address)),
            None => ReplyError::CLUSTER_DOWN,
        }
    }
}
