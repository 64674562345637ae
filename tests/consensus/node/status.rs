//! The status that a node reports is true in every role and always available: to the operator by
//! `Status`, to probes by `/readyz`.

use std::time::Duration;

use ironkv_proto::admin::v1::{MemberStatus, Role, StatusResponse};
use ironkv_tests::clients::admin;
use ironkv_tests::clients::http::get;
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use tokio::time::{Instant, sleep};

/// Longer than the election timeout of a node.
const LONG_SILENCE: Duration = Duration::from_secs(4);

/// Waits until the status of a node is as `wanted` requires.
async fn status(
    cluster: &Cluster,
    index: usize,
    what: &str,
    wanted: impl Fn(&StatusResponse) -> bool,
) -> StatusResponse {
    let deadline = Instant::now() + SETTLE_LIMIT;
    loop {
        let status = cluster.nodes[index].admin().status().await.expect("a status in two seconds");
        if wanted(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "node {index} is not {what}: {status:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Probe and status agree.
async fn is_ready(cluster: &Cluster, index: usize, ready: bool, reason: &str) {
    let what = if ready { "ready" } else { "unready" };
    status(cluster, index, what, |status| status.ready == ready).await;
    let (code, body) = get(&cluster.nodes[index].http_address, "/readyz").await;
    assert_eq!(code, if ready { 200 } else { 503 }, "{body}");
    assert!(body.contains(reason), "{body}");
    assert_eq!(get(&cluster.nodes[index].http_address, "/livez").await.0, 200);
}

fn member(status: &StatusResponse, node_id: u64) -> MemberStatus {
    let own = |member: &&MemberStatus| member.member.as_ref().is_some_and(|m| m.node_id == node_id);
    status.members.iter().find(own).cloned().expect("a member")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_only_voter_is_always_its_own_quorum() {
    let cluster = Cluster::start(1).await;
    sleep(LONG_SILENCE).await;
    let status = cluster.nodes[0].admin().status().await.unwrap();
    assert_eq!(status.quorum_acknowledged_ms_ago, Some(0));
    is_ready(&cluster, 0, true, "ok").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_without_its_leader_is_not_ready() {
    let mut cluster = Cluster::start(3).await;
    let (leader, follower) = (cluster.leader().await, cluster.follower().await);
    let follower_id = cluster.node_id(follower).await;
    cluster.links.isolate(&[follower], 3);
    is_ready(&cluster, follower, false, "no leader").await;
    is_ready(&cluster, leader, true, "ok").await;
    let gone = |status: &StatusResponse| !member(status, follower_id).reachable;
    let report = status(&cluster, leader, "without a follower", gone).await;
    assert!(report.quorum_acknowledged_ms_ago.is_some_and(|ms| ms < 2000), "{report:?}");
    // The leader reports what it sees to the others, except whether it has a majority.
    let other = (0..3).find(|index| ![leader, follower].contains(index)).unwrap();
    let report = status(&cluster, other, "without the other follower", gone).await;
    assert_eq!(report.role(), Role::Follower);
    assert_eq!(report.quorum_acknowledged_ms_ago, None);
    let level = |member: &MemberStatus| member.reachable && member.caught_up;
    assert_eq!(report.members.iter().filter(|member| level(member)).count(), 2, "{report:?}");
    let report = cluster.nodes[follower].admin().status().await.unwrap();
    assert_eq!(report.members.iter().filter(|member| member.reachable).count(), 1, "{report:?}");
    cluster.links.heal();
    is_ready(&cluster, follower, true, "ok").await;
    status(&cluster, leader, "with all", |status| member(status, follower_id).reachable).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_without_its_followers_is_not_ready() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    cluster.links.isolate(&[leader], 3);
    is_ready(&cluster, leader, false, "no majority").await;
    let report = cluster.nodes[leader].admin().status().await.unwrap();
    assert!(report.quorum_acknowledged_ms_ago.is_some_and(|ms| ms > 2000), "{report:?}");
    let next = cluster.leader_except(leader).await;
    is_ready(&cluster, next, true, "ok").await;
    cluster.links.heal();
    is_ready(&cluster, leader, true, "ok").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_survivor_answers_without_a_quorum_and_after_its_restart() {
    let mut cluster = Cluster::start(3).await;
    let survivor = cluster.follower().await;
    for index in (0..3).filter(|index| *index != survivor) {
        cluster.nodes[index].process().kill();
    }
    is_ready(&cluster, survivor, false, "no leader").await;
    cluster.nodes[survivor].process().kill();
    cluster.start_node(survivor).await;
    let report = cluster.nodes[survivor].admin().status().await.unwrap();
    assert_eq!((report.members.len(), report.ready), (3, false));
    assert!(report.cluster_id.is_some() && !report.version.is_empty());
    is_ready(&cluster, survivor, false, "no leader").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_learner_is_ready_when_it_has_caught_up() {
    let mut cluster = Cluster::start(1).await;
    let learner = cluster.add_process().await;
    let empty = cluster.nodes[learner].admin().status().await.unwrap();
    assert_eq!((empty.role(), empty.cluster_id, empty.ready), (Role::Empty, None, false));
    is_ready(&cluster, learner, false, "cluster init").await;
    let seed = cluster.nodes[0].peer_address.clone();
    let node_id = cluster.nodes[learner].admin().join(&seed).await.unwrap();
    is_ready(&cluster, learner, true, "ok").await;
    let report = cluster.nodes[learner].admin().status().await.unwrap();
    assert_eq!((report.role(), report.node_id), (Role::Learner, node_id));
    cluster.links.isolate(&[learner], 2);
    // One entry each: the client waits for every answer.
    let mut client = cluster.client(0).await;
    for number in 0..1200 {
        client.line(&format!("SET key {number}")).await.unwrap();
    }
    let behind = |status: &StatusResponse| !member(status, node_id).caught_up;
    status(&cluster, 0, "ahead of its learner", behind).await;
    let refused = cluster.nodes[0].admin().promote(node_id).await.unwrap_err();
    assert!(refused.message().contains("caught up"), "{refused}");
    is_ready(&cluster, learner, false, "no leader").await;
    cluster.links.heal();
    let level = |status: &StatusResponse| member(status, node_id).caught_up;
    let report = status(&cluster, 0, "level with its learner", level).await;
    assert_eq!(admin::voters(&report), [report.node_id]);
    is_ready(&cluster, learner, true, "ok").await;
}
