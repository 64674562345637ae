//! A node without consensus, network or disk, for tests of commands and of dispatch.
#![allow(clippy::panic)]

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;

use crate::base::clock::Clock;
use crate::base::config::LiveConfig;
use crate::base::credentials::Credentials;
use crate::base::ids::{ClientId, ClusterId, GroupId, NodeId};
use crate::base::shutdown;
use crate::base::telemetry::Telemetry;
use crate::commands::args::Args;
use crate::commands::declare::Run;
use crate::commands::run::ports::{ClusterControl, FlushGoal, Flushed, StorageControl};
use crate::commands::run::{NodeContext, NodeServices, Waiting};
use crate::commands::table;
use crate::data::keyspace::KeyspaceLock;
use crate::resp::{Reply, ReplyError};
use crate::services::cluster::{Contact, Member, MemberRole, RaftRole, RaftStatus};
use crate::services::sessions::{Client, Clients, Session};

/// A node with fake ports.
pub(crate) struct TestNode {
    pub(crate) services: Arc<NodeServices>,
    pub(crate) keyspace: Arc<KeyspaceLock>,
    pub(crate) status: Arc<Mutex<RaftStatus>>,
    /// The calls of the ports, such as `reload`.
    pub(crate) asked: Requests,
}

/// The calls of the fake ports, in order.
pub(crate) type Requests = Arc<Mutex<Vec<String>>>;

/// Always returns the same time.
#[derive(Debug)]
struct FixedClock(u64);

impl Clock for FixedClock {
    fn unix_us(&self) -> u64 {
        self.0
    }

    fn boot_us(&self) -> u64 {
        0
    }

    fn awake_us(&self) -> u64 {
        0
    }
}

impl Deref for TestNode {
    type Target = NodeServices;

    fn deref(&self) -> &NodeServices {
        &self.services
    }
}

impl TestNode {
    /// The leader of three at a fixed time; nothing is written yet.
    pub(crate) fn new() -> Self {
        let clock = Arc::new(FixedClock(1_700_000_000_123_456));
        Self::with(clock, Arc::default(), three_nodes())
    }

    /// A node around a keyspace.
    pub(crate) fn with(
        clock: Arc<dyn Clock>,
        keyspace: Arc<KeyspaceLock>,
        status: RaftStatus,
    ) -> Self {
        let config = LiveConfig::defaults();
        let telemetry = Telemetry::new(&config.load().telemetry, table::names(), None);
        let (status, asked) = (Arc::new(Mutex::new(status)), Requests::default());
        let (shutdown, _) = shutdown::channel();
        let services = NodeServices {
            clock: clock.clone(),
            clients: Clients::new(100),
            config,
            credentials: Credentials::default(),
            telemetry,
            cluster: Arc::new(FakeCluster {
                status: status.clone(),
                keyspace: keyspace.clone(),
                asked: asked.clone(),
            }),
            storage: Arc::new(FakeStorage {
                clock,
                keyspace: keyspace.clone(),
                asked: asked.clone(),
            }),
            shutdown,
        };
        Self { services: Arc::new(services), keyspace, status, asked }
    }

    /// Runs a node command as on a new connection.
    pub(crate) fn run<A: AsRef<[u8]>>(&self, argv: impl IntoIterator<Item = A>) -> Reply {
        let argv: Vec<Bytes> =
            argv.into_iter().map(|arg| Bytes::copy_from_slice(arg.as_ref())).collect();
        let found = match table::find(&argv) {
            Ok(found) => found,
            Err(unknown) => panic!("{argv:?}: {unknown:?}"),
        };
        if !found.command.arity.accepts(argv.len()) {
            return ReplyError::arity(&found.full_name()).into();
        }
        let args = Args::new(&argv[found.name_len()..]);
        let client = Client::new(ClientId(1), "127.0.0.1:5".to_owned(), "127.0.0.1:6".to_owned());
        let session = Session::new(Arc::new(client), true);
        let context =
            NodeContext { node: &self.services, session: &session, waiting: Waiting::Allowed };
        let reply = match found.command.run {
            Run::Describe(function) => Some(function(table::all(), args)),
            Run::Node(function) => function(&context, args).now_or_never(),
            _ => panic!("{argv:?} needs no node"),
        };
        match reply {
            Some(reply) => reply.unwrap_or_else(Reply::Error),
            None => panic!("{argv:?} waits"),
        }
    }

    /// The text of a bulk or verbatim reply.
    pub(crate) fn text<A: AsRef<[u8]>>(&self, argv: impl IntoIterator<Item = A>) -> String {
        match self.run(argv) {
            Reply::Bulk(text) | Reply::Verbatim(_, text) => {
                String::from_utf8_lossy(&text).into_owned()
            }
            other => panic!("{other:?} is no text"),
        }
    }
}

/// Node 1 leads 2 and 3.
fn three_nodes() -> RaftStatus {
    let member = |id: u64| Member {
        node_id: NodeId(id),
        role: MemberRole::Voter,
        raft_address: format!("kv-{id}:6380"),
        client_address: format!("kv-{id}:6379"),
        http_address: format!("kv-{id}:8080"),
        matched: Some(7),
        contact: Contact::Answers,
    };
    RaftStatus {
        node_id: Some(NodeId(1)),
        cluster_id: Some(ClusterId("0123456789abcdef0123456789abcdef".to_owned())),
        group: Some(GroupId::FIRST),
        term: 3,
        role: RaftRole::Leader,
        leader: Some(NodeId(1)),
        last_log: 9,
        committed: 8,
        applied: 8,
        leader_contact_ms: Some(0),
        members: (1..=3).map(member).collect(),
        ..RaftStatus::default()
    }
}

fn done<'a>() -> BoxFuture<'a, Result<(), ReplyError>> {
    Box::pin(std::future::ready(Ok(())))
}

/// A cluster whose state changes only when a test changes it.
struct FakeCluster {
    status: Arc<Mutex<RaftStatus>>,
    keyspace: Arc<KeyspaceLock>,
    asked: Requests,
}

impl ClusterControl for FakeCluster {
    fn status(&self) -> RaftStatus {
        self.status.lock().clone()
    }

    fn wait_to_hear_leader(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ReplyError>> {
        done()
    }

    fn wait_flushed(&self, goal: FlushGoal) -> BoxFuture<'_, Flushed> {
        Box::pin(async move {
            let others = {
                let status = self.status.lock();
                let others = status.members.iter().filter(|member| {
                    Some(member.node_id) != status.node_id && member.matched >= Some(status.applied)
                });
                u32::try_from(others.count()).unwrap_or(0)
            };
            // The log does not advance here, so a wait ends only by its timeout.
            if (goal.here || goal.others > 0) && others < goal.others {
                match goal.until {
                    Some(end) => tokio::time::sleep_until(end).await,
                    None => std::future::pending().await,
                }
            }
            Flushed { here: true, others }
        })
    }

    fn transfer_leader(&self, to: Option<NodeId>) -> BoxFuture<'_, Result<(), ReplyError>> {
        self.asked.lock().push(format!("transfer to {to:?}"));
        done()
    }

    fn change_parameters<'a>(
        &'a self,
        parameters: &'a [(&'a str, &'a [u8])],
    ) -> BoxFuture<'a, Result<(), ReplyError>> {
        let names: Vec<&str> = parameters.iter().map(|(name, _)| *name).collect();
        self.asked.lock().push(format!("parameters {}", names.join(" ")));
        let settings = &mut self.keyspace.write().settings;
        let mut set = parameters.iter().map(|(name, value)| settings.set(name, value));
        Box::pin(std::future::ready(set.find(Result::is_err).unwrap_or(Ok(()))))
    }
}

/// A keyspace without checkpoints.
struct FakeStorage {
    clock: Arc<dyn Clock>,
    keyspace: Arc<KeyspaceLock>,
    asked: Requests,
}

impl StorageControl for FakeStorage {
    fn keyspace(&self) -> &KeyspaceLock {
        &self.keyspace
    }

    fn read_time_ms(&self) -> u64 {
        self.clock.unix_ms()
    }

    fn checkpoint_now(&self) -> BoxFuture<'_, Result<(), ReplyError>> {
        self.begin_checkpoint();
        done()
    }

    fn begin_checkpoint(&self) {
        self.asked.lock().push("checkpoint".to_owned());
    }

    fn reload(&self) -> BoxFuture<'_, Result<(), ReplyError>> {
        self.asked.lock().push("reload".to_owned());
        done()
    }
}
