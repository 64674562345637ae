//! What every reconcile shares, and what is remembered between two of them to save work. Nothing
//! that decides is here: a process that forgets all of it does the same.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder};
use parking_lot::Mutex;
use tokio_rustls::rustls::ClientConfig;

use crate::crd::IronKVCluster;
use crate::metrics::Metrics;
use crate::node_admin::NodeAdmin;

/// Retries begin after this and double.
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// What was applied last, by kind and name: a hash of what was sent and the version it became.
pub type Applied = HashMap<(String, String), (u64, String)>;

/// What every reconcile shares.
pub struct Context {
    /// Kubernetes.
    pub client: Client,
    /// The nodes.
    pub nodes: Arc<dyn NodeAdmin>,
    /// Events.
    pub recorder: Recorder,
    /// Figures.
    pub metrics: Metrics,
    /// Image of the store when nothing else says which.
    pub default_image: String,
    memories: Mutex<HashMap<String, Memory>>,
}

/// What is remembered of one cluster.
#[derive(Default)]
pub struct Memory {
    /// Objects that need not be sent again.
    pub applied: Applied,
    /// Failures in a row.
    pub failures: u32,
    /// The last event, not to be repeated while nothing else happened.
    pub told: Option<(&'static str, String)>,
    /// A hash of the certificates and what was made of them.
    pub tls: Option<(u64, Arc<ClientConfig>)>,
}

impl Context {
    /// For one process.
    pub fn new(
        client: Client,
        nodes: Arc<dyn NodeAdmin>,
        recorder: Recorder,
        metrics: Metrics,
        default_image: String,
    ) -> Self {
        let memories = Mutex::default();
        Self { client, nodes, recorder, metrics, default_image, memories }
    }

    /// Takes out what is remembered of the resource with this uid.
    pub fn recall(&self, uid: &str) -> Memory {
        self.memories.lock().remove(uid).unwrap_or_default()
    }

    /// Remembers.
    pub fn remember(&self, uid: &str, memory: Memory) {
        let mut memories = self.memories.lock();
        memories.insert(uid.to_owned(), memory);
        self.metrics.set_clusters(memories.len());
    }

    /// Forgets a resource that is gone.
    pub fn forget(&self, uid: &str) {
        let mut memories = self.memories.lock();
        memories.remove(uid);
        self.metrics.set_clusters(memories.len());
    }

    /// Tells an event; one that cannot be told stops nothing.
    pub async fn tell(&self, cluster: &IronKVCluster, type_: EventType, reason: &str, note: &str) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            // The API server takes 1 kB.
            note: Some(note.chars().take(1000).collect()),
            // Events of one action are counted together under the first one's note.
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
    /// After how long the next try is due.
    pub fn retry_after(&self) -> Duration {
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
