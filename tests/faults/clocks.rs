//! Real processes with wrong wall clocks.

use std::process::Stdio;
use std::time::Duration;

use ironkv_tests::clients::client::Client;
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use ironkv_tests::faults::clocks::ProcessClock;
use ironkv_tests::process::ironkv_command;
use tokio::time::{Instant, sleep};

const YEAR_S: i64 = 365 * 86_400;

/// How much the answers of two nodes to PTTL may differ on a busy machine.
const APART_MS_MAX: i64 = 3000;

/// Three nodes whose clocks can be set.
async fn cluster_with_clocks() -> (Cluster, Vec<ProcessClock>) {
    let mut cluster = Cluster::start(3).await;
    let mut clocks = Vec::new();
    for node in 0..3 {
        let clock = ProcessClock::new(&cluster.nodes[node].data()).expect("a C compiler");
        cluster.nodes[node].process().kill();
        cluster.nodes[node].wrap(clock.wrapper());
        cluster.start_node(node).await;
        cluster.nodes[node].wait_ready().await;
        clocks.push(clock);
    }
    (cluster, clocks)
}

async fn ttl_ms(client: &mut Client, key: &str) -> i64 {
    let reply = client.command(&["PTTL", key]).await.unwrap();
    reply.text().parse().unwrap_or_else(|_| panic!("PTTL was answered {reply:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_a_year_ahead_that_leads_for_one_write_loses_no_key_and_expiry_continues() {
    let (mut cluster, clocks) = cluster_with_clocks().await;
    for wrong_s in [YEAR_S, -YEAR_S] {
        let leader = cluster.leader().await;
        let mut client = cluster.client(leader).await;
        cluster.retry(leader, "SET kept v PX 600000").await;
        cluster.retry(leader, "SET short v PX 8000").await;
        let deadline = Instant::now() + Duration::from_millis(8000) + SETTLE_LIMIT;
        clocks[leader].set_wrong(wrong_s).unwrap();
        // The wrong clock is visible to clients.
        let seen = client.line("TIME").await.unwrap();
        cluster.retry(leader, "SET write v").await;
        sleep(Duration::from_millis(500)).await;
        cluster.retry(leader, "SET write w").await;
        clocks[leader].set_wrong(0).unwrap();
        let right = client.line("TIME").await.unwrap();
        assert_ne!(
            format!("{seen:?}")[..8],
            format!("{right:?}")[..8],
            "the clock was never wrong"
        );
        for node in 0..3 {
            let mut client = cluster.client(node).await;
            let left_ms = ttl_ms(&mut client, "kept").await;
            assert!((500_000..=600_000).contains(&left_ms), "{wrong_s}: {left_ms} ms are left");
        }
        while ttl_ms(&mut client, "short").await != -2 {
            assert!(Instant::now() < deadline, "{wrong_s}: keys do not expire");
            sleep(Duration::from_millis(200)).await;
        }
    }
    cluster.settle().await;
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_a_minute_ahead_reads_what_the_leader_reads_and_does_not_lead() {
    let (mut cluster, clocks) = cluster_with_clocks().await;
    let leader = cluster.leader().await;
    let follower = cluster.follower().await;
    let other = 3 - leader - follower;
    clocks[follower].set_wrong(60).unwrap();
    cluster.retry(leader, "SET key v PX 600000").await;
    let mut clients = [cluster.client(leader).await, cluster.client(follower).await];
    for stale in [false, true] {
        if stale {
            clients[1].line("READONLY").await.unwrap();
        }
        let of_leader = ttl_ms(&mut clients[0], "key").await;
        let of_follower = ttl_ms(&mut clients[1], "key").await;
        assert!((of_leader - of_follower).abs() < APART_MS_MAX, "{of_leader}, {of_follower}");
    }
    let deadline = Instant::now() + SETTLE_LIMIT;
    while !cluster.nodes[follower].log_tail().contains("clock is far ahead") {
        assert!(Instant::now() < deadline, "the node does not report its wrong clock");
        sleep(Duration::from_millis(100)).await;
    }
    cluster.nodes[leader].process().kill();
    assert_eq!(cluster.leader_except(leader).await, other, "a node with a wrong clock leads");
    cluster.start_node(leader).await;
    cluster.settle().await;
    cluster.equal_digests().await;
}

/// Runs `ironkv cluster reset-time` at a node; returns whether it succeeded, and its output.
fn reset_time(cluster: &Cluster, node: usize, flags: &[&str]) -> (bool, String) {
    let mut command = ironkv_command();
    command.args(["cluster", "reset-time", "--address", &cluster.nodes[node].grpc_address]);
    let output = command.args(flags).stdin(Stdio::null()).output().expect("ironkv runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_that_the_clocks_of_all_have_spoiled_is_set_back_by_a_command() {
    let (mut cluster, clocks) = cluster_with_clocks().await;
    let leader = cluster.leader().await;
    let (done, text) = reset_time(&cluster, leader, &["--yes"]);
    assert!(!done && text.contains("come right by themselves"), "{text}");
    cluster.retry(leader, "SET month v EX 2592000").await;
    clocks.iter().for_each(|clock| clock.set_wrong(YEAR_S).unwrap());
    let deadline = Instant::now() + SETTLE_LIMIT;
    let mut client = cluster.leader_client().await;
    while ttl_ms(&mut client, "month").await != -2 {
        assert!(Instant::now() < deadline, "the time does not follow the clocks of all");
        sleep(Duration::from_millis(100)).await;
        client = cluster.leader_client().await;
    }
    clocks.iter().for_each(|clock| clock.set_wrong(0).unwrap());
    let leader = cluster.leader().await;
    cluster.retry(leader, "SET spoiled v PX 3600000").await;

    // A follower restarts from an older checkpoint, and one is isolated while it happens.
    let follower = cluster.follower().await;
    cluster.nodes[follower].admin().checkpoint().await.expect("a checkpoint on request");
    let (done, text) = reset_time(&cluster, follower, &[]);
    assert!(!done && text.contains("ahead of a majority's clocks"), "{text}");
    cluster.nodes[follower].process().kill();
    let leader = cluster.leader().await;
    let (done, text) = reset_time(&cluster, leader, &["--yes"]);
    assert!(done && (text.contains("364 days") || text.contains("365 days")), "{text}");
    cluster.start_node(follower).await;
    for round in 0..2 {
        let deadline = Instant::now() + SETTLE_LIMIT;
        let leader = cluster.leader().await;
        cluster.retry(leader, "SET fresh v PX 3000").await;
        let mut client = cluster.client(leader).await;
        assert!(ttl_ms(&mut client, "fresh").await <= 3000, "round {round}");
        while ttl_ms(&mut client, "fresh").await != -2 {
            assert!(Instant::now() < deadline, "round {round}: keys do not expire");
            sleep(Duration::from_millis(100)).await;
        }
        let left_ms = ttl_ms(&mut client, "spoiled").await;
        assert!(left_ms > (YEAR_S - 86_400) * 1000, "{left_ms} ms: deadlines do not move");
        cluster.kill_all();
        cluster.start_all().await;
        cluster.wait_writable().await;
    }
    cluster.settle().await;
    cluster.equal_digests().await;
}
