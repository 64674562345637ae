//! What clients notice of a change of the leader: at most a pause, and only those with a write in
//! flight when the leader died lose their connection.

use std::time::Duration;

use ironkv_tests::clients::client::ClientError;
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use tokio::time::{Instant, sleep};

use crate::load::steady::{REPLY_TIMEOUT, Steady, wait_for_all};

fn followers_of(leader: usize) -> impl Iterator<Item = usize> {
    (0..3).filter(move |node| *node != leader)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_is_a_pause_and_no_error_for_clients_of_the_others() {
    let mut cluster = Cluster::start(3).await;
    let mut under_way = 0;
    for round in 0..3 {
        let leader = cluster.leader().await;
        let (mut readers, mut writers, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        for node in followers_of(leader) {
            for _ in 0..4 {
                readers.push(Steady::start(&cluster, node, "GET key:0"));
                writers.push(Steady::start(&cluster, node, &format!("INCR count:{round}")));
                waiting.push((node, cluster.client_with_timeout(node, REPLY_TIMEOUT).await));
            }
        }
        wait_for_all(&readers, 20).await;
        wait_for_all(&writers, 20).await;
        cluster.nodes[leader].process().kill();
        let killed = Instant::now();
        // From the time at which a node notices it, nothing is sent to the dead leader any more.
        for writer in &writers {
            writer.wait_for_closed_or(Duration::from_secs(1)).await;
        }
        for (number, (node, client)) in waiting.iter_mut().enumerate() {
            let reply = client.line(&format!("SET waiting:{number} {round}")).await;
            let reply = reply.unwrap_or_else(|error| panic!("node {node} closes: {error:?}"));
            assert_eq!(format!("{reply:?}"), "+OK", "node {node}");
        }
        let paused = killed.elapsed();
        wait_for_all(&readers, 20).await;
        wait_for_all(&writers, 20).await;
        let (mut longest, mut counted, mut closed) = (Duration::ZERO, 0, 0);
        for reader in readers {
            let seen = reader.finish().await;
            assert!(seen.errors.is_empty() && seen.closed == 0, "a reader: {seen:?}");
            longest = longest.max(seen.longest);
        }
        for writer in writers {
            let seen = writer.finish().await;
            assert!(seen.errors.is_empty(), "a writer: {seen:?}");
            // Its outcome is unknown: it was in flight when the leader died.
            assert!(seen.closed <= 1, "a writer: {seen:?}");
            (counted, closed) = (counted + seen.done, closed + seen.closed);
        }
        under_way += closed;
        let (node, client) = &mut waiting[0];
        let reply = client.line(&format!("GET count:{round}")).await.unwrap();
        let count = reply.integer().unwrap_or_else(|| panic!("node {node}: {reply:?}"));
        let (least, most) = (counted as i64, (counted + closed) as i64);
        assert!((least..=most).contains(&count), "{count} of {least} to {most} were counted");
        eprintln!(
            "round {round}: paused {paused:?}, longest read {longest:?}, {closed} of 8 closed"
        );
        cluster.start_node(leader).await;
        cluster.settle().await;
    }
    assert!(under_way > 0, "no write was in flight at any kill, so none could be sent twice");
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_transfer_is_no_error_on_any_node() {
    let mut cluster = Cluster::start(3).await;
    let mut clients = Vec::new();
    for node in 0..3 {
        for number in 0..3 {
            clients.push(Steady::start(&cluster, node, &format!("INCR key:{node}:{number}")));
            clients.push(Steady::start(&cluster, node, &format!("GET key:{node}:{number}")));
        }
    }
    for _ in 0..10 {
        wait_for_all(&clients, 20).await;
        let leader = cluster.leader().await;
        let deadline = Instant::now() + SETTLE_LIMIT;
        while let Err(refused) = cluster.nodes[leader].admin().transfer(0).await {
            // A new leader has no contact to the others yet.
            assert!(Instant::now() < deadline, "always refused: {refused}");
            sleep(Duration::from_millis(50)).await;
        }
    }
    wait_for_all(&clients, 20).await;
    let mut longest = Duration::ZERO;
    for client in clients {
        let seen = client.finish().await;
        assert!(seen.errors.is_empty() && seen.closed == 0, "{seen:?}");
        longest = longest.max(seen.longest);
    }
    eprintln!("ten transfers: the longest answer took {longest:?}");
    cluster.equal_digests().await;
}

/// A read that waits for the old leader is sent to the new one as soon as there is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_waits_longer_for_a_dead_leader_than_the_others() {
    let mut cluster = Cluster::start(3).await;
    for round in 0..8 {
        let leader = cluster.leader().await;
        let clients = followers_of(leader).flat_map(|node| std::iter::repeat_n(node, 10));
        let readers: Vec<Steady> =
            clients.map(|node| Steady::start(&cluster, node, "GET key")).collect();
        wait_for_all(&readers, 20).await;
        cluster.nodes[leader].process().kill();
        let killed = Instant::now();
        wait_for_all(&readers, 1).await;
        let served = killed.elapsed();
        wait_for_all(&readers, 20).await;
        let mut waits = Vec::new();
        for reader in readers {
            let seen = reader.finish().await;
            assert!(seen.errors.is_empty() && seen.closed == 0, "round {round}: {seen:?}");
            waits.push(seen.longest);
        }
        let (shortest, longest) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
        eprintln!("round {round}: served after {served:?}, waits {shortest:?} to {longest:?}");
        assert!(*longest < *shortest + Duration::from_secs(2), "round {round}: {waits:?}");
        cluster.start_node(leader).await;
        cluster.settle().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_leader_refuses_when_the_time_of_a_request_is_over() {
    let mut cluster = Cluster::start_with(3, &[("raft.request_timeout_ms", "1500")]).await;
    let leader = cluster.leader().await;
    let [last, other] = [(leader + 1) % 3, (leader + 2) % 3];
    let mut clients = Vec::new();
    for command in ["SET a 1", "GET a"] {
        clients.push((command, cluster.client_with_timeout(last, REPLY_TIMEOUT).await));
    }
    for node in [leader, other] {
        cluster.nodes[node].process().kill();
    }
    // Until then the last node may still send to the dead leader.
    sleep(Duration::from_secs(1)).await;
    let asked = Instant::now();
    for (command, client) in &mut clients {
        let reply = client.line(command).await.unwrap();
        assert!(reply.text().starts_with("CLUSTERDOWN"), "{command}: {reply:?}");
        let waited = asked.elapsed();
        assert!(waited >= Duration::from_millis(1500), "{command} is refused after {waited:?}");
    }
}

/// A client that was refused, or gave up before its write was in the log, never finds the write
/// later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_was_given_up_is_never_proposed_later() {
    const WRITES: usize = 60;
    let mut cluster = Cluster::start_with(3, &[("raft.request_timeout_ms", "2000")]).await;
    let leader = cluster.leader().await;
    let mut clients = Vec::new();
    for _ in 0..WRITES {
        clients.push(cluster.client_with_timeout(leader, REPLY_TIMEOUT).await);
    }
    for node in followers_of(leader) {
        cluster.nodes[node].process().pause();
    }
    // Nearly as large as an entry may be, so that few of them are in the log at a time, but not so
    // large that they are proposed in pieces.
    let value = "v".repeat((1 << 20) - 1024);
    let writes = clients.into_iter().enumerate().map(|(number, mut client)| {
        let command = ["SET".to_owned(), format!("given-up:{number}"), value.clone()];
        async move { client.command(&command).await }
    });
    let answers = futures::future::join_all(writes).await;
    let refused = |answer: &Result<ironkv_tests::clients::reply::Reply, ClientError>| match answer {
        Ok(reply) => {
            assert!(reply.text().starts_with("CLUSTERDOWN"), "{reply:?}");
            true
        }
        Err(_) => false,
    };
    let refused: Vec<bool> = answers.iter().map(refused).collect();
    let unknown = refused.iter().filter(|refused| !**refused).count();
    for node in followers_of(leader) {
        cluster.nodes[node].process().resume();
    }
    cluster.wait_writable().await;
    // Everything that was proposed is in the log by now: this write comes after it.
    let node = cluster.leader().await;
    cluster.retry(node, "SET after 1").await;
    let mut client = cluster.client(node).await;
    let mut found = 0;
    for (number, refused) in refused.iter().enumerate() {
        let exists = client.line(&format!("EXISTS given-up:{number}")).await.unwrap();
        if exists.integer() == Some(1) {
            found += 1;
            assert!(!refused, "SET {number} was answered with an error and executed");
        }
    }
    eprintln!("{WRITES} writes: {unknown} unknown, {found} found");
    // The entries in flight, and the writes in a batch of each.
    assert!(unknown <= 10, "{unknown} of {WRITES} are unknown");
}
