//! A node that cannot be sure of its own data takes no part: it does not vote, stand, lead,
//! acknowledge or serve, until the members have confirmed it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::base::ids::NodeId;
use crate::consensus::tasks::Tasks;
use crate::data::lineage::Registration;
use crate::data::meta::{Meta, Superseded};

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
    pub(crate) asked: Notify,
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

    /// Whether a member says something against this directory that is not judged yet.
    pub(crate) fn has_objection(&self) -> bool {
        self.objections.lock().pending.is_some()
    }

    /// Whether there was one of this kind.
    pub(crate) fn clear(&self, kind: impl FnOnce(&Doubt) -> bool) -> bool {
        let mut now = self.now.lock();
        if !now.as_ref().is_some_and(kind) {
            return false;
        }
        *now = None;
        self.any.store(false, Ordering::Release);
        true
    }
}

/// What is said against this directory while its node takes part.
#[derive(Debug, Default)]
pub(crate) struct Objections {
    /// Not judged yet. Until then the node votes for no other leader and does not stand: under the
    /// one that it has, nothing counts that this leader does not allow.
    pub(super) pending: Option<Registration>,
    /// A majority works that does not have these; they can never come into its log.
    pub(super) refuted: Vec<Registration>,
}

/// Why a directory is known to be no longer its node's.
pub(crate) fn not_of(id: NodeId, registered: Registration) -> String {
    format!(
        "log entry {} registered an incarnation of node {id} that this data directory never drew: \
         it is a copy, or an old state was put back",
        registered.index
    )
}

/// Keeps over a restart what members say against this directory.
pub(crate) async fn note_doubt(doubts: &Doubts, meta: &Arc<Meta>, tasks: &Tasks) {
    let contested = match doubts.now() {
        Some(Doubt::Superseded(said)) => Some(said),
        Some(_) => return,
        None => None,
    };
    if meta.facts().contested == contested {
        return;
    }
    let noted = tasks.note(meta, move |facts| facts.contested = contested);
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
