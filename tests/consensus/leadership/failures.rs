//! kill -9 of any node, of all of them, and an orderly stop.

use std::time::Duration;

use ironkv_tests::clients::admin;
use ironkv_tests::clients::http::get;
use ironkv_tests::cluster::Cluster;

use crate::load::writer::Writer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_is_replaced_and_nothing_acknowledged_is_lost() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let writer = Writer::start(&cluster);
    writer.wait_for(50).await;
    cluster.nodes[leader].process().kill();
    cluster.leader_except(leader).await;
    writer.wait_for(50).await;
    cluster.start_node(leader).await;
    writer.wait_for(50).await;
    let mut client = cluster.leader_client().await;
    let gap = writer.finish(&mut client).await;
    assert!(gap < Duration::from_secs(6), "no write for {gap:?}");
    eprintln!("leader killed: no write for {gap:?}");
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_follower_is_not_missed_and_catches_up_by_log() {
    let mut cluster = Cluster::start(3).await;
    let follower = cluster.follower().await;
    let writer = Writer::start(&cluster);
    writer.wait_for(20).await;
    cluster.nodes[follower].process().kill();
    writer.wait_for(200).await;
    cluster.start_node(follower).await;
    writer.wait_for(50).await;
    let mut client = cluster.client(follower).await;
    writer.finish(&mut client).await;
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_nodes_killed_at_once_come_back_with_everything() {
    let mut cluster = Cluster::start(3).await;
    for _ in 0..2 {
        let writer = Writer::start(&cluster);
        writer.wait_for(100).await;
        cluster.kill_all();
        cluster.start_all().await;
        cluster.wait_writable().await;
        writer.wait_for(20).await;
        let mut client = cluster.leader_client().await;
        writer.finish(&mut client).await;
    }
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_alone_comes_back_with_everything() {
    let mut cluster = Cluster::start(1).await;
    let writer = Writer::start(&cluster);
    writer.wait_for(100).await;
    cluster.nodes[0].process().kill();
    cluster.start_node(0).await;
    cluster.wait_writable().await;
    let mut client = cluster.leader_client().await;
    writer.finish(&mut client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_writes_and_reads_are_refused_and_later_served() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let mut client = cluster.client(leader).await;
    client.line("SET a 1").await.unwrap();
    for other in (0..3).filter(|other| *other != leader) {
        cluster.nodes[other].process().kill();
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    for request in ["GET a", "SET a 2"] {
        let mut client = cluster.client_with_timeout(leader, Duration::from_secs(30)).await;
        // Refused after its timeout. A write may be in the log of this leader: then its outcome is
        // unknown and the connection is closed. It never returns a value.
        match client.line(request).await {
            Ok(reply) => assert!(reply.text().starts_with("CLUSTERDOWN"), "{request}: {reply:?}"),
            Err(error) => assert!(request.starts_with("SET"), "{request}: {error:?}"),
        }
    }
    cluster.start_all().await;
    cluster.wait_writable().await;
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_drains_serves_on_without_leading_and_ends_well() {
    let mut cluster = Cluster::start_with(3, &[("node.drain_ms", "6000")]).await;
    let leader = cluster.leader().await;
    let writer = Writer::start(&cluster);
    writer.wait_for(20).await;
    let mut connected = cluster.client(leader).await;
    cluster.nodes[leader].process().terminate();
    cluster.leader_except(leader).await;
    let (code, body) = get(&cluster.nodes[leader].http_address, "/readyz").await;
    assert_eq!((code, body.as_str()), (503, "the node is stopping\n"));
    assert!(!admin::leads(&cluster.nodes[leader].admin().status().await.unwrap()));
    // Clients that connect late and clients that were connected are served through the leader.
    let mut late = cluster.client(leader).await;
    for client in [&mut connected, &mut late] {
        assert_eq!(format!("{:?}", client.line("SET late 1").await.unwrap()), "+OK");
        assert_eq!(client.line("GET late").await.unwrap().text(), "1");
    }
    let status = cluster.nodes[leader].process().ended_within(Duration::from_secs(30)).await;
    assert!(status.is_some_and(|status| status.success()), "it ends with {status:?}");
    assert!(cluster.nodes[leader].client().await.is_err(), "an open port without a process");
    writer.wait_for(20).await;
    let mut client = cluster.leader_client().await;
    writer.finish(&mut client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_only_node_drains_and_ends_well() {
    let mut cluster = Cluster::start_with(1, &[("node.drain_ms", "1000")]).await;
    cluster.nodes[0].process().terminate();
    let status = cluster.nodes[0].process().ended_within(Duration::from_secs(30)).await;
    assert!(status.is_some_and(|status| status.success()), "it ends with {status:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_must_stop_transfers_its_leadership_and_ends_well() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let writer = Writer::start(&cluster);
    writer.wait_for(50).await;
    cluster.nodes[leader].process().terminate();
    let status = cluster.nodes[leader].process().ended_within(Duration::from_secs(15)).await;
    let status = status.expect("SIGTERM ends the process in time");
    assert!(status.success(), "it ends with {status}");
    cluster.leader_except(leader).await;
    writer.wait_for(50).await;
    let mut client = cluster.leader_client().await;
    let gap = writer.finish(&mut client).await;
    assert!(gap < Duration::from_secs(3), "no write for {gap:?}");
    eprintln!("leader stopped: no write for {gap:?}");
}

/// Responses that were in flight when the leader was paused must not count as confirmations
/// afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_paused_answers_no_read_with_old_data() {
    const READERS: usize = 10;
    let mut cluster = Cluster::start(3).await;
    let _writers: Vec<Writer> = (0..4).map(|_| Writer::start(&cluster)).collect();
    for round in 0..12 {
        let old = cluster.leader().await;
        set(&cluster, old, &format!("old:{round}")).await;
        let mut readers = Vec::new();
        for _ in 0..READERS {
            readers.push(cluster.client(old).await);
        }
        cluster.nodes[old].process().pause();
        let new = cluster.leader_except(old).await;
        let value = format!("new:{round}");
        set(&cluster, new, &value).await;
        let reads =
            readers.into_iter().map(|mut reader| async move { reader.line("GET round").await });
        let reads = tokio::spawn(futures::future::join_all(reads));
        // They wait in its sockets until it resumes.
        tokio::time::sleep(Duration::from_millis(100)).await;
        cluster.nodes[old].process().resume();
        for reply in reads.await.unwrap().into_iter().flatten() {
            assert!(reply.is_error() || reply.text() == value, "round {round}: {reply:?}");
        }
    }
}

/// Repeats the write until it is acknowledged.
async fn set(cluster: &Cluster, node: usize, value: &str) {
    let command = format!("SET round {value}");
    for _ in 0..500 {
        if cluster.client(node).await.line(&command).await.is_ok_and(|reply| !reply.is_error()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("node {node} does not acknowledge {command}");
}
