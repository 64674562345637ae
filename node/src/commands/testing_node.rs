//! A node without consensus, network or disk, for tests of commands that ask the node.
#![allow(clippy::panic)]

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::{Mutex, RwLock};

use crate::base::clock::Clock;
use crate::base::config::LiveConfig;
use crate::base::credentials::Credentials;
use crate::base::ids::{ClientId, ClusterId, GroupId, NodeId};
use crate::base::telemetry::Telemetry;
use crate::data::keyspace::Keyspace;
use crate::resp::{Reply, ReplyError};
use crate::services::cluster::{Member, MemberRole, RaftRole, RaftStatus};
use crate::services::sessions::{Client, Clients, Session};

use super::args::Args;
use super::command::Run;
use super::context::NodeContext;
use super::node_control::NodeControl;
use super::table;

/// Everything a node command may see or ask for, in memory.
pub(crate) struct TestNode {
    pub(crate) clock: FixedClock,
    pub(crate) clients: Clients,
    pub(crate) config: Arc<LiveConfig>,
    credentials: Credentials,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) keyspace: RwLock<Keyspace>,
    pub(crate) status: Mutex<RaftStatus>,
    /// What was asked of the node, such as `shut down`.
    pub(crate) asked: Mutex<Vec<String>>,
}

/// Always the same moment.
#[derive(Debug)]
pub(crate) struct FixedClock(pub(crate) u64);

impl Clock for FixedClock {
    fn unix_us(&self) -> u64 {
        self.0
    }
}

impl TestNode {
    /// The leader of three, nothing written yet.
    pub(crate) fn new() -> Self {
        let config = LiveConfig::defaults();
        let names = table::rows().iter().map(table::Resolved::full_name).collect();
        let telemetry = Telemetry::new(&config.load().telemetry, names, None);
        Self {
            clock: FixedClock(1_700_000_000_123_456),
            clients: Clients::new(100),
            config,
            credentials: Credentials::default(),
            telemetry,
            keyspace: RwLock::default(),
            status: Mutex::new(three_nodes()),
            asked: Mutex::default(),
        }
    }

    /// Runs a node command as a fresh connection would.
    pub(crate) fn run<W: AsRef<[u8]>>(&self, words: impl IntoIterator<Item = W>) -> Reply {
        let words: Vec<Bytes> =
            words.into_iter().map(|word| Bytes::copy_from_slice(word.as_ref())).collect();
        let found = match table::find(&words) {
            Ok(found) => found,
            Err(unknown) => panic!("{words:?}: {unknown:?}"),
        };
        if !found.command.arity.accepts(words.len()) {
            return ReplyError::arity(&found.full_name()).into();
        }
        let Run::Node(function) = found.command.run else { panic!("{words:?} needs no node") };
        let client = Client::new(ClientId(1), "127.0.0.1:5".to_owned(), "127.0.0.1:6".to_owned());
        let session = Session::new(Arc::new(client), true);
        let context = NodeContext { node: self, session: &session };
        let reply = function(&context, Args::new(&words[found.words()..])).now_or_never();
        match reply {
            Some(reply) => reply.unwrap_or_else(Reply::Error),
            None => panic!("{words:?} waits"),
        }
    }

    /// The text of a bulk or verbatim reply.
    pub(crate) fn text<W: AsRef<[u8]>>(&self, words: impl IntoIterator<Item = W>) -> String {
        match self.run(words) {
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
        reachable: true,
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

impl NodeControl for TestNode {
    fn clock(&self) -> &dyn Clock {
        &self.clock
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
        &self.keyspace
    }

    fn read_time_ms(&self) -> u64 {
        self.clock.unix_ms()
    }

    fn status(&self) -> RaftStatus {
        self.status.lock().clone()
    }

    fn applied_index(&self) -> u64 {
        self.status.lock().applied
    }

    fn replicas_with(&self, index: u64) -> u32 {
        let status = self.status.lock();
        let have = |member: &&Member| {
            Some(member.node_id) != status.node_id && member.matched >= Some(index)
        };
        u32::try_from(status.members.iter().filter(have).count()).unwrap_or(0)
    }

    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ReplyError>> {
        done()
    }

    fn set_parameter<'a>(
        &'a self,
        name: &'a str,
        value: &'a [u8],
    ) -> BoxFuture<'a, Result<(), ReplyError>> {
        Box::pin(std::future::ready(self.keyspace.write().settings.set(name, value)))
    }

    fn checkpoint_now(&self) -> BoxFuture<'_, Result<(), ReplyError>> {
        self.asked.lock().push("checkpoint".to_owned());
        done()
    }

    fn reload(&self) -> BoxFuture<'_, Result<(), ReplyError>> {
        self.asked.lock().push("reload".to_owned());
        done()
    }

    fn begin_checkpoint(&self) {
        self.asked.lock().push("checkpoint".to_owned());
    }

    fn transfer_leader(&self, to: Option<NodeId>) -> BoxFuture<'_, Result<(), ReplyError>> {
        self.asked.lock().push(format!("transfer to {to:?}"));
        done()
    }

    fn shut_down(&self) {
        self.asked.lock().push("shut down".to_owned());
    }
}
