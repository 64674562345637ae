//! Copies and old states of a data directory: each is detected, reports it, and never serves again.

use std::path::Path;
use std::time::Duration;

use ironkv::base::disk::RealDisk;
use ironkv::data::meta::Meta;
use ironkv_proto::raft::v1::raft_service_client::RaftServiceClient;
use ironkv_proto::raft::v1::{Vote, VoteRequest};
use ironkv_proto::types::v1::{Lineage, Registration, Route};
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use tokio::time::Instant;

use crate::disk::failing_disks::figure;
use crate::load::writer::Writer;
use crate::members::membership::voters;

const ENDS_WITHIN: Duration = Duration::from_secs(60);

pub(crate) fn copy(from: &Path, to: &Path) {
    if to.exists() {
        std::fs::remove_dir_all(to).unwrap();
    }
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Waits until the log has registered another incarnation of this node.
pub(crate) async fn registered_after(cluster: &Cluster, index: usize, before: u64) -> u64 {
    let deadline = Instant::now() + SETTLE_LIMIT;
    loop {
        let at = figure(cluster, index, "ironkv_incarnation_index").await;
        if at > before {
            return at;
        }
        let in_time = Instant::now() < deadline;
        assert!(in_time, "nothing is registered:\n{}", cluster.nodes[index].log_tail());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits for the end of a node whose data directory is not the current one any more.
pub(crate) async fn ends(cluster: &mut Cluster, index: usize, reason: &str) {
    let ended = cluster.nodes[index].process().ended_within(ENDS_WITHIN).await;
    let log = cluster.nodes[index].log_tail();
    assert!(ended.is_some_and(|status| !status.success()), "it continues:\n{log}");
    assert!(log.contains(reason), "the reason is missing:\n{log}");
}

pub(crate) fn is_marked(directory: &Path) -> bool {
    Meta::open(&RealDisk, directory).unwrap().facts().superseded.is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_started_beside_the_original_ends_and_the_original_serves_on() {
    let mut cluster = Cluster::start(3).await;
    let writer = Writer::start(&cluster);
    writer.wait_for(20).await;
    let leader = cluster.leader().await;
    for original in [(leader + 1) % 3, leader] {
        registered_after(&cluster, original, 0).await;
        let copied = cluster.add_process().await;
        cluster.nodes[copied].process().kill();
        let (from, to) = (cluster.nodes[original].data(), cluster.nodes[copied].data());
        cluster.nodes[original].process().pause();
        copy(&from, &to);
        cluster.nodes[original].process().resume();
        for _ in 0..2 {
            cluster.nodes[copied].spawn();
            ends(&mut cluster, copied, "never drew").await;
            assert!(is_marked(&to), "it may start again");
        }
        assert!(cluster.nodes[original].is_running(), "the copy ended its original");
        cluster.nodes[original].wait_ready().await;
    }
    let count = writer.count();
    writer.wait_for(count + 20).await;
    let mut client = cluster.leader_client().await;
    writer.finish(&mut client).await;
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_copy_that_is_restored_ends_its_node_which_can_join_again_without_it() {
    let mut cluster = Cluster::start(3).await;
    let writer = Writer::start(&cluster);
    writer.wait_for(20).await;
    let index = cluster.follower().await;
    let data = cluster.nodes[index].data();
    let old = cluster.nodes[index].directory.join("old");
    let id = cluster.node_id(index).await;
    let before = registered_after(&cluster, index, 0).await;
    cluster.nodes[index].process().kill();
    copy(&data, &old);
    cluster.start_node(index).await;
    registered_after(&cluster, index, before).await;
    cluster.nodes[index].process().kill();
    copy(&old, &data);
    cluster.nodes[index].spawn();
    ends(&mut cluster, index, "never drew").await;
    assert!(is_marked(&data));
    cluster.nodes[index].spawn();
    ends(&mut cluster, index, "is not its node's any more").await;
    // The repair: remove the member, empty the directory, join again.
    let leader = cluster.leader().await;
    let admin = cluster.nodes[leader].admin();
    retry(async || admin.remove(id).await.map_err(|refused| refused.to_string())).await;
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::create_dir_all(&data).unwrap();
    cluster.start_node(index).await;
    let (seed, node) = (cluster.nodes[leader].peer_address.clone(), cluster.nodes[index].admin());
    retry(async || node.join(&seed).await.map(drop).map_err(|error| error.to_string())).await;
    let new = cluster.node_id(index).await;
    assert!(new > id, "it has an old id");
    assert!(!voters(&mut cluster).await.contains(&new), "it votes before it has the data");
    retry(async || admin.promote(new).await.map_err(|refused| refused.to_string())).await;
    let mut client = cluster.leader_client().await;
    writer.finish(&mut client).await;
    cluster.equal_digests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_of_a_copy_of_another_member_is_ignored() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let member = (leader + 1) % 3;
    registered_after(&cluster, member, 0).await;
    cluster.settle().await;
    let (id, from) = (cluster.node_id(leader).await, cluster.node_id(member).await);
    let status = cluster.nodes[leader].admin().status().await.unwrap();
    let registered = |index| Registration { incarnation: 7, index };
    let lineage = Lineage { registered: None, drawn: vec![7], life: 7 };
    let route = Route {
        cluster_id: status.cluster_id.unwrap().into(),
        group_id: 0,
        target_node_id: id,
        sender_node_id: from,
        sender: Some(lineage),
        target: Some(registered(u64::MAX)),
    };
    let vote = Vote { term: status.term + 1, node_id: from, committed: false };
    let request = VoteRequest { route: Some(route), vote: Some(vote), ..VoteRequest::default() };
    let address = format!("http://{}", cluster.nodes[leader].grpc_address);
    let mut client = RaftServiceClient::connect(address).await.unwrap();
    for _ in 0..10 {
        let refused = client.pre_vote(request.clone()).await.unwrap_err();
        assert!(refused.message().contains("never drew"), "{refused}");
        assert_eq!(figure(&cluster, leader, "ironkv_unconfirmed").await, 0);
    }
    let log = cluster.nodes[leader].log_tail();
    assert!(!log.contains("data is old"), "it was accepted:\n{log}");
    cluster.wait_writable().await;
}

/// Repeats a change until it is made: members may have to notice something first.
async fn retry(change: impl AsyncFn() -> Result<(), String>) {
    let deadline = Instant::now() + SETTLE_LIMIT;
    while let Err(refused) = change().await {
        assert!(Instant::now() < deadline, "{refused}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
