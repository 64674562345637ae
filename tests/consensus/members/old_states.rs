//! Old states of data directories that are a majority, or seem to be one, and the repairs when no
//! majority is left.

use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use ironkv_tests::process;
use tokio::time::{Instant, sleep};

use crate::disk::failing_disks::figure;
use crate::load::writer::Writer;
use crate::members::copies::{copy, ends, is_marked, registered_after};
use crate::members::removals::{readmit, text};

/// Longer than silent nodes of `node.peers` keep a node from leading.
const WATCHED: Duration = Duration::from_secs(12);

/// Longer than any election.
const LONG: Duration = Duration::from_secs(5);

fn kept(cluster: &Cluster, index: usize) -> PathBuf {
    cluster.nodes[index].directory.join("kept")
}

/// Stores the state of a node that is not running.
fn keep(cluster: &Cluster, index: usize) {
    copy(&cluster.nodes[index].data(), &kept(cluster, index));
}

fn put_back(cluster: &Cluster, index: usize) {
    copy(&kept(cluster, index), &cluster.nodes[index].data());
}

/// The answer of a node, if there is one.
async fn answer(cluster: &Cluster, index: usize, line: &str) -> Option<String> {
    let limit = Duration::from_secs(2);
    let address = &cluster.nodes[index].resp_address;
    let client = ironkv_tests::clients::client::Client::connect_with_timeout(address, limit).await;
    let reply = client.ok()?.line(line).await.ok()?;
    (!reply.is_error()).then(|| reply.text())
}

async fn wait_unconfirmed(cluster: &Cluster, index: usize) {
    let deadline = Instant::now() + SETTLE_LIMIT;
    while figure(cluster, index, "ironkv_unconfirmed").await != 1 {
        let log = cluster.nodes[index].log_tail();
        assert!(Instant::now() < deadline, "it does not detect it:\n{log}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_node_on_its_earliest_state_does_not_lead_though_the_others_cannot_reach_it() {
    let mut cluster = Cluster::start(1).await;
    cluster.retry(0, "SET k old").await;
    let before = registered_after(&cluster, 0, 0).await;
    cluster.nodes[0].process().kill();
    keep(&cluster, 0);
    cluster.start_node(0).await;
    registered_after(&cluster, 0, before).await;
    cluster.add_voter().await;
    cluster.add_voter().await;
    cluster.nodes[0].process().kill();
    cluster.retry(1, "SET k newer").await;
    put_back(&cluster, 0);
    let peers = [1, 2].map(|index: usize| cluster.nodes[index].peer_address.clone()).join(",");
    let settings = cluster.settings_of(0, &[("node.peers", &peers)]);
    cluster.nodes[0].configure(&settings).unwrap();
    // Only the node itself can detect it.
    cluster.links.refuse(0, 503);
    cluster.nodes[0].spawn();
    let watched = Instant::now() + WATCHED;
    while Instant::now() < watched && cluster.nodes[0].is_running() {
        let read = answer(&cluster, 0, "GET k").await;
        assert_eq!(read, None, "it answers beside its cluster");
        let written = answer(&cluster, 0, "SET lost 1").await;
        assert_eq!(written, None, "it acknowledges beside its cluster");
        sleep(Duration::from_millis(20)).await;
    }
    ends(&mut cluster, 0, "never drew").await;
    assert!(is_marked(&cluster.nodes[0].data()));
    assert_eq!(cluster.retry(1, "GET k").await.text(), "newer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_node_leads_again_at_once_although_its_learner_is_among_its_peers() {
    let mut cluster = Cluster::start(1).await;
    let learner = cluster.add_process().await;
    let seed = cluster.nodes[0].peer_address.clone();
    cluster.nodes[learner].admin().join(&seed).await.unwrap();
    cluster.nodes[0].process().kill();
    let peers = cluster.nodes[learner].peer_address.clone();
    let settings = cluster.settings_of(0, &[("node.peers", &peers)]);
    cluster.nodes[0].configure(&settings).unwrap();
    cluster.start_node(0).await;
    let started = Instant::now();
    cluster.retry(0, "SET k 1").await;
    assert!(started.elapsed() < Duration::from_secs(8), "it waited for all that may be silent");
}

/// Three nodes that are not running. The third has `k` = 2, the others were restored to the state
/// with `k` = 1.
async fn with_two_old_states() -> Cluster {
    let mut cluster = Cluster::start(3).await;
    cluster.retry(0, "SET k 1").await;
    let mut before = Vec::new();
    for index in 0..3 {
        before.push(registered_after(&cluster, index, 0).await);
    }
    cluster.settle().await;
    cluster.kill_all();
    keep(&cluster, 0);
    keep(&cluster, 1);
    cluster.start_all().await;
    for (index, before) in before.into_iter().enumerate().take(2) {
        registered_after(&cluster, index, before).await;
    }
    cluster.retry(2, "SET k 2").await;
    cluster.settle().await;
    cluster.kill_all();
    put_back(&cluster, 0);
    put_back(&cluster, 1);
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_old_states_beside_the_newest_take_no_part_until_an_operator_readmits_one() {
    let mut cluster = with_two_old_states().await;
    cluster.start_all().await;
    for index in 0..2 {
        wait_unconfirmed(&cluster, index).await;
    }
    let id = cluster.node_id(0).await;
    // What was reported to them survives a restart, and the absence of the node that reported it.
    cluster.kill_all();
    for index in 0..2 {
        cluster.start_node(index).await;
    }
    sleep(LONG).await;
    for index in 0..2 {
        assert_eq!(figure(&cluster, index, "ironkv_unconfirmed").await, 1);
        assert_eq!(answer(&cluster, index, "GET k").await, None, "an old state is served");
        assert_eq!(answer(&cluster, index, "SET k 3").await, None, "an old state is written to");
    }
    cluster.nodes[0].process().kill();
    let directory = cluster.nodes[0].data();
    let member = cluster.nodes[2].grpc_address.clone();
    let refused = readmit(&directory, &["--member", &member]);
    assert!(!refused.status.success(), "{}", text(&refused));
    let done = readmit(&directory, &["--without-asking", &id.to_string()]);
    assert!(done.status.success() && text(&done).contains("lost"), "{}", text(&done));
    cluster.start_node(0).await;
    cluster.start_node(2).await;
    assert_eq!(cluster.retry(0, "GET k").await.text(), "2");
    cluster.retry(2, "SET k 3").await;
    // The other one is in the minority now.
    ends(&mut cluster, 1, "never drew").await;
    assert!(is_marked(&cluster.nodes[1].data()));
    assert_eq!(cluster.retry(2, "GET k").await.text(), "3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_majority_that_works_is_not_stopped_by_one_node_with_another_history() {
    let mut cluster = with_two_old_states().await;
    for index in 0..2 {
        cluster.start_node(index).await;
    }
    for index in 0..2 {
        registered_after(&cluster, index, 0).await;
    }
    let writer = Writer::start(&cluster);
    writer.wait_for(20).await;
    cluster.nodes[2].spawn();
    ends(&mut cluster, 2, "contradicts the cluster").await;
    writer.wait_for(20).await;
    for index in 0..2 {
        assert_eq!(figure(&cluster, index, "ironkv_unconfirmed").await, 0);
    }
    let mut client = cluster.leader_client().await;
    let pause = writer.finish(&mut client).await;
    assert!(pause < LONG, "the majority was stopped for {pause:?}");
    cluster.equal_digests().await;
    cluster.nodes[2].spawn();
    ends(&mut cluster, 2, "contradicts its cluster").await;
}

fn new_cluster(directory: &std::path::Path, arguments: &[&str]) -> Output {
    process::ironkv_command()
        .args(["recover", "new-cluster"])
        .arg(directory)
        .args(arguments)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_one_node_that_is_left_of_three_begins_a_new_cluster_with_all_that_it_has() {
    let mut cluster = Cluster::start(3).await;
    let writer = Writer::start(&cluster);
    writer.wait_for(50).await;
    let id = cluster.node_id(0).await;
    let directory = cluster.nodes[0].data();
    let running = new_cluster(&directory, &[]);
    assert!(!running.status.success(), "the directory of a running node was taken");
    let mut client = cluster.leader_client().await;
    writer.finish(&mut client).await;
    let before = cluster.equal_digests().await;
    cluster.kill_all();
    let shown = new_cluster(&directory, &[]);
    assert!(shown.status.success() && text(&shown).contains("index"), "{}", text(&shown));
    assert!(!new_cluster(&directory, &["--confirm", "99"]).status.success());
    let done = new_cluster(&directory, &["--confirm", &id.to_string()]);
    assert!(done.status.success(), "{}", text(&done));
    cluster.start_node(0).await;
    cluster.nodes[0].wait_ready().await;
    assert_eq!(cluster.equal_digests().await, before);
    // Another node that comes back later belongs to another cluster.
    cluster.start_node(1).await;
    cluster.retry(0, "SET after 1").await;
    sleep(LONG).await;
    assert_eq!(answer(&cluster, 1, "SET beside 1").await, None);
    assert_eq!(cluster.retry(0, "EXISTS beside").await.integer(), Some(0));
    cluster.nodes[1].process().kill();
    let new = cluster.add_voter().await;
    cluster.nodes[new].wait_ready().await;
    cluster.equal_digests().await;
}
