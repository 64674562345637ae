//! What an older program refuses or cannot execute, and the error that it gets.

use std::time::Duration;

use ironkv_tests::cluster::Cluster;

use crate::versions::{Version, lead, reached, released, released_cluster, replace};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_program_does_not_start_on_data_of_a_higher_level() {
    let mut cluster = Cluster::start(1).await;
    reached(&cluster, 2).await;
    let node = &mut cluster.nodes[0];
    node.process().terminate();
    node.process().ended_within(Duration::from_secs(30)).await.expect("an orderly stop");
    node.program = Some(released());
    node.spawn();
    let ended = node.process().ended_within(Duration::from_secs(30)).await;
    assert!(ended.is_some_and(|status| !status.success()), "it runs:\n{}", node.log_tail());
    let log = node.log_tail();
    assert!(log.contains("newer than this program: format 2"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_node_does_not_join_a_cluster_at_a_higher_level() {
    let mut cluster = Cluster::start(1).await;
    reached(&cluster, 2).await;
    cluster.program = Some(released());
    let old = cluster.add_process().await;
    let seed = cluster.nodes[0].peer_address.clone();
    let refused = cluster.nodes[old].admin().join(&seed).await.expect_err("an older version");
    let text = refused.message();
    assert!(text.contains("understands feature level 1 at most"), "{text}");
    assert!(text.contains("runs at level 2"), "{text}");
    // The cluster is not affected.
    let status = cluster.nodes[0].admin().status().await.unwrap();
    assert_eq!(status.members.len(), 1, "{:?}", status.members);
}

/// A command of the second level: refused while one node has the released version, whichever node
/// leads or is asked, and executed when none has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_older_member_does_not_understand_is_refused_until_it_is_upgraded() {
    let mut cluster = released_cluster(3, &[]).await;
    replace(&mut cluster, 0, Version::New).await;
    replace(&mut cluster, 1, Version::New).await;
    for leader in [2, 0] {
        lead(&mut cluster, leader).await;
        for asked in [0, 1] {
            let mut client = cluster.client(asked).await;
            let reply = client.line("DEBUG FEATURE-LEVEL").await.unwrap().text();
            assert!(reply.contains("needs feature level 2"), "node {asked} answers {reply}");
            // It had no effect: the connection, and requests that others forward to the leader,
            // continue.
            assert_eq!(client.line("SET key value").await.unwrap().text(), "OK");
        }
    }
    cluster.equal_digests().await;
    for node in &mut cluster.nodes {
        assert!(node.is_running(), "node {} ended:\n{}", node.index, node.log_tail());
    }
    replace(&mut cluster, 2, Version::New).await;
    reached(&cluster, 2).await;
    for index in 0..3 {
        assert_eq!(cluster.retry(index, "DEBUG FEATURE-LEVEL").await.integer(), Some(2));
    }
    cluster.equal_digests().await;
}
