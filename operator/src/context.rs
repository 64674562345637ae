//! What all reconciles share, and what the operator remembers between two reconciles to save work.
//! No decision depends on it: a process that has just started decides the same.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder};
use parking_lot::Mutex;
use tokio_rustls::rustls::ClientConfig;

use crate::crd::IronKVCluster;
use crate::metrics::Metrics;
use crate::names::Uid;
use crate::node_admin::NodeAdmin;

/// The first retry comes after this time, and each further one after twice the previous time.
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// The objects that were applied last, by kind and name: the hash of the request, and the resource
/// version of the result.
pub(crate) type Applied = HashMap<(String, String), (u64, String)>;

/// What all reconciles share.
pub(crate) struct Context {
    /// The client of Kubernetes.
    pub(crate) client: Client,
    /// The client of the nodes.
    pub(crate) nodes: Arc<dyn NodeAdmin>,
    /// The recorder of events.
    pub(crate) recorder: Recorder,
    /// The metrics.
    pub(crate) metrics: Metrics,
    /// The image of the store for a new cluster without `spec.image`.
    pub(crate) default_image: String,
    memories: Mutex<HashMap<Uid, Memory>>,
}

/// What the operator remembers about one cluster.
#[derive(Default)]
pub(crate) struct Memory {
    /// Objects that need not be applied again.
    pub(crate) applied: Applied,
    /// The number of consecutive failures.
    pub(crate) failures: u32,
    /// The reason and the message of the last problem that was recorded as an event.
    pub(crate) last_problem: Option<(&'static str, String)>,
    /// The hash of the certificates, and the TLS configuration made from them.
    pub(crate) tls: Option<(u64, Arc<ClientConfig>)>,
}

impl Context {
    /// A context without memories.
    pub(crate) fn new(
        client: Client,
        nodes: Arc<dyn NodeAdmin>,
        recorder: Recorder,
        metrics: Metrics,
        default_image: String,
    ) -> Self {
        let memories = Mutex::default();
        Self { client, nodes, recorder, metrics, default_image, memories }
    }

    /// Takes the memory of the resource with this uid.
    pub(crate) fn recall(&self, uid: &Uid) -> Memory {
        self.memories.lock().remove(uid).unwrap_or_default()
    }

    /// Stores the memory of a resource.
    pub(crate) fn remember(&self, uid: &Uid, memory: Memory) {
        let mut memories = self.memories.lock();
        memories.insert(uid.clone(), memory);
        self.metrics.set_clusters(memories.len());
    }

    /// Deletes the memory of a resource that was deleted.
    pub(crate) fn forget(&self, uid: &Uid) {
        let mut memories = self.memories.lock();
        memories.remove(uid);
        self.metrics.set_clusters(memories.len());
    }

    /// Publishes an event. A failure is logged and otherwise ignored.
    pub(crate) async fn publish_event(
        &self,
        cluster: &IronKVCluster,
        type_: EventType,
        reason: &str,
        note: &str,
    ) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            // The API server accepts 1 kB.
            note: Some(note.chars().take(1000).collect()),
            // Events with the same action are merged into one with the note of the first.
            action: note.chars().take(128).collect(),
            secondary: None,
        };
        let reference = kube::Resource::object_ref(cluster, &());
        if let Err(error) = self.recorder.publish(&event, &reference).await {
            tracing::warn!(%error, reason, "an event was not recorded");
        }
    }
}

impl Memory {
    /// The time until the next attempt.
    pub(crate) fn retry_after(&self) -> Duration {
        let doubled = RETRY_MIN.saturating_mul(1 << self.failures.min(16));
        doubled.min(RETRY_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_come_later_and_later_up_to_a_minute() {
        let after = |failures| Memory { failures, ..Memory::default() }.retry_after();
        assert_eq!(after(0), Duration::from_millis(500));
        assert_eq!(after(3), Duration::from_secs(4));
        assert_eq!(after(1000), Duration::from_secs(60));
    }
}
