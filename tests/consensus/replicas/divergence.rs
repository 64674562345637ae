//! Replicas compare their data at run time.

use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use tokio::time::{Duration, Instant, sleep};

/// Random choices are part of the entry; a node that uses its own random numbers gets different
/// data, and the leader reports it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_are_compared_at_run_time_and_are_equal() {
    let mut cluster = Cluster::start_with(3, &[("cluster.digest_interval_s", "1")]).await;
    let mut client = cluster.leader_client().await;
    for number in 0..200 {
        client.line(&format!("SADD set {number}")).await.unwrap();
    }
    client.line("SPOP set 100").await.unwrap();
    let leader = cluster.leader().await;
    let written = cluster.nodes[leader].admin().status().await.unwrap();
    let written = written.committed.map_or(0, |log_id| log_id.index);
    let deadline = Instant::now() + SETTLE_LIMIT;
    loop {
        let leader = cluster.leader().await;
        let status = cluster.nodes[leader].admin().status().await.unwrap();
        let own = status.node_id;
        let others = status
            .members
            .iter()
            .filter(|member| member.member.as_ref().is_some_and(|member| member.node_id != own));
        assert_eq!(status.differing_node_ids, [0; 0], "some replicas hold other data");
        if others.clone().count() == 2 && others.clone().all(|m| m.digest_compared > written) {
            return;
        }
        assert!(Instant::now() < deadline, "never compared: {status:?}");
        sleep(Duration::from_millis(100)).await;
    }
}
