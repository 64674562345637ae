//! Records the requests of concurrent clients and their answers, for the checkers.
//!
//! Times are ticks of one counter, so they are a total order that agrees with real time: an
//! operation that returned before another was invoked has the smaller tick.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// The tick at which an operation without a known end may still take effect.
pub const NEVER: u64 = u64::MAX;

/// How an operation ended, as its client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<V> {
    /// The server answered.
    Returned(V),
    /// Sent, and no answer: it may have happened, or happen later.
    Unknown,
    /// It was certainly not executed: the connection was refused, or the error guarantees it.
    Failed,
}

/// One operation from invocation to return.
#[derive(Debug, Clone)]
pub struct Operation<C, V> {
    /// Each client has one operation open at a time; after an unknown one its id is a new one.
    pub client: u64,
    /// The request.
    pub call: C,
    /// Tick of the invocation.
    pub invoked: u64,
    /// Tick of the return; [`NEVER`] when the outcome is unknown.
    pub returned: u64,
    /// The outcome.
    pub outcome: Outcome<V>,
}

/// A history being recorded by any number of clients.
#[derive(Debug)]
pub struct History<C, V> {
    shared: Arc<Shared<C, V>>,
}

#[derive(Debug)]
struct Shared<C, V> {
    ticks: AtomicU64,
    clients: AtomicU64,
    operations: Mutex<Vec<Operation<C, V>>>,
}

impl<C: Clone, V: Clone> History<C, V> {
    /// Nothing recorded yet.
    pub fn new() -> Self {
        let shared = Shared {
            ticks: AtomicU64::new(1),
            clients: AtomicU64::new(0),
            operations: Mutex::new(Vec::new()),
        };
        Self { shared: Arc::new(shared) }
    }

    /// A client that records its operations.
    pub fn client(&self) -> Client<C, V> {
        let shared = Arc::clone(&self.shared);
        Client { id: shared.next_client(), shared }
    }

    /// Everything so far, in order of invocation; open operations are unknown.
    pub fn operations(&self) -> Vec<Operation<C, V>> {
        let mut operations = self.shared.operations.lock().clone();
        operations.sort_by_key(|operation| operation.invoked);
        operations
    }

    /// How many operations returned, are unknown, and failed.
    pub fn counts(&self) -> (usize, usize, usize) {
        let mut counts = (0, 0, 0);
        for operation in self.shared.operations.lock().iter() {
            match operation.outcome {
                Outcome::Returned(_) => counts.0 += 1,
                Outcome::Unknown => counts.1 += 1,
                Outcome::Failed => counts.2 += 1,
            }
        }
        counts
    }
}

impl<C: Clone, V: Clone> Default for History<C, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C, V> Clone for History<C, V> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<C, V> Shared<C, V> {
    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst)
    }

    fn next_client(&self) -> u64 {
        self.clients.fetch_add(1, Ordering::SeqCst)
    }
}

/// Records the operations of one client.
#[derive(Debug)]
pub struct Client<C, V> {
    id: u64,
    shared: Arc<Shared<C, V>>,
}

impl<C: Clone, V: Clone> Client<C, V> {
    /// Records a request; call it before anything is sent.
    pub fn invoke(&mut self, call: C) -> Pending<'_, C, V> {
        let invoked = self.shared.tick();
        let operation = Operation {
            client: self.id,
            call,
            invoked,
            returned: NEVER,
            outcome: Outcome::Unknown,
        };
        let mut operations = self.shared.operations.lock();
        operations.push(operation);
        let index = operations.len() - 1;
        drop(operations);
        Pending { client: self, index, open: true }
    }
}

/// An open operation. Dropping it leaves it unknown.
#[derive(Debug)]
pub struct Pending<'a, C, V> {
    client: &'a mut Client<C, V>,
    index: usize,
    open: bool,
}

impl<C, V> Pending<'_, C, V> {
    /// The server returned this.
    pub fn returned(self, value: V) {
        self.close(Outcome::Returned(value));
    }

    /// It was certainly not executed.
    pub fn failed(self) {
        self.close(Outcome::Failed);
    }

    /// The outcome is unknown; the client continues under a new id.
    pub fn unknown(self) {
        drop(self);
    }

    fn close(mut self, outcome: Outcome<V>) {
        self.open = false;
        let tick = self.client.shared.tick();
        let mut operations = self.client.shared.operations.lock();
        let operation = &mut operations[self.index];
        operation.returned = tick;
        operation.outcome = outcome;
    }
}

impl<C, V> Drop for Pending<'_, C, V> {
    fn drop(&mut self) {
        if self.open {
            self.client.id = self.client.shared.next_client();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_operation_never_returns_and_its_client_continues_under_a_new_id() {
        let history = History::<&str, i32>::new();
        let mut client = history.client();
        client.invoke("a").returned(1);
        client.invoke("b").unknown();
        client.invoke("c").failed();
        let operations = history.operations();
        assert_eq!(history.counts(), (1, 1, 1));
        assert!(operations[0].returned < operations[1].invoked);
        assert_eq!(operations[1].returned, NEVER);
        assert_eq!(operations[0].client, operations[1].client);
        assert_ne!(operations[1].client, operations[2].client);
    }
}
