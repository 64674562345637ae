//! All clients of this node.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

use super::{Client, ClientFilter, Pause};
use crate::base::ids::ClientId;

/// The clients of this node by id.
#[derive(Debug)]
pub struct Clients {
    connected: Mutex<BTreeMap<ClientId, Arc<Client>>>,
    next_id: AtomicU64,
    limit: AtomicUsize,
    /// Bytes that all of them take.
    pub(super) memory: AtomicUsize,
    pause: Pause,
}

impl Clients {
    /// No clients; at most `limit` at a time (`maxclients`).
    pub fn new(limit: usize) -> Self {
        Self {
            connected: Mutex::default(),
            next_id: AtomicU64::new(1),
            limit: AtomicUsize::new(limit),
            memory: AtomicUsize::new(0),
            pause: Pause::default(),
        }
    }

    /// Adds a client; `None` when there are too many.
    pub fn connect(&self, address: String, local_address: String) -> Option<Arc<Client>> {
        let mut connected = self.connected.lock();
        if connected.len() >= self.limit.load(Relaxed) {
            return None;
        }
        let id = ClientId(self.next_id.fetch_add(1, Relaxed));
        let client = Arc::new(Client::new(id, address, local_address));
        connected.insert(id, client.clone());
        self.count_new(&client);
        Some(client)
    }

    /// Removes a client.
    pub fn disconnect(&self, id: ClientId) {
        if let Some(client) = self.connected.lock().remove(&id) {
            self.account(&client, 0);
        }
    }

    /// Clients that match, by id.
    pub fn matching(&self, filter: &ClientFilter) -> Vec<Arc<Client>> {
        let connected = self.connected.lock();
        connected.values().filter(|client| filter.matches(client)).cloned().collect()
    }

    pub(super) fn all(&self) -> Vec<Arc<Client>> {
        self.connected.lock().values().cloned().collect()
    }

    /// Clients connected now.
    pub fn count(&self) -> usize {
        self.connected.lock().len()
    }

    /// `maxclients`.
    pub fn limit(&self) -> usize {
        self.limit.load(Relaxed)
    }

    /// Changes `maxclients`; clients beyond it stay connected.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Relaxed);
    }

    /// The pause of `CLIENT PAUSE`.
    pub const fn pause(&self) -> &Pause {
        &self.pause
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_limit_refuses_the_next_client_until_one_leaves() {
        let clients = Clients::new(1);
        let first = clients.connect("a:1".to_owned(), "b:2".to_owned()).unwrap();
        assert!(clients.connect("a:2".to_owned(), "b:2".to_owned()).is_none());
        clients.disconnect(first.id());
        assert!(clients.connect("a:2".to_owned(), "b:2".to_owned()).is_some());
        assert_eq!(clients.count(), 1);
    }

    #[test]
    fn a_filter_needs_all_its_conditions() {
        let clients = Clients::new(10);
        let first = clients.connect("a:1".to_owned(), "b:2".to_owned()).unwrap();
        let second = clients.connect("a:2".to_owned(), "b:2".to_owned()).unwrap();
        let mut filter = ClientFilter::default();
        assert_eq!(clients.matching(&filter).len(), 2);
        filter.local_address = Some("b:2".into());
        filter.address = Some("a:2".into());
        assert_eq!(clients.matching(&filter)[0].id(), second.id());
        filter.ids = vec![first.id()];
        assert!(clients.matching(&filter).is_empty());
    }
}
