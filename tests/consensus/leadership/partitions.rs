//! Links are cut.

use std::time::Duration;

use ironkv_tests::cluster::Cluster;
use ironkv_tests::faults::network::Network;
use ironkv_tests::process::is_root;

use crate::load::writer::Writer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_cut_off_serves_nothing_stale_and_the_others_go_on() {
    let mut cluster = Cluster::start(3).await;
    let old = cluster.leader().await;
    let mut client = cluster.client(old).await;
    client.line("SET a old").await.unwrap();
    cluster.links.isolate(&[old], 3);
    let new = cluster.leader_except(old).await;
    assert!(cluster.links.held_back() > 0, "the cut had no effect");
    assert_eq!(format!("{:?}", cluster.retry(new, "SET a new").await), "+OK");
    for request in ["GET a", "SET a lost"] {
        let mut cut_off = cluster.client(old).await;
        if let Ok(reply) = cut_off.line(request).await {
            assert!(reply.is_error(), "a leader cut off answers {request} with {reply:?}");
        }
    }
    cluster.links.heal();
    cluster.settle().await;
    let mut client = cluster.client(old).await;
    assert_eq!(client.line("GET a").await.unwrap().text(), "new");
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_comes_back_does_not_depose_the_leader() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let follower = cluster.follower().await;
    let term = cluster.nodes[leader].admin().status().await.unwrap().term;
    cluster.links.isolate(&[follower], 3);
    let writer = Writer::start(&cluster);
    tokio::time::sleep(Duration::from_secs(5)).await;
    cluster.links.heal();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let status = cluster.nodes[leader].admin().status().await.unwrap();
    assert_eq!(status.term, term, "pre-vote did not keep the term");
    let mut client = cluster.client(leader).await;
    writer.finish(&mut client).await;
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_links_only_slow_the_cluster_down() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    for other in (0..3).filter(|other| *other != leader) {
        cluster.links.delay((leader, other), Duration::from_millis(60));
    }
    let writer = Writer::start(&cluster);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(writer.count() > 3, "{} writes in three seconds", writer.count());
    cluster.links.heal();
    let mut client = cluster.leader_client().await;
    writer.finish(&mut client).await;
    cluster.equal_digests().await;
}

/// The same in namespaces, with packets dropped by the kernel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_in_namespaces_survive_cuts_and_losses() {
    if !is_root() {
        eprintln!("SKIPPED: network namespaces need root");
        return;
    }
    let network = Network::create(3).expect("root, ip and iptables");
    let mut cluster = Cluster::start_in(&network, 3).await;
    let old = cluster.leader().await;
    let mut client = cluster.client(old).await;
    client.line("SET a 1").await.unwrap();
    for other in (0..3).filter(|other| *other != old) {
        network.cut(old, other).unwrap();
    }
    let new = cluster.leader_except(old).await;
    assert_eq!(format!("{:?}", cluster.retry(new, "SET a 2").await), "+OK");
    assert!(network.dropped(old).unwrap() > 0, "the cut had no effect");
    network.heal().unwrap();
    cluster.settle().await;
    for node in 0..3 {
        network.lose(node, 0.1).unwrap();
    }
    let writer = Writer::start(&cluster);
    writer.wait_for(30).await;
    network.heal().unwrap();
    let mut client = cluster.leader_client().await;
    writer.finish(&mut client).await;
    cluster.settle().await;
}
