//! Reads of READONLY connections are never older than the bound, whatever messages arrive.

use std::time::Duration;

use ironkv_tests::clients::client::Client;
use ironkv_tests::clients::reply::Reply;
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use tokio::time::{Instant, sleep};

const BOUND: Duration = Duration::from_millis(1000);
/// For the time that requests and answers take.
const SLACK: Duration = Duration::from_millis(500);

async fn cluster(nodes: usize) -> Cluster {
    Cluster::start_with(nodes, &[("reads.stale_lag_max_ms", "1000")]).await
}

async fn read_only(cluster: &Cluster, index: usize) -> Client {
    let mut client = cluster.client(index).await;
    client.line("READONLY").await.unwrap();
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_learner_that_has_not_caught_up_refuses_stale_reads() {
    let mut cluster = cluster(1).await;
    let mut client = cluster.client(0).await;
    for part in 0..40 {
        let line = format!("DEBUG POPULATE 20000 part{part}");
        assert!(!client.line(&line).await.unwrap().is_error());
    }
    client.line("SET old 1").await.unwrap();
    sleep(BOUND + SLACK).await;
    let learner = cluster.add_process().await;
    let seed = cluster.nodes[0].peer_address.clone();
    let joining = cluster.nodes[learner].admin();
    let joined = tokio::spawn(async move { joining.join(&seed).await });
    let mut reader = read_only(&cluster, learner).await;
    let deadline = Instant::now() + SETTLE_LIMIT;
    let mut refused = 0;
    loop {
        match reader.line("GET old").await.unwrap() {
            reply if reply.is_error() => refused += 1,
            reply => {
                assert_eq!(reply.integer(), Some(1), "after {refused} refusals: {reply:?}");
                break;
            }
        }
        assert!(Instant::now() < deadline, "the learner never becomes fresh");
        sleep(Duration::from_millis(5)).await;
    }
    assert!(refused > 0, "the learner was there at once; nothing was tested");
    joined.await.unwrap().unwrap();
}

/// The value, or `None` when the read was refused.
fn value(reply: &Reply) -> Option<i64> {
    (!reply.is_error()).then(|| reply.integer().unwrap_or(0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_without_log_entries_make_no_read_fresh() {
    let mut cluster = cluster(3).await;
    let leader = cluster.leader().await;
    let follower = (leader + 1) % 3;
    let mut writer = cluster.client(leader).await;
    let mut reader = read_only(&cluster, follower).await;
    let large = "x".repeat(512 << 10);
    writer.line("SET round 0").await.unwrap();
    cluster.settle().await;
    assert_eq!(value(&reader.line("GET round").await.unwrap()), Some(0));
    cluster.links.hold_large((leader, follower), 16 << 10);
    let mut acknowledged: Vec<Instant> = vec![Instant::now()];
    let mut refused = 0;
    let end = Instant::now() + Duration::from_secs(8);
    while Instant::now() < end {
        let round = acknowledged.len();
        writer.command(&["SET", "large", &large]).await.unwrap();
        let set = writer.line(&format!("SET round {round}")).await.unwrap();
        assert!(!set.is_error(), "{set:?}");
        acknowledged.push(Instant::now());
        // The value that a read which begins now must see.
        let due = Instant::now() - BOUND - SLACK;
        let least = acknowledged.iter().rposition(|at| *at < due).unwrap_or(0) as i64;
        match value(&reader.line("GET round").await.unwrap()) {
            None => refused += 1,
            Some(seen) => assert!(seen >= least, "read {seen}; {least} was due by the bound"),
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert!(cluster.links.held_back() > 0, "nothing was held back");
    assert!(refused > 0, "no read was ever refused");
    cluster.links.heal();
    let deadline = Instant::now() + SETTLE_LIMIT;
    let last = acknowledged.len() as i64 - 1;
    while value(&reader.line("GET round").await.unwrap()) != Some(last) {
        assert!(Instant::now() < deadline, "the follower does not become fresh again");
        sleep(Duration::from_millis(20)).await;
    }
    cluster.equal_digests().await;
}
