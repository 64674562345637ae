//! The members of the cluster, and that changing them loses nothing.

use std::time::Duration;

use ironkv_tests::clients::admin;
use ironkv_tests::cluster::Cluster;
use ironkv_tests::process::Process;

use crate::load::reader::Reader;
use crate::load::writer::Writer;

pub async fn remove(cluster: &mut Cluster, index: usize) {
    let node_id = cluster.node_id(index).await;
    let mut last = String::new();
    for _ in 0..200 {
        let leader = cluster.leader().await;
        match cluster.nodes[leader].admin().remove(node_id).await {
            Ok(()) => return,
            Err(refused) => last = refused.message().to_owned(),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("node {index} is not removed: {last}");
}

async fn transfer_away(cluster: &mut Cluster, from: usize) {
    for _ in 0..20 {
        if cluster.leader().await != from {
            return;
        }
        // Refused when another node became leader first.
        let _refused = cluster.nodes[from].admin().transfer(0).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    panic!("node {from} does not transfer its leadership");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_one_to_three_to_five_and_back_to_one_under_load() {
    // Five processes on a busy machine do not all answer within the usual time.
    let calm = [("raft.election_timeout_min_ms", "3000"), ("raft.election_timeout_max_ms", "4000")];
    let mut cluster = Cluster::start_with(1, &calm).await;
    let writer = Writer::start(&cluster);
    let reader = Reader::start(&cluster, &writer);
    for members in 2..=5 {
        writer.wait_for(20).await;
        cluster.add_voter().await;
        assert_eq!(voters(&mut cluster).await.len(), members);
    }
    // Clients use the first node, so the others are removed, whichever of them leads.
    for index in 1..5 {
        writer.wait_for(20).await;
        transfer_away(&mut cluster, index).await;
        remove(&mut cluster, index).await;
        cluster.nodes[index].process().kill();
        assert_eq!(voters(&mut cluster).await.len(), 5 - index);
    }
    writer.wait_for(20).await;
    let _unanswered_by_the_removed = reader.finish().await;
    let mut client = cluster.leader_client().await;
    writer.finish(&mut client).await;
    let before = cluster.equal_digests().await;
    cluster.nodes[0].process().kill();
    cluster.start_node(0).await;
    let after = cluster.equal_digests().await;
    assert_eq!(before, after, "a restart changes the data");
}

/// The ids of the voters, as the leader reports them.
pub async fn voters(cluster: &mut Cluster) -> Vec<u64> {
    let leader = cluster.leader().await;
    admin::voters(&cluster.nodes[leader].admin().status().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_transfers_its_leadership_before_it_is_removed() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let writer = Writer::start(&cluster);
    writer.wait_for(20).await;
    let node_id = cluster.node_id(leader).await;
    let refused = cluster.nodes[leader].admin().remove(node_id).await;
    assert!(refused.is_err(), "a leader was removed while it led");
    transfer_away(&mut cluster, leader).await;
    remove(&mut cluster, leader).await;
    cluster.nodes[leader].process().kill();
    writer.wait_for(20).await;
    let mut client = cluster.leader_client().await;
    writer.finish(&mut client).await;
    // A removed node does not come back on its old disk.
    cluster.nodes[leader].spawn();
    let ended = cluster.nodes[leader].process().ended_within(Duration::from_secs(20)).await;
    let output = cluster.nodes[leader].process.as_ref().map(Process::output).unwrap_or_default();
    let refuses = ended.is_some_and(|status| !status.success());
    let tells = cluster.nodes[leader].admin().status().await.is_ok_and(|s| s.removed.is_some());
    assert!(refuses || tells, "a removed node serves again:\n{output}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_keep_the_majority() {
    let mut cluster = Cluster::start(1).await;
    let only = cluster.node_id(0).await;
    assert!(cluster.nodes[0].admin().remove(only).await.is_err(), "the last voter was removed");
    assert!(cluster.nodes[0].admin().demote(only).await.is_err(), "the last voter was demoted");
    assert!(cluster.nodes[0].admin().promote(99_999).await.is_err(), "a missing node was promoted");
    cluster.add_voter().await;
    cluster.add_voter().await;
    let leader = cluster.leader().await;
    let (one, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let id = cluster.node_id(one).await;
    cluster.nodes[other].process().kill();
    // An answer shortly before its end counts as little as its silence later.
    for wait in [0, 2] {
        tokio::time::sleep(Duration::from_secs(wait)).await;
        let refused = cluster.nodes[leader].admin().remove(id).await;
        let refused = refused.expect_err("the only reachable follower of two was removed");
        assert_eq!(refused.code(), tonic::Code::FailedPrecondition, "{refused}");
    }
    cluster.wait_writable().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_node_waits_and_belongs_to_no_cluster() {
    let mut cluster = Cluster::empty(&[]);
    let index = cluster.add_process().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let status = cluster.nodes[index].admin().status().await.unwrap();
    assert_eq!(status.cluster_id, None, "an empty node made itself a cluster");
    let mut client = cluster.client(index).await;
    for line in ["SET a 1", "GET a"] {
        let reply = client.line(line).await.unwrap();
        assert!(reply.is_error(), "an empty node answers {line} with {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_data_of_another_cluster_is_refused() {
    let mut one = Cluster::start(3).await;
    let other = Cluster::start(1).await;
    let follower = one.follower().await;
    let before = one.nodes[other.nodes[0].index].admin().status().await.unwrap().cluster_id;
    let seed = one.nodes[follower].peer_address.clone();
    let joined = other.nodes[0].admin().join(&seed).await;
    assert!(joined.is_err(), "a member of one cluster joined another");
    let after = one.nodes[other.nodes[0].index].admin().status().await.unwrap().cluster_id;
    assert_eq!(before, after);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_member_begins_no_cluster_beside_its_own() {
    let mut cluster = Cluster::start(1).await;
    let index = cluster.add_process().await;
    let seed = cluster.nodes[0].peer_address.clone();
    let settings = cluster.settings_of(index, &[("node.peers", &format!("[\"{seed}\"]"))]);
    cluster.nodes[index].process().kill();
    cluster.nodes[index].configure(&settings).unwrap();
    cluster.start_node(index).await;
    let refused = cluster.nodes[index].admin().init().await.expect_err("another cluster began");
    assert!(refused.message().contains("belongs to cluster"), "{refused}");
    cluster.nodes[index].admin().join(&seed).await.unwrap();
}
