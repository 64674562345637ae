#![allow(clippy::unwrap_used)]

use super::tests::{TestNode, eventually, free_port, request};
use crate::base::config::parameters;
use crate::base::disk::RealDisk;
use crate::base::feature_level::FeatureLevel;
use crate::base::ids::NodeId;
use crate::commands::request::Request;
use crate::consensus::{
    Change, ChangeError, Expected, MemberAddresses, ProposeError, Refusal, StartError,
};
use crate::data::meta::Meta;
use crate::resp::Reply;

/// Limits the level as `CONFIG SET` does; 0 removes the limit.
fn hold(node: &TestNode, level: u32) {
    let row = parameters::find("cluster-feature-level-max").unwrap();
    node.config.set(&[(row, level.to_string())]).unwrap();
}

async fn start(root: &tempfile::TempDir, name: &str) -> TestNode {
    TestNode::start(root.path().join(name), free_port().await).await.unwrap()
}

/// A write that only a later release understands.
fn of_the_second_level() -> Request {
    Request { needs_level: FeatureLevel::SECOND, ..request(&["SET", "key", "value"]) }
}

async fn reached(node: &TestNode, level: FeatureLevel) {
    let risen = || async { (node.group.status().feature_level == level).then_some(()) };
    eventually("feature level", risen).await;
}

async fn assert_refused(node: &TestNode) {
    let refused = node.group.propose(of_the_second_level()).await;
    let Err(ProposeError::NotExecuted(refusal @ Refusal::NeedsLevel { .. })) = refused else {
        panic!("{refused:?}");
    };
    let text = "ERR this command needs feature level 2; the cluster runs at level 1 until all \
                members are upgraded";
    assert_eq!(refusal.reply().0, text);
}

#[tokio::test]
async fn the_level_rises_when_every_member_agrees_and_what_needs_it_is_refused_until_then() {
    let root = tempfile::tempdir().unwrap();
    let (first, second) = (start(&root, "a").await, start(&root, "b").await);
    hold(&first, 1);
    hold(&second, 1);
    first.group.init(None).await.unwrap();
    second.group.join(&[first.address()], None).await.unwrap();
    hold(&first, 0);
    // The second node, a learner, still limits the level.
    let reported = || async {
        let status = first.group.status();
        let levels = status.feature_levels.values().map(|level| level.agrees_to.0);
        (levels.collect::<Vec<_>>() == [2, 1]).then_some(())
    };
    eventually("reports of both", reported).await;
    for node in [&first, &second] {
        assert_refused(node).await;
        assert_eq!(node.group.status().feature_level, FeatureLevel::FIRST);
    }
    hold(&second, 0);
    for node in [&first, &second] {
        reached(node, FeatureLevel::SECOND).await;
        let executed = node.group.propose(of_the_second_level()).await.unwrap();
        assert_eq!(executed.replies, [Reply::OK]);
    }
    // The level never falls.
    hold(&first, 1);
    let again = first.group.propose(of_the_second_level()).await;
    assert_eq!(again.unwrap().replies, [Reply::OK]);
}

#[tokio::test]
async fn a_member_that_is_down_stops_the_rise_of_the_level() {
    let root = tempfile::tempdir().unwrap();
    let (first, second) = (start(&root, "a").await, start(&root, "b").await);
    hold(&first, 1);
    first.group.init(None).await.unwrap();
    second.group.join(&[first.address()], None).await.unwrap();
    let (directory, port) = second.stop().await;
    let silent = || async {
        let known = first.group.status().feature_levels.len();
        (known == 1).then_some(())
    };
    eventually("silence of the second", silent).await;
    hold(&first, 0);
    // Long enough for several checks of the leader.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_refused(&first).await;
    let again = TestNode::start(directory, port).await.unwrap();
    reached(&again, FeatureLevel::SECOND).await;
}

#[tokio::test]
async fn a_node_that_does_not_understand_the_level_cannot_join() {
    let root = tempfile::tempdir().unwrap();
    let first = start(&root, "a").await;
    let old = |id: u64| {
        let raft = format!("127.0.0.1:{id}");
        let addresses = MemberAddresses { raft, ..MemberAddresses::default() };
        Change::AddLearner(NodeId(id), addresses, FeatureLevel::FIRST)
    };
    hold(&first, 1);
    first.group.init(None).await.unwrap();
    first.group.change(old(8), Expected::Any, false).await.unwrap();
    let removed = first.group.change(Change::Remove(NodeId(8)), Expected::Any, false);
    removed.await.unwrap();
    hold(&first, 0);
    reached(&first, FeatureLevel::SECOND).await;
    let refused = first.group.change(old(9), Expected::Any, false).await;
    let Err(ChangeError::Refused(text)) = refused else { panic!("{refused:?}") };
    assert!(text.contains("understands feature level 1 at most"), "{text}");
    assert!(text.contains("runs at level 2"), "{text}");
}

#[tokio::test]
async fn a_program_does_not_start_on_data_of_a_level_that_it_does_not_know() {
    let root = tempfile::tempdir().unwrap();
    let node = start(&root, "a").await;
    node.group.init(None).await.unwrap();
    reached(&node, FeatureLevel::HIGHEST).await;
    let (directory, port) = node.stop().await;
    let raise = || async {
        let meta = Meta::open(&RealDisk, &directory).ok()?;
        meta.update(|facts| facts.note_level(FeatureLevel(9))).ok()
    };
    eventually("closed directory", raise).await;
    let refused = TestNode::start(directory, port).await.map(drop);
    let Err(error @ StartError::UnknownLevel(_)) = refused else { panic!("{refused:?}") };
    let text = "the cluster runs at feature level 9, and this program knows levels 1 to 2: start a \
                version that knows level 9";
    assert_eq!(error.to_string(), text);
}
