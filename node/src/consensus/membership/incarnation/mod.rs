//! Copies and old states of a data directory are noticed, see `docs/decisions/016_incarnations.md`.
//!
//! A node tells with every message which incarnations its directory has lived through
//! ([`Lineage`]), and for which incarnation of the receiver the message is meant. Both are held
//! against what the log has registered, as applied by the one that checks: a directory that never
//! drew what is registered for its id is a copy or an old state, and what it says counts for
//! nothing. A node that finds this out about itself takes no part until the members have confirmed
//! its data, and ends for good when a majority of them says otherwise.

mod alone;
mod doubt;
mod heard;
mod judgement;
mod objection;
mod registering;
mod routes;
mod starting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use parking_lot::Mutex;
use tokio::sync::Notify;

use doubt::Doubts;
pub(crate) use doubt::{Doubt, note_doubt};
use heard::Heard;
pub(crate) use objection::settle_objection;
pub(crate) use registering::{register, renew};
pub(crate) use starting::{begin, draw, open, superseded_by};

use crate::base::ids::NodeId;
use crate::base::random::entropy;
use crate::data::lineage::{Lineage, Registration};

/// What a process says of itself in every message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) lineage: Lineage,
    /// Random, drawn at the start of the process and never again.
    pub(crate) life: u64,
}

/// What this node knows of its own incarnation, and a leader of those of the others.
pub(crate) struct Incarnations {
    lineage: Mutex<Lineage>,
    life: u64,
    /// Index of the last entry that the log had when the process started.
    end_at_start: OnceLock<u64>,
    doubts: Doubts,
    /// On a leader: who answers for each member.
    heard: Mutex<BTreeMap<NodeId, Heard>>,
    /// On a leader: members that are to draw a new incarnation at once.
    to_renew: Mutex<BTreeSet<NodeId>>,
    /// This node is to draw a new incarnation at once.
    renewal: Notify,
}

impl Incarnations {
    /// As a start leaves it on the disk.
    pub(crate) fn new(lineage: Lineage) -> Self {
        Self {
            lineage: Mutex::new(lineage),
            life: entropy(),
            end_at_start: OnceLock::new(),
            doubts: Doubts::default(),
            heard: Mutex::default(),
            to_renew: Mutex::default(),
            renewal: Notify::new(),
        }
    }

    /// What is told to others.
    pub(crate) fn told(&self) -> Told {
        Told { lineage: self.lineage(), life: self.life }
    }

    pub(crate) fn lineage(&self) -> Lineage {
        self.lineage.lock().clone()
    }

    /// Where the log registered the incarnation in force; 0 before.
    pub(crate) fn registered_at(&self) -> u64 {
        let lineage = self.lineage.lock();
        let registered = lineage.registered.filter(|_| lineage.is_registered());
        registered.map_or(0, |registered| registered.index)
    }

    /// Whether this process says this of itself.
    pub(crate) const fn is_own(&self, told: &Told) -> bool {
        self.life == told.life
    }

    /// Takes over what was registered for this node, as applied here; `false` when it is not one of
    /// this directory. The disk may learn it later: what it holds is more, not less.
    pub(crate) fn note_registered(&self, seen: Registration) -> bool {
        self.lineage.lock().note_registered(seen)
    }

    /// Has a new incarnation drawn: another node was seen that has this one's id. Once the new one
    /// is registered, the directory of the other is known to be a copy.
    pub(crate) fn renew_at_once(&self) {
        self.renewal.notify_one();
    }

    /// On a leader: has a member draw a new incarnation, for the same reason.
    pub(crate) fn ask_to_renew(&self, member: NodeId) {
        self.to_renew.lock().insert(member);
    }

    /// Whether the next message to the member is to say so.
    pub(crate) fn is_to_renew(&self, member: NodeId) -> bool {
        self.to_renew.lock().remove(&member)
    }

    /// Why this node takes no part at the moment.
    pub(crate) const fn doubts(&self) -> &Doubts {
        &self.doubts
    }
}
