#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ironkv_proto::admin::v1::Role;
use tokio::net::TcpListener;

use super::serve;
use crate::base::clock::SystemClock;
use crate::base::config::{LiveConfig, Sources, load};
use crate::base::disk::RealDisk;
use crate::base::feature_level::FeatureLevel;
use crate::base::ids::{DatabaseId, GroupId, NodeId};
use crate::base::net::TcpNet;
use crate::base::shutdown::{self, ShutdownSender};
use crate::base::telemetry::Metrics;
use crate::base::threads::RealThreads;
use crate::commands::request::{Request, RequestBuilder};
use crate::commands::table;
use crate::consensus::log::LogOptions;
use crate::consensus::{
    Change, ChangeError, Expected, Group, GroupOptions, MemberAddresses, ProposeError, StartError,
};
use crate::resp::Reply;

const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) struct TestNode {
    pub(super) group: Group,
    pub(super) config: Arc<LiveConfig>,
    shutdown: ShutdownSender,
    directory: PathBuf,
    port: u16,
}

pub(super) async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

fn config() -> Arc<LiveConfig> {
    let timings = [
        ("raft.heartbeat_ms", "60"),
        ("raft.election_timeout_min_ms", "600"),
        ("raft.election_timeout_max_ms", "800"),
    ];
    let flags = timings.map(|(key, text)| (key.to_owned(), text.to_owned())).to_vec();
    let sources = Sources { flags, ..Sources::default() };
    LiveConfig::new(load(&sources).unwrap(), sources)
}

fn options(directory: &Path, port: u16) -> GroupOptions {
    let address = format!("127.0.0.1:{port}");
    GroupOptions {
        group_id: GroupId::FIRST,
        directory: directory.to_owned(),
        addresses: MemberAddresses { raft: address.clone(), client: address, http: String::new() },
        config: config(),
        log: LogOptions { segment_bytes: 1 << 20, ..LogOptions::default() },
        disk: Arc::new(RealDisk),
        net: Arc::new(TcpNet),
        clock: Arc::new(SystemClock),
        threads: Arc::new(RealThreads),
        observer: None,
        metrics: Metrics::new(Vec::new()),
        seed: 7,
    }
}

impl TestNode {
    pub(super) async fn start(directory: PathBuf, port: u16) -> Result<Self, StartError> {
        std::fs::create_dir_all(&directory).unwrap();
        let options = options(&directory, port);
        let config = options.config.clone();
        let group = Group::start(options).await?;
        let (shutdown, signal) = shutdown::channel();
        let address = format!("127.0.0.1:{port}");
        // The listener of a node that ran here before may take a moment to close.
        let listen = || async {
            serve(Arc::new(TcpNet), address.clone(), group.clone(), signal.clone()).await.ok()
        };
        eventually("free address", listen).await;
        Ok(Self { group, config, shutdown, directory, port })
    }

    pub(super) async fn stop(self) -> (PathBuf, u16) {
        self.group.stop().await;
        self.shutdown.stop();
        (self.directory, self.port)
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

pub(super) struct TestCluster {
    _root: tempfile::TempDir,
    pub(super) nodes: Vec<TestNode>,
}

impl TestCluster {
    pub(super) async fn start(size: usize) -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut nodes = Vec::new();
        for number in 0..size {
            let directory = root.path().join(format!("node-{number}"));
            nodes.push(TestNode::start(directory, free_port().await).await.unwrap());
        }
        nodes[0].group.init(None).await.unwrap();
        let cluster = Self { _root: root, nodes };
        for number in 1..size {
            cluster.join(number).await;
        }
        cluster
    }

    /// Makes an empty node a voter.
    async fn join(&self, number: usize) -> NodeId {
        let seeds = [self.nodes[0].address()];
        // On a busy machine an election may interfere; the join is then repeated.
        let attempt = || async { self.nodes[number].group.join(&seeds, None).await.ok() };
        let identity = eventually("member", attempt).await;
        self.change(Change::Promote(identity.node_id)).await;
        identity.node_id
    }

    async fn change(&self, change: Change) {
        let attempt = || async {
            let changed = self.nodes[0].group.change(change.clone(), Expected::Any, false).await;
            // A change with an unknown outcome may have been made, or the next leader may complete
            // it.
            let is_made = |error: &ChangeError| error.to_string().ends_with("votes already");
            match changed {
                Err(error) if !is_made(&error) => {
                    eprintln!("{change:?}: {error}");
                    None
                }
                _ => Some(()),
            }
        };
        eventually(&format!("{change:?}"), attempt).await;
    }

    pub(super) async fn leader(&self) -> usize {
        let leader = || async { self.nodes.iter().position(|node| node.group.is_leader()) };
        eventually("a leader", leader).await
    }
}

pub(super) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut attempt: impl FnMut() -> F,
) -> T {
    let deadline = tokio::time::Instant::now() + TIMEOUT;
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "no {what} within the timeout");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(super) fn request(words: &[&str]) -> Request {
    let args: Vec<Bytes> =
        words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
    let resolved = table::find_named(b"", words[0].as_bytes()).unwrap();
    let mut builder = RequestBuilder::new();
    builder.call(DatabaseId(0), &resolved, &args[1..]);
    builder.finish()
}

/// Retries only what was certainly not executed.
pub(super) async fn run(group: &Group, words: &[&str]) -> Reply {
    let attempt = || async {
        match group.propose(request(words)).await {
            Ok(executed) => Some(executed.replies.into_iter().next().unwrap()),
            Err(ProposeError::NotExecuted(_)) => None,
            Err(ProposeError::Unknown) => panic!("unknown outcome"),
        }
    };
    eventually("reply", attempt).await
}

async fn read(group: &Group, key: &str) -> Option<String> {
    eventually("read barrier", || async { group.read_barrier().await.ok() }).await;
    let keyspace = group.keyspace().read();
    let object = keyspace.database(DatabaseId(0)).find(key.as_bytes(), group.stale_time().ms())?;
    match &object.value {
        crate::data::types::Value::String(value) => {
            Some(String::from_utf8_lossy(&value.bytes()).into_owned())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn three_nodes_execute_writes_and_read_them_everywhere() {
    let cluster = TestCluster::start(3).await;
    for (number, node) in cluster.nodes.iter().enumerate() {
        let value = format!("from {number}");
        assert_eq!(run(&node.group, &["SET", "key", &value]).await, Reply::OK);
        for other in &cluster.nodes {
            assert_eq!(read(&other.group, "key").await.as_deref(), Some(value.as_str()));
        }
    }
    let leader = cluster.leader().await;
    let gate = || async { cluster.nodes[leader].group.may_read_now().then_some(()) };
    eventually("open read gate", gate).await;
}

#[tokio::test]
async fn a_stopped_leader_is_replaced_and_catches_up_after_its_restart() {
    let mut cluster = TestCluster::start(3).await;
    assert_eq!(run(&cluster.nodes[0].group, &["SET", "a", "1"]).await, Reply::OK);
    let leader = cluster.leader().await;
    let (directory, port) = cluster.nodes.remove(leader).stop().await;
    assert_eq!(run(&cluster.nodes[0].group, &["SET", "a", "2"]).await, Reply::OK);
    let again = TestNode::start(directory, port).await.unwrap();
    assert_eq!(read(&again.group, "a").await.as_deref(), Some("2"));
    assert_eq!(run(&again.group, &["SET", "a", "3"]).await, Reply::OK);
    assert_eq!(read(&cluster.nodes[1].group, "a").await.as_deref(), Some("3"));
}

#[tokio::test]
async fn one_node_restarts_from_its_checkpoint_and_its_log() {
    let mut cluster = TestCluster::start(1).await;
    let node = &cluster.nodes[0].group;
    assert_eq!(run(node, &["SET", "before", "1"]).await, Reply::OK);
    node.checkpoint_now().await.unwrap();
    assert_eq!(run(node, &["SET", "after", "2"]).await, Reply::OK);
    let (directory, port) = cluster.nodes.remove(0).stop().await;
    let again = TestNode::start(directory, port).await.unwrap();
    assert_eq!(read(&again.group, "before").await.as_deref(), Some("1"));
    assert_eq!(read(&again.group, "after").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_reload_puts_the_content_of_a_new_checkpoint_in_place() {
    let cluster = TestCluster::start(1).await;
    let node = &cluster.nodes[0].group;
    // A new cluster writes to its log by itself, which makes another checkpoint necessary.
    let registered = || async { (node.status().incarnation_index > 0).then_some(()) };
    eventually("registered incarnation", registered).await;
    assert_eq!(run(node, &["SET", "a", "1"]).await, Reply::OK);
    // This change is not in the log, so only the checkpoint can bring it back.
    let object = node.keyspace().read().database(DatabaseId(0)).find(b"a", 0).unwrap().clone();
    node.keyspace().write().database_mut(DatabaseId(0)).insert("unlogged", object);
    let before = node.keyspace().read().digest();
    let written = node.status().checkpoints;
    node.reload().await.unwrap();
    assert_eq!(node.status().checkpoints, written + 1);
    assert_eq!(node.keyspace().read().digest(), before);
    assert_eq!(run(node, &["SET", "a", "2"]).await, Reply::OK);
    assert_eq!(read(node, "a").await.as_deref(), Some("2"));
    assert_eq!(read(node, "unlogged").await.as_deref(), Some("1"));
    // Nothing new to write: the same file is read again, and what it does not contain is gone.
    node.reload().await.unwrap();
    node.keyspace().write().database_mut(DatabaseId(0)).remove(b"unlogged", 1);
    node.reload().await.unwrap();
    assert_eq!(read(node, "unlogged").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn leadership_is_transferred_on_request() {
    let cluster = TestCluster::start(3).await;
    let old = cluster.leader().await;
    let caught_up = || async {
        cluster.nodes[old].group.transfer_leader(None, Expected::Any, false).await.ok()
    };
    eventually("leadership transfer", caught_up).await;
    assert!(!cluster.nodes[old].group.may_read_now());
    let moved = || async { (cluster.leader().await != old).then_some(()) };
    eventually("new leader", moved).await;
    assert_eq!(run(&cluster.nodes[old].group, &["SET", "key", "value"]).await, Reply::OK);
}

#[tokio::test]
async fn members_come_and_go_and_a_removed_one_never_comes_back() {
    let mut cluster = TestCluster::start(3).await;
    let leader = cluster.leader().await;
    let goes = cluster.nodes.remove((leader + 1) % 3);
    let id = goes.group.identity().unwrap().node_id;
    cluster.change(Change::Remove(id)).await;
    let back = Change::AddLearner(id, goes.group.addresses().clone(), FeatureLevel::HIGHEST);
    let leader = cluster.leader().await;
    let refused = cluster.nodes[leader].group.change(back, Expected::Any, false).await;
    assert!(refused.is_err(), "{refused:?}");
    let last = cluster.nodes[leader].group.identity().unwrap().node_id;
    let refused = cluster.nodes[leader].group.change(Change::Remove(last), Expected::Any, false);
    assert!(refused.await.is_err(), "the leader must not remove itself");
    assert_eq!(run(&cluster.nodes[0].group, &["SET", "key", "value"]).await, Reply::OK);
}

#[tokio::test]
async fn a_removed_node_reports_its_removal() {
    a_removed_node_reports_it(|_| Vec::new()).await;
}

/// A learner asks for no votes, so it does not learn of its removal by a vote.
#[tokio::test]
async fn a_removed_learner_reports_its_removal() {
    a_removed_node_reports_it(|id| vec![Change::Demote(id)]).await;
}

async fn a_removed_node_reports_it(changes_before: impl Fn(NodeId) -> Vec<Change>) {
    let cluster = TestCluster::start(3).await;
    let removed = &cluster.nodes[(cluster.leader().await + 1) % 3].group;
    let id = removed.identity().unwrap().node_id;
    for change in changes_before(id).into_iter().chain([Change::Remove(id)]) {
        cluster.change(change).await;
    }
    let reported =
        || async { Some(removed.admin_status()).filter(|status| status.removed.is_some()) };
    let status = eventually("report of the removal", reported).await;
    assert_eq!((status.role(), status.ready), (Role::Removed, false));
    assert!(status.removed.is_some_and(|reason| reason.contains("removed")));
}

#[tokio::test]
async fn a_checkpoint_that_is_asked_for_at_the_end_of_another_is_written_too() {
    let cluster = TestCluster::start(1).await;
    let group = &cluster.nodes[0].group;
    for number in 0..20 {
        assert_eq!(run(group, &["SET", "key", &number.to_string()]).await, Reply::OK);
        let written = tokio::time::timeout(TIMEOUT, group.checkpoint_now()).await;
        assert!(written.is_ok_and(|result| result.is_ok()), "checkpoint {number} never came");
    }
}

#[tokio::test]
async fn a_change_that_was_left_halfway_is_finished() {
    let cluster = TestCluster::start(3).await;
    let group = &cluster.nodes[cluster.leader().await].group;
    let ids = cluster.nodes.iter().map(|node| node.group.identity().unwrap().node_id);
    let leader = group.identity().unwrap().node_id;
    let others: Vec<NodeId> = ids.filter(|id| *id != leader).collect();
    group.leave_halfway([leader, others[0]].into()).await;
    let voter_again =
        || async { group.change(Change::Promote(others[1]), Expected::Any, false).await.ok() };
    eventually("end of the change", voter_again).await;
}

#[tokio::test]
async fn a_learner_behind_the_purged_log_gets_a_snapshot() {
    let root = tempfile::tempdir().unwrap();
    let first = TestNode::start(root.path().join("a"), free_port().await).await.unwrap();
    first.group.init(None).await.unwrap();
    assert_eq!(run(&first.group, &["SET", "key", "value"]).await, Reply::OK);
    first.group.checkpoint_now().await.unwrap();
    // The core learns of the checkpoint after it is current, and purges only behind it.
    let purged = || async {
        first.group.purge_log_for_test().await;
        (first.group.status().purged > 0).then_some(())
    };
    eventually("purged log", purged).await;
    let second = TestNode::start(root.path().join("b"), free_port().await).await.unwrap();
    second.group.join(&[first.address()], None).await.unwrap();
    let arrived =
        || async { (read(&second.group, "key").await.as_deref() == Some("value")).then_some(()) };
    eventually("snapshot", arrived).await;
    assert!(second.group.status().checkpoint_index > 0);
}
