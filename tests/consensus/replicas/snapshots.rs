//! Checkpoints: a purged log, and nodes that are too far behind for it.

use ironkv_tests::cluster::Cluster;

const SETTINGS: [(&str, &str); 3] = [
    ("checkpoint.log_bytes_min", "1mb"),
    ("log.cache_bytes", "1mb"),
    ("log.retained_bytes", "1mb"),
];

async fn write_megabytes(cluster: &mut Cluster, megabytes: usize) {
    let mut client = cluster.leader_client().await;
    let value = "v".repeat(64 << 10);
    for round in 0..megabytes {
        let commands: Vec<Vec<String>> = (0..16)
            .map(|i| {
                vec!["SET".to_owned(), format!("big:{}", (round * 16 + i) % 200), value.clone()]
            })
            .collect();
        for reply in client.pipeline(&commands).await.unwrap() {
            assert!(!reply.is_error(), "SET answers {reply:?}");
        }
    }
}

async fn purged(cluster: &mut Cluster, index: usize) -> u64 {
    let status = cluster.nodes[index].admin().status().await.unwrap();
    status.purged.map_or(0, |log_id| log_id.index)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_too_far_behind_for_the_log_catches_up_by_snapshot() {
    let mut cluster = Cluster::start_with(3, &SETTINGS).await;
    let follower = cluster.follower().await;
    let status = cluster.nodes[follower].admin().status().await.unwrap();
    let last = status.last_log.map_or(0, |log_id| log_id.index);
    cluster.nodes[follower].process().kill();
    write_megabytes(&mut cluster, 8).await;
    let leader = cluster.leader().await;
    cluster.nodes[leader].admin().checkpoint().await.expect("a checkpoint on request");
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(90);
    while purged(&mut cluster, leader).await <= last {
        assert!(tokio::time::Instant::now() < deadline, "the log is never purged");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    cluster.start_node(follower).await;
    cluster.equal_digests().await;
    let status = cluster.nodes[follower].admin().status().await.unwrap();
    let applied = status.applied.map_or(0, |log_id| log_id.index);
    assert!(applied > last, "the follower has not advanced: {applied}");
    // It can restart from the snapshot.
    cluster.nodes[follower].process().kill();
    cluster.start_node(follower).await;
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_from_checkpoint_and_log_has_everything() {
    let mut cluster = Cluster::start_with(1, &SETTINGS).await;
    write_megabytes(&mut cluster, 6).await;
    let mut client = cluster.leader_client().await;
    for line in ["SET expiring 1 EX 1000", "HSET hash a 1", "RPUSH list a b", "ZADD zset 1 a"] {
        assert!(!client.line(line).await.unwrap().is_error(), "{line}");
    }
    cluster.nodes[0].admin().checkpoint().await.expect("a checkpoint on request");
    for line in ["HSET hash b 2", "LPOP list", "SADD set x", "DEL big:1"] {
        assert!(!client.line(line).await.unwrap().is_error(), "{line}");
    }
    let before = cluster.equal_digests().await;
    cluster.nodes[0].process().kill();
    cluster.start_node(0).await;
    cluster.wait_writable().await;
    let mut client = cluster.leader_client().await;
    client.line("DEL ironkv-tests:writable").await.unwrap();
    assert_eq!(cluster.equal_digests().await, before);
}
