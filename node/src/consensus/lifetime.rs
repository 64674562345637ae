//! Whether the group goes on: it stops when it is asked to, and ends by itself when it must not go
//! on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::base::blocking::while_it_ends;
use crate::data::lineage::Registration;
use crate::data::meta::{Facts, Meta, Superseded};

/// Why the group ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The node is no longer a member; its data directory must not be used again.
    Removed(String),
    /// Disk or core failed; the process must stop.
    Failed(String),
}

/// See the module.
pub(crate) struct Lifetime {
    meta: Arc<Meta>,
    pub(crate) stopping: AtomicBool,
    /// Why this node must not go on: removed from its cluster, or a failure of disk or core.
    pub(crate) ended: watch::Sender<Option<Ended>>,
}

impl Lifetime {
    pub(crate) const fn new(meta: Arc<Meta>, ended: watch::Sender<Option<Ended>>) -> Self {
        Self { meta, stopping: AtomicBool::new(false), ended }
    }

    /// The first reason counts.
    pub(crate) fn end(&self, reason: Ended) {
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            if first {
                tracing::error!(?reason, "this node ends");
                *ended = Some(reason);
            }
            first
        });
    }

    /// The data here contradicts the cluster: remembered on disk, so that it is never served again.
    pub(crate) fn condemn(&self, reason: &str) {
        let ended = Ended::Failed(format!("its data contradicts the cluster: {reason}"));
        let note = |facts: &mut Facts| facts.condemned = Some(reason.to_owned());
        self.end_for_good(ended, "the data here must not be served", note);
    }

    /// The data here is a copy or an old state: remembered on disk, so that it is never served.
    pub(crate) fn supersede(&self, reason: &str, registered: Registration) {
        let ended = Ended::Failed(format!("its data is not the cluster's: {reason}"));
        let superseded = Superseded { reason: reason.to_owned(), registered };
        let note = |facts: &mut Facts| facts.superseded = Some(superseded);
        self.end_for_good(ended, "the data here must not be served", note);
    }

    /// This node is a member no longer: remembered on disk, so that it never starts there again.
    pub(crate) fn become_removed(&self, reason: &str) {
        let note = |facts: &mut Facts| facts.removed = Some(reason.to_owned());
        self.end_for_good(Ended::Removed(reason.to_owned()), "this node was removed", note);
    }

    /// Ends this node once its disk holds why it must not start again.
    fn end_for_good(&self, ended: Ended, what: &str, note: impl FnOnce(&mut Facts)) {
        self.stopping.store(true, Ordering::Release);
        if let Err(error) = while_it_ends(|| self.meta.update(note)) {
            tracing::error!(%error, "cannot note that {what}");
        }
        self.end(ended);
    }
}
