//! A store that applies at once and a node without cluster, for tests.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};

use futures::future::{BoxFuture, FutureExt};
use parking_lot::{Mutex, RwLock};

use super::{Failure, Store};
use crate::base::clock::{Clock, SystemClock};
use crate::base::config::LiveConfig;
use crate::base::credentials::Credentials;
use crate::base::ids::NodeId;
use crate::base::telemetry::Telemetry;
use crate::commands::args::Args;
use crate::commands::command::Run;
use crate::commands::context::WriteContext;
use crate::commands::node_control::NodeControl;
use crate::commands::request::{Call, Request, Unit, decode_units};
use crate::commands::table;
use crate::data::keyspace::Keyspace;
use crate::resp::{Reply, ReplyError};
use crate::services::cluster::{Member, MemberRole, RaftStatus};
use crate::services::sessions::Clients;

/// A keyspace that executes requests at once.
#[derive(Clone, Default)]
pub(crate) struct FakeStore(Arc<Inner>);

#[derive(Default)]
struct Inner {
    keyspace: RwLock<Keyspace>,
    applied: AtomicU64,
    follower: AtomicBool,
    barriers: AtomicU32,
    requests: Mutex<Vec<u32>>,
    failure: Mutex<Option<Failure>>,
}

impl FakeStore {
    /// From now on reads need a barrier and there is another leader.
    pub(crate) fn become_follower(&self) {
        self.0.follower.store(true, SeqCst);
    }

    /// The next request fails like this.
    pub(crate) fn fail_next(&self, failure: Failure) {
        *self.0.failure.lock() = Some(failure);
    }

    /// Units of each request so far.
    pub(crate) fn requests(&self) -> Vec<u32> {
        self.0.requests.lock().clone()
    }

    /// Barriers so far.
    pub(crate) fn barriers(&self) -> u32 {
        self.0.barriers.load(SeqCst)
    }

    fn execute(&self, request: &Request) -> Result<Vec<Reply>, Failure> {
        self.0.requests.lock().push(request.units);
        if let Some(failure) = self.0.failure.lock().take() {
            return Err(failure);
        }
        let index = self.0.applied.load(SeqCst) + 1;
        let mut keyspace = self.0.keyspace.write();
        let units = decode_units(&request.bytes).unwrap().map(Result::unwrap);
        let replies = units.map(|unit| execute_unit(&mut keyspace, &unit, index)).collect();
        self.0.applied.store(index, SeqCst);
        Ok(replies)
    }
}

fn execute_unit(keyspace: &mut Keyspace, unit: &Unit, index: u64) -> Reply {
    let now_ms = SystemClock.unix_ms();
    match unit {
        Unit::Call(call) => execute_call(keyspace, call, index, now_ms),
        Unit::Transaction { watches, calls } => {
            let changed = watches.iter().any(|watch| {
                let database = keyspace.database(watch.database);
                database.changed_since(&watch.key, watch.index, watch.existed, now_ms)
            });
            if changed {
                return Reply::NullArray;
            }
            let replies = calls.iter().map(|call| execute_call(keyspace, call, index, now_ms));
            Reply::Array(replies.collect())
        }
    }
}

fn execute_call(keyspace: &mut Keyspace, call: &Call, index: u64, now_ms: u64) -> Reply {
    let mut events = Vec::new();
    let mut context = WriteContext::new(keyspace, call.database, now_ms, index, index, &mut events);
    let args = Args::new(&call.args);
    let reply = match call.command.run {
        Run::Write(function) => function(&mut context, args),
        Run::Read(function) => function(&context.read(), args),
        _ => Err(ReplyError::new("ERR not a data command")),
    };
    reply.unwrap_or_else(Reply::Error)
}

impl Store for FakeStore {
    fn propose(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Vec<Reply>, Failure>> + Send + 'static {
        let store = self.clone();
        async move {
            tokio::task::yield_now().await;
            store.execute(&request)
        }
    }

    fn may_read_now(&self) -> bool {
        !self.0.follower.load(SeqCst)
    }

    async fn read_barrier(&self) -> Result<(), ReplyError> {
        self.0.barriers.fetch_add(1, SeqCst);
        Ok(())
    }

    fn stale_read_allowed(&self) -> Result<(), ReplyError> {
        Ok(())
    }

    fn keyspace(&self) -> &RwLock<Keyspace> {
        &self.0.keyspace
    }

    fn read_time_ms(&self) -> u64 {
        SystemClock.unix_ms()
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
            reachable: true,
        })
    }

    fn is_leader(&self) -> bool {
        !self.0.follower.load(SeqCst)
    }
}

/// A node around a [`FakeStore`].
pub(crate) struct FakeNode {
    store: FakeStore,
    clients: Clients,
    config: Arc<LiveConfig>,
    credentials: Credentials,
    telemetry: Arc<Telemetry>,
}

impl FakeNode {
    /// With default configuration and room for ten clients.
    pub(crate) fn new(store: FakeStore) -> Arc<Self> {
        let config = LiveConfig::defaults();
        let names = table::rows().iter().map(table::Resolved::full_name).collect();
        let telemetry = Telemetry::new(&config.load().telemetry, names, None);
        let (clients, credentials) = (Clients::new(10), Credentials::default());
        Arc::new(Self { store, clients, config, credentials, telemetry })
    }

    /// Changes a parameter as `CONFIG SET` does.
    pub(crate) fn set(&self, name: &str, value: &str) {
        let row = crate::base::config::parameters::all().find(|row| row.name == name).unwrap();
        self.config.set(&[(row, value.to_owned())]).unwrap();
    }
}

impl NodeControl for FakeNode {
    fn clock(&self) -> &dyn Clock {
        &SystemClock
    }

    fn clients(&self) -> &Clients {
        &self.clients
    }

    fn config(&self) -> &LiveConfig {
        &self.config
    }

    fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    fn keyspace(&self) -> &RwLock<Keyspace> {
        self.store.keyspace()
    }

    fn read_time_ms(&self) -> u64 {
        self.store.read_time_ms()
    }

    fn status(&self) -> RaftStatus {
        RaftStatus::default()
    }

    fn applied_index(&self) -> u64 {
        self.store.applied_index()
    }

    fn replicas_with(&self, _: u64) -> u32 {
        0
    }

    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ReplyError>> {
        async { Ok(()) }.boxed()
    }

    fn set_parameter<'a>(
        &'a self,
        _: &'a str,
        _: &'a [u8],
    ) -> BoxFuture<'a, Result<(), ReplyError>> {
        async { Ok(()) }.boxed()
    }

    fn checkpoint_now(&self) -> BoxFuture<'_, Result<(), ReplyError>> {
        async { Ok(()) }.boxed()
    }

    fn reload(&self) -> BoxFuture<'_, Result<(), ReplyError>> {
        async { Ok(()) }.boxed()
    }

    fn begin_checkpoint(&self) {}

    fn transfer_leader(&self, _: Option<NodeId>) -> BoxFuture<'_, Result<(), ReplyError>> {
        async { Ok(()) }.boxed()
    }

    fn shut_down(&self) {}
}
