//! Single steps of membership: voter to learner and back, a dead member replaced, two concurrent
//! decisions, the disk of a removed node.

use std::time::Duration;

use ironkv_tests::clients::admin;
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use ironkv_tests::process::Process;
use tokio::time::Instant;
use tonic::Code;

use crate::load::writer::Writer;
use crate::members::membership::{remove, voters};

async fn promote(cluster: &mut Cluster, node_id: u64) {
    let deadline = Instant::now() + SETTLE_LIMIT;
    loop {
        let leader = cluster.leader().await;
        let Err(refused) = cluster.nodes[leader].admin().promote(node_id).await else { return };
        assert!(Instant::now() < deadline, "node {node_id} is not promoted: {refused}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voter_becomes_a_learner_and_a_voter_again() {
    let mut cluster = Cluster::start(3).await;
    let writer = Writer::start(&cluster);
    let follower = cluster.follower().await;
    let node_id = cluster.node_id(follower).await;
    writer.wait_for(20).await;
    let leader = cluster.leader().await;
    cluster.nodes[leader].admin().demote(node_id).await.unwrap();
    assert!(!voters(&mut cluster).await.contains(&node_id));
    writer.wait_for(20).await;
    // A learner has the data and serves reads, but its death costs no majority.
    let mut client = cluster.client(follower).await;
    let value = client.line("GET writer:0").await.unwrap();
    assert_eq!(value.integer(), Some(0), "through the learner: {value:?}");
    let again = cluster.nodes[leader].admin().demote(node_id).await;
    assert_eq!(again.expect_err("demoted twice").code(), Code::FailedPrecondition);
    promote(&mut cluster, node_id).await;
    assert_eq!(voters(&mut cluster).await.len(), 3);
    writer.wait_for(20).await;
    // Its vote counts again: without the other follower there is still a majority.
    let other = (0..3).find(|index| ![leader, follower].contains(index)).unwrap();
    cluster.nodes[other].process().kill();
    writer.wait_for(20).await;
    cluster.start_node(other).await;
    let mut client = cluster.leader_client().await;
    writer.finish(&mut client).await;
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_voter_is_removed_and_a_fresh_node_takes_its_place() {
    let mut cluster = Cluster::start(3).await;
    let writer = Writer::start(&cluster);
    writer.wait_for(20).await;
    let dead = cluster.follower().await;
    let dead_id = cluster.node_id(dead).await;
    cluster.nodes[dead].process().kill();
    writer.wait_for(20).await;
    let deadline = Instant::now() + SETTLE_LIMIT;
    loop {
        let leader = cluster.leader().await;
        let Err(refused) = cluster.nodes[leader].admin().remove(dead_id).await else { break };
        assert!(Instant::now() < deadline, "the dead voter is not removed: {refused}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(voters(&mut cluster).await.len(), 2);
    let fresh = cluster.add_voter().await;
    let fresh_id = cluster.node_id(fresh).await;
    let now = voters(&mut cluster).await;
    assert!(now.len() == 3 && now.contains(&fresh_id) && !now.contains(&dead_id), "{now:?}");
    writer.wait_for(20).await;
    // The new voter counts: one of the old ones may die.
    let old = (0..3).find(|index| *index != dead).unwrap();
    cluster.nodes[old].process().kill();
    writer.wait_for(20).await;
    cluster.start_node(old).await;
    let mut client = cluster.leader_client().await;
    writer.finish(&mut client).await;
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_changes_decided_on_one_membership_only_one_is_made() {
    let mut cluster = Cluster::start(5).await;
    let leader = cluster.leader().await;
    let status = cluster.nodes[leader].admin().status().await.unwrap();
    let others: Vec<u64> =
        admin::voters(&status).into_iter().filter(|id| *id != status.node_id).collect();
    let changes = others.iter().map(|id| {
        let admin = cluster.nodes[leader].admin();
        async move { admin.demote_if(*id, status.membership).await }
    });
    let outcomes = futures::future::join_all(changes).await;
    let made = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(made, 1, "{outcomes:?}");
    for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        let expected = [Code::Aborted, Code::ResourceExhausted];
        assert!(expected.contains(&refused.code()), "{refused}");
    }
    assert_eq!(voters(&mut cluster).await.len(), 4);
    // A later decision on the old membership is refused too.
    let late = cluster.nodes[leader].admin().demote_if(others[0], status.membership).await;
    assert_eq!(late.expect_err("an outdated change").code(), Code::Aborted);
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_ends_and_its_disk_is_refused_at_start() {
    let mut cluster = Cluster::start(3).await;
    let removed = cluster.follower().await;
    remove(&mut cluster, removed).await;
    for start in ["at run time", "at its next start", "at every later start"] {
        if !cluster.nodes[removed].is_running() {
            cluster.nodes[removed].spawn();
        }
        let limit = Duration::from_secs(30);
        let ended = cluster.nodes[removed].process().ended_within(limit).await;
        let output = cluster.nodes[removed].process.as_ref().map(Process::output);
        let output = output.unwrap_or_default();
        let failed = ended.is_some_and(|status| !status.success());
        assert!(failed, "{start}: it continues: {ended:?}\n{output}");
        let last = output.lines().last().unwrap_or_default();
        assert!(last.contains("removed"), "{start}: the reason is missing: {last}");
    }
    cluster.wait_writable().await;
}
