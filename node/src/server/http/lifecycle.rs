//! The progress of a node between start and stop, as probes report it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::base::limits::STUCK_AFTER;
use crate::commands::run::NodeServices;

/// Starting, running or stopping. It never goes back.
#[derive(Default)]
pub struct Lifecycle {
    node: OnceLock<Arc<NodeServices>>,
    stopping: AtomicBool,
    progress: Mutex<Option<Progress>>,
}

/// The applied index at its last change.
#[derive(Debug, Clone, Copy)]
struct Progress {
    applied: u64,
    since: Instant,
}

impl Lifecycle {
    /// A node that is starting.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Checkpoint and log are loaded; requests are served from now on.
    pub fn started(&self, node: Arc<NodeServices>) {
        // A second call would pass the same node.
        let _ = self.node.set(node);
    }

    /// From now on, new requests should be sent to other nodes.
    pub fn stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// The node, once it has started.
    pub fn node(&self) -> Option<&NodeServices> {
        self.node.get().map(Arc::as_ref)
    }

    /// Why the process should be restarted; `None` while it need not be.
    pub(super) fn stuck(&self) -> Option<String> {
        let status = self.node()?.cluster.status();
        let mut progress = self.progress.lock();
        let now = Instant::now();
        let moved = progress.is_none_or(|last| last.applied != status.applied);
        // A restart does not help with entries that have not arrived yet.
        let applicable = status.committed.min(status.last_log);
        if moved || applicable <= status.applied {
            *progress = Some(Progress { applied: status.applied, since: now });
            return None;
        }
        let silent = progress.map_or(Duration::ZERO, |last| now.duration_since(last.since));
        (silent >= STUCK_AFTER).then(|| {
            format!(
                "entry {} is committed, but {} was the last applied {} s ago",
                applicable,
                status.applied,
                silent.as_secs()
            )
        })
    }

    /// Why requests should not be sent here; `None` if they should.
    pub(super) fn not_ready(&self) -> Option<String> {
        if self.stopping.load(Ordering::Relaxed) {
            return Some("the node is stopping".to_owned());
        }
        let Some(node) = self.node() else {
            return Some("checkpoint and log are being loaded".to_owned());
        };
        node.cluster.status().not_ready(node.config.load().raft.leader_patience_ms())
    }
}
