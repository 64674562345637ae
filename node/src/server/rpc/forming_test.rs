//! Creating and joining a cluster: repeated, interrupted, and with seeds that do not help.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use ironkv_proto::admin::v1::Role;
use tokio::net::TcpListener;

use super::tests::{TestCluster, TestNode, eventually, free_port};
use crate::base::disk::RealDisk;
use crate::base::ids::ClusterId;
use crate::consensus::{ChangeError, Group};
use crate::data::meta::Meta;

async fn empty_node(root: &Path, name: &str) -> TestNode {
    TestNode::start(root.join(name), free_port().await).await.unwrap()
}

async fn first_node(root: &Path, name: &str) -> TestNode {
    let node = empty_node(root, name).await;
    node.group.init(None).await.unwrap();
    eventually("a ready node", || async { node.group.admin_status().ready.then_some(()) }).await;
    node
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, ChangeError>) -> String {
    match outcome {
        Err(ChangeError::Refused(text)) => text,
        other => panic!("not refused: {other:?}"),
    }
}

fn membership_index(group: &Group) -> u64 {
    group.admin_status().membership.unwrap().index
}

#[tokio::test]
async fn a_cluster_begins_once() {
    let root = tempfile::tempdir().unwrap();
    let node = empty_node(root.path(), "a").await;
    let status = node.group.admin_status();
    assert_eq!((status.role(), status.cluster_id, status.ready), (Role::Empty, None, false));
    assert!(refusal(node.group.init(Some(ClusterId("no id".to_owned()))).await).contains("32"));
    let wanted = || Some(ClusterId("c".repeat(32)));
    let first = node.group.init(wanted()).await.unwrap();
    let last_log = node.group.status().last_log;
    for again in [wanted(), None] {
        assert_eq!(node.group.init(again).await.unwrap(), first);
    }
    assert_eq!(node.group.status().last_log, last_log, "a second call changes nothing");
    let other = node.group.init(Some(ClusterId("d".repeat(32)))).await;
    assert!(refusal(other).contains(&"c".repeat(32)));
    let learner = empty_node(root.path(), "b").await;
    learner.group.join(&[node.address()], wanted()).await.unwrap();
    assert!(refusal(learner.group.init(wanted()).await).contains("has joined"));
}

#[tokio::test]
async fn a_member_that_joins_again_keeps_its_role() {
    let root = tempfile::tempdir().unwrap();
    let (first, second) = (first_node(root.path(), "a").await, empty_node(root.path(), "b").await);
    let identity = second.group.join(&[first.address()], None).await.unwrap();
    let known = || async { (second.group.status().own_member().is_some()).then_some(()) };
    eventually("membership", known).await;
    let at = membership_index(&first.group);
    let own = Some(identity.cluster_id.clone());
    let unused = [format!("127.0.0.1:{}", free_port().await)];
    assert_eq!(second.group.join(&unused, own).await.unwrap(), identity);
    let other = Some(ClusterId("d".repeat(32)));
    assert!(refusal(second.group.join(&unused, other).await).contains(&identity.cluster_id.0));
    assert_eq!(first.group.join(&[second.address()], None).await.unwrap().node_id.0, 1);
    assert_eq!(membership_index(&first.group), at, "a second call changes nothing");
}

#[tokio::test]
async fn a_join_that_was_left_halfway_is_finished() {
    let root = tempfile::tempdir().unwrap();
    let first = first_node(root.path(), "a").await;
    let (cluster_id, node_id) = first.group.allocate_node_id(false).await.unwrap();
    let directory = root.path().join("b");
    // A node has a log before it has an identity: that of another node, which is empty.
    let _empty = empty_node(root.path(), "c").await;
    let [log, empty_log] = ["b", "c"].map(|name| root.path().join(name).join("group-0/log"));
    std::fs::create_dir_all(&log).unwrap();
    let segment = "segment-00000000000000000001";
    std::fs::copy(empty_log.join(segment), log.join(segment)).unwrap();
    let meta = Meta::open(&RealDisk, &directory).unwrap();
    meta.update(|facts| {
        facts.node_id = Some(node_id);
        facts.cluster_id = Some(cluster_id.clone());
    })
    .unwrap();
    drop(meta);
    let second = TestNode::start(directory, free_port().await).await.unwrap();
    let status = second.group.admin_status();
    assert_eq!((status.role(), status.ready), (Role::Empty, false));
    assert_eq!(status.cluster_id.as_ref(), Some(&cluster_id.0));
    let identity = second.group.join(&[first.address()], None).await.unwrap();
    assert_eq!((identity.node_id, &identity.cluster_id), (node_id, &cluster_id));
    let ready = || async { Some(second.group.admin_status()).filter(|status| status.ready) };
    assert_eq!(eventually("a ready learner", ready).await.role(), Role::Learner);
}

#[tokio::test]
async fn a_client_may_disconnect_while_a_node_joins() {
    let root = tempfile::tempdir().unwrap();
    let first = first_node(root.path(), "a").await;
    for timeout_ms in [0, 1, 3, 6, 12] {
        let node = empty_node(root.path(), &format!("b-{timeout_ms}")).await;
        let seeds = [first.address()];
        let timeout = Duration::from_millis(timeout_ms);
        let _left = tokio::time::timeout(timeout, node.group.join(&seeds, None)).await;
        let identity = node.group.join(&seeds, None).await.unwrap();
        assert_eq!(node.group.status().node_id, Some(identity.node_id));
        let (directory, port) = node.stop().await;
        let again = TestNode::start(directory, port).await.unwrap();
        assert_eq!(again.group.identity().unwrap(), identity);
    }
}

#[tokio::test]
async fn seeds_that_are_dead_silent_or_empty_do_not_keep_a_node_from_joining() {
    let root = tempfile::tempdir().unwrap();
    let first = first_node(root.path(), "a").await;
    let (second, empty) = (empty_node(root.path(), "b").await, empty_node(root.path(), "c").await);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let seeds = [
        format!("127.0.0.1:{}", free_port().await),
        silent.local_addr().unwrap().to_string(),
        "no-such-host.invalid:6380".to_owned(),
        second.address(),
        empty.address(),
    ];
    let without = second.group.join(&seeds, None).await;
    assert!(refusal(without).contains("belongs to no cluster yet"));
    let with: Vec<String> = seeds.into_iter().chain([first.address()]).collect();
    let joined = tokio::time::timeout(Duration::from_secs(10), second.group.join(&with, None));
    joined.await.expect("at most nine seconds").unwrap();
}

#[tokio::test]
async fn seeds_of_another_cluster_are_refused_and_get_no_request() {
    let root = tempfile::tempdir().unwrap();
    let (other, node) = (first_node(root.path(), "a").await, empty_node(root.path(), "b").await);
    let before = other.group.status().last_log;
    let expected = Some(ClusterId("d".repeat(32)));
    let text = refusal(node.group.join(&[other.address()], expected).await);
    assert!(text.contains(&other.group.identity().unwrap().cluster_id.0), "{text}");
    assert_eq!((node.group.identity(), other.group.status().last_log), (None, before));
}

#[tokio::test]
async fn a_member_that_has_moved_is_known_by_its_new_address_after_it_is_added_again() {
    let mut cluster = TestCluster::start(3).await;
    let moved = cluster.nodes.pop().unwrap();
    let id = moved.group.identity().unwrap().node_id;
    let seeds = [cluster.nodes[0].address(), cluster.nodes[1].address()];
    let (directory, _) = moved.stop().await;
    let node = TestNode::start(directory, free_port().await).await.unwrap();
    let known = |node: &TestNode| {
        let status = node.group.status();
        status.members.iter().find(|member| member.node_id == id).unwrap().raft_address.clone()
    };
    assert_eq!(node.group.status().known_as, Some(known(&node)));
    assert!(node.group.status().warning().unwrap().contains("ironkv cluster add"));
    let joined = || async { node.group.join(&seeds, None).await.ok() };
    assert_eq!(eventually("a leader that misses the old address", joined).await.node_id, id);
    let hears = || async { node.group.status().hears_leader().then_some(()) };
    eventually("contact at the new address", hears).await;
    let everywhere = || async {
        let nodes = cluster.nodes.iter().chain([&node]);
        nodes.map(known).all(|known| known == node.address()).then_some(())
    };
    eventually("the new address on every node", everywhere).await;
    assert_eq!((node.group.status().known_as, node.group.status().moved()), (None, None));
}
