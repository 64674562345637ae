//! A store that applies requests at once, and a node with it, for tests.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};

use parking_lot::Mutex;

use super::{Failure, Proposer, ReadControl, Replica};
use crate::base::clock::{Clock, SystemClock};
use crate::base::group_time::GroupTime;
use crate::base::ids::NodeId;
use crate::commands::Executed;
use crate::commands::request::{Request, decode_units};
use crate::commands::run::NodeServices;
use crate::commands::run::execute::{EntryContext, execute};
use crate::commands::testing::TestNode;
use crate::data::keyspace::KeyspaceLock;
use crate::resp::ReplyError;
use crate::services::cluster::{Contact, Member, MemberRole, RaftStatus};

/// A keyspace that executes requests at once.
#[derive(Clone, Default)]
pub(crate) struct FakeStore(Arc<Inner>);

#[derive(Default)]
struct Inner {
    keyspace: Arc<KeyspaceLock>,
    applied: AtomicU64,
    in_entry: AtomicBool,
    applied_time_ms: AtomicU64,
    follower: AtomicBool,
    barriers: AtomicU32,
    requests: Mutex<Vec<u32>>,
    failure: Mutex<Option<Failure>>,
    times_us: Mutex<Vec<u32>>,
}

impl FakeStore {
    /// From now on another node is the leader, and reads need a barrier.
    pub(crate) fn become_follower(&self) {
        self.0.follower.store(true, SeqCst);
    }

    /// Lets the next request fail with this error.
    pub(crate) fn fail_next(&self, failure: Failure) {
        *self.0.failure.lock() = Some(failure);
    }

    /// Sets whether the requests from now on are parts of one entry that is not applied completely.
    pub(crate) fn set_in_entry(&self, in_entry: bool) {
        self.0.in_entry.store(in_entry, SeqCst);
        if !in_entry {
            self.0.applied.fetch_add(1, SeqCst);
        }
    }

    /// The times, in microseconds, that requests report for their commands from now on.
    pub(crate) fn set_times_us(&self, times_us: &[u32]) {
        *self.0.times_us.lock() = times_us.to_vec();
    }

    /// Simulates that an entry with this time was applied, Unix milliseconds.
    pub(crate) fn apply_at(&self, time_ms: u64) {
        self.0.applied_time_ms.store(time_ms, SeqCst);
    }

    /// Number of units of each request so far.
    pub(crate) fn requests(&self) -> Vec<u32> {
        self.0.requests.lock().clone()
    }

    /// Number of barriers so far.
    pub(crate) fn barriers(&self) -> u32 {
        self.0.barriers.load(SeqCst)
    }

    fn execute(&self, request: &Request) -> Result<Executed, Failure> {
        self.0.requests.lock().push(request.units);
        if let Some(failure) = self.0.failure.lock().take() {
            return Err(failure);
        }
        let index = self.0.applied.load(SeqCst) + 1;
        let mut keyspace = self.0.keyspace.write();
        let mut entry = EntryContext::new(index, SystemClock.unix_ms(), index);
        let units = decode_units(&request.bytes).unwrap().map(Result::unwrap);
        let replies = units
            .map(|unit| execute(&unit, &mut keyspace, &mut entry, &mut Vec::new(), || ()))
            .collect();
        if !self.0.in_entry.load(SeqCst) {
            self.0.applied.store(index, SeqCst);
        }
        Ok(Executed { replies, index, times_us: self.0.times_us.lock().clone() })
    }
}

impl Proposer for FakeStore {
    fn propose(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Executed, Failure>> + Send + 'static {
        let store = self.clone();
        async move {
            tokio::task::yield_now().await;
            store.execute(&request)
        }
    }
}

impl ReadControl for FakeStore {
    async fn catch_up(&self) -> Result<(), ReplyError> {
        Ok(())
    }

    fn may_read_now(&self) -> bool {
        !self.0.follower.load(SeqCst)
    }

    fn leader_time(&self) -> GroupTime {
        GroupTime::new(0, SystemClock.unix_ms())
    }

    fn note_read(&self, _: GroupTime) {}

    async fn read_barrier(&self) -> Result<GroupTime, ReplyError> {
        self.0.barriers.fetch_add(1, SeqCst);
        Ok(self.leader_time())
    }

    fn stale_read_allowed(&self) -> Result<(), ReplyError> {
        Ok(())
    }

    fn stale_time(&self) -> GroupTime {
        self.leader_time()
    }
}

impl Replica for FakeStore {
    fn keyspace(&self) -> &KeyspaceLock {
        &self.0.keyspace
    }

    fn loads(&self) -> u64 {
        0
    }

    fn applied_time(&self) -> GroupTime {
        GroupTime::new(0, self.0.applied_time_ms.load(SeqCst))
    }

    fn applied_index(&self) -> u64 {
        self.0.applied.load(SeqCst)
    }

    fn leader(&self) -> Option<Member> {
        Some(Member {
            node_id: NodeId(1),
            role: MemberRole::Voter,
            raft_address: "127.0.0.1:7001".to_owned(),
            client_address: "127.0.0.1:7000".to_owned(),
            http_address: "127.0.0.1:7002".to_owned(),
            matched: None,
            contact: Contact::Answers,
        })
    }

    fn is_leader(&self) -> bool {
        !self.0.follower.load(SeqCst)
    }
}

impl FakeStore {
    /// A node with this store and the default configuration.
    pub(crate) fn node(&self) -> Arc<NodeServices> {
        let keyspace = self.0.keyspace.clone();
        TestNode::with(Arc::new(SystemClock), keyspace, RaftStatus::default()).services
    }
}

/// Changes a parameter of a node as `CONFIG SET` does.
pub(crate) fn set_parameter(node: &NodeServices, name: &str, value: &str) {
    let row = crate::base::config::parameters::all().find(|row| row.name == name).unwrap();
    node.config.set(&[(row, value.to_owned())]).unwrap();
}
