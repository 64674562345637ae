//! Nodes with different `raft.*` timings, as during the rollout of a change.

use ironkv_tests::cluster::Cluster;

const LONG: [(&str, &str); 2] =
    [("raft.election_timeout_min_ms", "11000"), ("raft.election_timeout_max_ms", "12000")];
const SHORT: [(&str, &str); 2] =
    [("raft.election_timeout_min_ms", "1200"), ("raft.election_timeout_max_ms", "1500")];

/// With its own settings, the leader may answer without the others for four seconds; the others
/// elect another leader after about one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_with_shorter_timings_than_the_leader_cause_no_stale_read() {
    let mut cluster = Cluster::start_with(3, &LONG).await;
    let old = cluster.leader().await;
    for follower in (0..3).filter(|index| *index != old) {
        let settings = cluster.settings_of(follower, &SHORT);
        cluster.nodes[follower].configure(&settings).unwrap();
        cluster.nodes[follower].process().kill();
        cluster.start_node(follower).await;
        cluster.nodes[follower].wait_ready().await;
    }
    assert_eq!(cluster.leader().await, old, "the leader was to stay");
    let mut client = cluster.client(old).await;
    assert_eq!(client.line("SET a old").await.unwrap().text(), "OK");
    assert_eq!(client.line("GET a").await.unwrap().text(), "old");
    cluster.links.isolate(&[old], 3);
    let new = cluster.leader_except(old).await;
    assert_eq!(cluster.retry(new, "SET a new").await.text(), "OK");
    // By its own settings the old leader's lease still holds.
    if let Ok(reply) = client.line("GET a").await {
        assert!(reply.is_error(), "a leader cut off answers with {reply:?}");
    }
    cluster.links.heal();
    cluster.settle().await;
    assert_eq!(cluster.retry(old, "GET a").await.text(), "new");
    cluster.equal_digests().await;
}
