//! A checkpoint of one version, sent to the other.

use std::time::Duration;

use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use tokio::time::Instant;

use crate::versions::{Version, lead, released_cluster, replace};

const SETTINGS: [(&str, &str); 2] =
    [("checkpoint.log_bytes_min", "1mb"), ("log.cache_bytes", "1mb")];

async fn purged(cluster: &Cluster, index: usize) -> u64 {
    let status = cluster.nodes[index].admin().status().await.unwrap();
    status.purged.map_or(0, |log_id| log_id.index)
}

/// Writes values of every type, then entries until the leader has purged those after `last`.
async fn leave_behind(cluster: &mut Cluster, leader: usize, last: u64) {
    let mut client = cluster.client(leader).await;
    for line in ["HSET hash a 1", "RPUSH list a b", "ZADD zset 1.5 a", "SADD set x 7"] {
        assert!(!client.line(line).await.unwrap().is_error(), "{line}");
    }
    let value = "v".repeat(4 << 10);
    let deadline = Instant::now() + 3 * SETTLE_LIMIT;
    while purged(cluster, leader).await <= last {
        assert!(Instant::now() < deadline, "the log is never purged");
        // One at a time, because requests that are sent together share an entry.
        for number in 0..500 {
            let words = ["SET", &format!("key:{}", number % 50), &value];
            assert!(!client.command(&words).await.unwrap().is_error());
        }
        cluster.nodes[leader].admin().checkpoint().await.expect("a checkpoint on request");
    }
}

/// Node 2 falls behind the log of node 0, comes back with its old data, and catches up.
async fn catches_up_by_snapshot(cluster: &mut Cluster) {
    lead(cluster, 0).await;
    let status = cluster.nodes[2].admin().status().await.unwrap();
    let last = status.last_log.map_or(0, |log_id| log_id.index);
    cluster.nodes[2].process().kill();
    leave_behind(cluster, 0, last).await;
    cluster.start_node(2).await;
    cluster.equal_digests().await;
    let status = cluster.nodes[2].admin().status().await.unwrap();
    assert!(status.checkpoint_index > last, "no snapshot came: {status:?}");
    // It can restart from the snapshot.
    cluster.nodes[2].process().kill();
    cluster.start_node(2).await;
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_version_takes_the_snapshot_of_the_other() {
    let mut cluster = released_cluster(3, &SETTINGS).await;
    replace(&mut cluster, 0, Version::NewHeld).await;
    replace(&mut cluster, 1, Version::NewHeld).await;
    catches_up_by_snapshot(&mut cluster).await;
    for (index, version) in [(2, Version::NewHeld), (1, Version::Released), (0, Version::Released)]
    {
        replace(&mut cluster, index, version).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    catches_up_by_snapshot(&mut cluster).await;
}
