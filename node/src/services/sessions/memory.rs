//! The memory of all clients together, and which clients are closed when it is too much.

use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::{Client, ClientFlag, Clients, Load};

/// Approximate bytes of the structures of one connection.
const CLIENT_BYTES: usize = 2048;

/// A change below this is not counted, so that clients with small requests do not update a shared
/// counter.
const COUNTED_BYTES_MIN: usize = 4096;

impl Load {
    /// The memory of a connection, including its structures.
    pub const fn memory_bytes(&self) -> usize {
        CLIENT_BYTES
            + self.input_bytes
            + self.input_free_bytes
            + self.argument_bytes
            + self.queued_bytes
            + self.watched_bytes
            + self.output_bytes
    }
}

impl Clients {
    /// Bytes that all clients take together, as far as they are counted.
    pub fn memory_bytes(&self) -> usize {
        self.memory.load(Relaxed)
    }

    /// Publishes the memory of a client; called by its own thread. Returns whether it is much more
    /// than was counted before, so that the limit should be checked.
    pub fn publish(&self, client: &Client, load: Load) -> bool {
        client.set_load(load);
        let (bytes, counted) = (load.memory_bytes(), client.counted_bytes.load(Relaxed));
        if bytes.abs_diff(counted) < COUNTED_BYTES_MIN || client.is_killed() {
            return false;
        }
        self.account(client, bytes);
        bytes > counted
    }

    pub(super) fn account(&self, client: &Client, bytes: usize) {
        let before = client.counted_bytes.swap(bytes, Relaxed);
        if bytes >= before {
            self.memory.fetch_add(bytes - before, Relaxed);
        } else {
            self.memory.fetch_sub(before - bytes, Relaxed);
        }
    }

    pub(super) fn count_new(&self, client: &Client) {
        self.account(client, CLIENT_BYTES);
    }

    /// Closes clients, beginning with the largest, until the others together take no more than
    /// this. Clients with `CLIENT NO-EVICT on` are counted, but not closed.
    pub fn evict_above(&self, bytes_max: u64) {
        if self.memory_bytes() as u64 <= bytes_max {
            return;
        }
        let mut candidates: Vec<Arc<Client>> = self.all();
        candidates.retain(|client| !client.has(ClientFlag::NoEvict) && !client.is_killed());
        candidates.sort_by_cached_key(|client| Reverse(client.counted_bytes.load(Relaxed)));
        for client in candidates {
            if self.memory_bytes() as u64 <= bytes_max {
                return;
            }
            tracing::warn!(
                client = client.address(),
                bytes = client.counted_bytes.load(Relaxed),
                "closing a client: all together take more memory than maxmemory-clients allows"
            );
            client.evict();
            self.account(&client, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn client(clients: &Clients, bytes: usize) -> Arc<Client> {
        let client = clients.connect("a:1".to_owned(), "b:2".to_owned()).unwrap();
        clients.publish(&client, Load { input_bytes: bytes, ..Load::default() });
        client
    }

    #[test]
    fn the_largest_clients_are_closed_until_the_rest_is_below_the_limit() {
        let clients = Clients::new(10);
        let sizes = [10_000, 500_000, 20_000, 90_000];
        let all: Vec<_> = sizes.iter().map(|bytes| client(&clients, *bytes)).collect();
        clients.evict_above(700_000);
        assert!(!all.iter().any(|client| client.is_killed()));
        clients.evict_above(100_000);
        let evicted: Vec<bool> = all.iter().map(|client| client.is_evicted()).collect();
        assert_eq!(evicted, [false, true, false, true]);
        assert_eq!(clients.memory_bytes(), 30_000 + 2 * CLIENT_BYTES);
        all.iter().for_each(|client| clients.disconnect(client.id()));
        assert_eq!(clients.memory_bytes(), 0);
    }

    #[test]
    fn a_client_that_asked_not_to_be_evicted_stays_and_counts() {
        let clients = Clients::new(10);
        let (large, small) = (client(&clients, 500_000), client(&clients, 50_000));
        large.set(ClientFlag::NoEvict, true);
        clients.evict_above(300_000);
        assert!(!large.is_killed() && small.is_evicted());
    }

    #[test]
    fn small_changes_are_not_counted() {
        let clients = Clients::new(10);
        let one = client(&clients, 100);
        assert!(!clients.publish(&one, Load { input_bytes: 3000, ..Load::default() }));
        assert_eq!(clients.memory_bytes(), CLIENT_BYTES);
        assert!(clients.publish(&one, Load { output_bytes: 9000, ..Load::default() }));
        assert!(!clients.publish(&one, Load::default()));
        assert_eq!(clients.memory_bytes(), CLIENT_BYTES);
    }
}
