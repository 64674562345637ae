//! A node that cannot be sure of its own data takes no part: it does not vote, stand, lead,
//! acknowledge or serve, until the members have confirmed it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::objection::Objections;
use super::routes::not_of;
use crate::base::ids::NodeId;
use crate::consensus::shared::Shared;
use crate::data::lineage::Registration;
use crate::data::meta::Superseded;

/// How long the disk has to take a note before the members are asked.
const NOTE_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a node is not sure of its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// A member has applied a registration that this directory never drew.
    Superseded(Superseded),
    /// Another process runs with this node's id, and this directory was made from that one's.
    Copied(String),
    /// By its own data this node is the only member, and others were configured.
    Alone(String),
}

impl Doubt {
    pub(crate) fn superseded(own: NodeId, registered: Registration) -> Self {
        Self::Superseded(Superseded { reason: not_of(own, registered), registered })
    }

    /// A doubt gives way to none of a lower rank.
    const fn rank(&self) -> u8 {
        match self {
            Self::Alone(_) => 0,
            Self::Superseded(_) => 1,
            Self::Copied(_) => 2,
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Superseded(said) => said.reason.fmt(f),
            Self::Copied(text) | Self::Alone(text) => text.fmt(f),
        }
    }
}

/// The doubt that keeps the node from taking part.
#[derive(Default)]
pub(crate) struct Doubts {
    now: Mutex<Option<Doubt>>,
    any: AtomicBool,
    /// A doubt or an objection has come up.
    pub(super) asked: Notify,
    pub(super) objections: Mutex<Objections>,
}

impl Doubts {
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    pub(crate) fn now(&self) -> Option<Doubt> {
        self.now.lock().clone()
    }

    /// Returns once a doubt or an objection has come up since it last returned.
    pub(crate) async fn come_up(&self) {
        self.asked.notified().await;
    }

    /// Whether it is the first.
    pub(crate) fn set(&self, doubt: Doubt) -> bool {
        let mut now = self.now.lock();
        let first = now.is_none();
        if now.as_ref().is_none_or(|before| before.rank() <= doubt.rank()) {
            *now = Some(doubt);
        }
        self.any.store(true, Ordering::Release);
        first
    }

    /// Whether there was one of this kind.
    fn clear(&self, kind: impl FnOnce(&Doubt) -> bool) -> bool {
        let mut now = self.now.lock();
        if !now.as_ref().is_some_and(kind) {
            return false;
        }
        *now = None;
        self.any.store(false, Ordering::Release);
        true
    }
}

impl Shared {
    /// Whether this node takes no part until its data is confirmed.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.incarnations.doubts().any()
    }

    /// From now on this node takes no part. A leader falls silent, so that another one comes.
    pub(crate) fn doubt(&self, doubt: Doubt) {
        let text = doubt.to_string();
        if !self.incarnations.doubts.set(doubt) {
            return;
        }
        tracing::error!(reason = text, "this node takes no part until its data is confirmed");
        self.incarnations.doubts.asked.notify_one();
        let Some(raft) = self.raft() else { return };
        raft.runtime_config().elect(false);
        raft.runtime_config().heartbeat(false);
        if let Some(metrics) = self.metrics().filter(|_| self.is_leader()) {
            self.gate.close_for(metrics.vote.leader_id);
        }
    }

    /// A doubt of this kind was dispelled.
    pub(crate) fn end_doubt(&self, kind: impl FnOnce(&Doubt) -> bool) {
        if !self.incarnations.doubts.clear(kind) {
            return;
        }
        tracing::info!("the data of this node is confirmed: it takes part again");
        if let Some(raft) = self.raft() {
            raft.runtime_config().heartbeat(!self.disk_stall.gave_up());
            raft.runtime_config().elect(self.may_stand());
        }
    }
}

/// Keeps over a restart what members say against this directory.
pub(crate) async fn note_doubt(shared: &Shared) {
    let contested = match shared.incarnations.doubts().now() {
        Some(Doubt::Superseded(said)) => Some(said),
        Some(_) => return,
        None => None,
    };
    if shared.meta.facts().contested == contested {
        return;
    }
    let noted = shared.note(move |facts| facts.contested = contested);
    if let Ok(Err(error)) = timeout(NOTE_TIMEOUT, noted).await {
        tracing::warn!(%error, "cannot note whether this node's data is in doubt");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubt_gives_way_to_none_of_a_lower_rank_and_ends_only_as_what_it_is() {
        let registered = Registration { incarnation: 7, index: 9 };
        let (alone, copied) = (Doubt::Alone("a".to_owned()), Doubt::Copied("c".to_owned()));
        let superseded = Doubt::superseded(NodeId(1), registered);
        let doubts = Doubts::default();
        assert!(doubts.set(alone.clone()) && doubts.any());
        for (next, in_force) in [
            (&superseded, &superseded),
            (&alone, &superseded),
            (&copied, &copied),
            (&superseded, &copied),
        ] {
            assert!(!doubts.set(next.clone()));
            assert_eq!(doubts.now().as_ref(), Some(in_force));
        }
        assert!(!doubts.clear(|doubt| matches!(doubt, Doubt::Superseded(_))) && doubts.any());
        assert!(doubts.clear(|doubt| matches!(doubt, Doubt::Copied(_))) && !doubts.any());
    }
}
