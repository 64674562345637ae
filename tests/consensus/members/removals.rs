//! What makes a node believe that it was removed, and the repair when it was not.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use ironkv::base::disk::RealDisk;
use ironkv::data::meta::Meta;
use ironkv_tests::cluster::Cluster;
use ironkv_tests::process;

use crate::load::writer::Writer;
use crate::members::membership::{remove, voters};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxies_that_answer_403_and_503_remove_no_node() {
    let mut cluster = Cluster::start(3).await;
    let before = voters(&mut cluster).await;
    let writer = Writer::start(&cluster);
    writer.wait_for(20).await;
    for status in [403, 503] {
        let refused = cluster.links.refused();
        cluster.links.refuse_all(status);
        // Long enough for every node to start several elections, and to ask the others.
        tokio::time::sleep(Duration::from_secs(6)).await;
        for node in &mut cluster.nodes {
            assert!(node.is_running(), "a status code ended a node:\n{}", node.log_tail());
        }
        assert!(cluster.links.refused() > refused + 10, "the proxies were not asked");
        cluster.links.heal();
        cluster.leader().await;
    }
    let count = writer.count();
    writer.wait_for(count + 20).await;
    let mut client = cluster.leader_client().await;
    writer.finish(&mut client).await;
    cluster.kill_all();
    for node in &cluster.nodes {
        let facts = Meta::open(&RealDisk, &node.data()).unwrap().facts();
        assert_eq!(facts.removed, None, "a status code made node {} remove itself", node.index);
    }
    cluster.start_all().await;
    assert_eq!(voters(&mut cluster).await, before);
    cluster.equal_digests().await;
}

/// Starts a node on a directory that may be marked, and waits for its end.
async fn ends(cluster: &mut Cluster, index: usize) -> bool {
    cluster.nodes[index].spawn();
    let ended = cluster.nodes[index].process().ended_within(Duration::from_secs(30)).await;
    ended.is_some_and(|status| !status.success())
}

fn is_marked(directory: &Path) -> bool {
    Meta::open(&RealDisk, directory).unwrap().facts().removed.is_some()
}

/// Voter and learner were not running when they were removed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_removed_while_it_was_down_learns_it_from_a_majority() {
    let mut cluster = Cluster::start(4).await;
    let leader = cluster.leader().await;
    let (voter, learner, witness) = ((leader + 1) % 4, (leader + 2) % 4, (leader + 3) % 4);
    let learner_id = cluster.node_id(learner).await;
    cluster.nodes[leader].admin().demote(learner_id).await.unwrap();
    cluster.settle().await;
    let ids = [cluster.node_id(voter).await, learner_id];
    for index in [voter, learner] {
        cluster.nodes[index].process().kill();
    }
    for id in [ids[1], ids[0]] {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        while let Err(refused) = cluster.nodes[leader].admin().remove(id).await {
            assert!(tokio::time::Instant::now() < deadline, "node {id}: {refused}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    // One of the two that are left is not enough to confirm it.
    cluster.nodes[witness].process().pause();
    cluster.nodes[voter].spawn();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(cluster.nodes[voter].is_running(), "one member alone removed a node");
    cluster.nodes[witness].process().resume();
    let ended = cluster.nodes[voter].process().ended_within(Duration::from_secs(30)).await;
    assert!(ended.is_some(), "the removed voter does not learn it");
    assert!(ends(&mut cluster, learner).await, "the removed learner does not learn it");
    assert!([voter, learner].iter().all(|index| is_marked(&cluster.nodes[*index].data())));
}

pub(crate) fn readmit(directory: &Path, arguments: &[&str]) -> Output {
    process::ironkv_command()
        .args(["cluster", "readmit", "--data-directory"])
        .arg(directory)
        .args(arguments)
        .output()
        .unwrap()
}

pub(crate) fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_marked_by_mistake_comes_back_and_a_removed_one_does_not() {
    let mut cluster = Cluster::start(3).await;
    let leader = cluster.leader().await;
    let (wrong, witness) = ((leader + 1) % 3, (leader + 2) % 3);
    let id = cluster.node_id(wrong).await;
    let directory = cluster.nodes[wrong].data();
    let member = cluster.nodes[witness].grpc_address.clone();
    let running = readmit(&directory, &["--member", &member]);
    assert!(!running.status.success(), "a running node was readmitted");
    cluster.nodes[wrong].process().kill();
    let unmarked = readmit(&directory, &["--member", &member]);
    assert!(text(&unmarked).contains("not marked"), "{}", text(&unmarked));
    let mark = |directory: &Path| {
        let meta = Meta::open(&RealDisk, directory).unwrap();
        meta.update(|facts| facts.removed = Some("a proxy removed it".to_owned())).unwrap();
    };
    mark(&directory);
    assert!(ends(&mut cluster, wrong).await, "a marked directory starts");
    // No member answers, or the confirmation is wrong.
    for arguments in [["--member", "127.0.0.1:1"], ["--without-asking", "99"]] {
        let refused = readmit(&directory, &arguments);
        assert!(!refused.status.success() && is_marked(&directory), "{}", text(&refused));
    }
    // The named member names the other one.
    let done = readmit(&directory, &["--member", &member]);
    assert!(done.status.success() && !is_marked(&directory), "{}", text(&done));
    cluster.start_node(wrong).await;
    cluster.nodes[wrong].wait_ready().await;
    mark_stopped(&mut cluster, wrong, mark);
    let confirmed = readmit(&directory, &["--without-asking", &id.to_string()]);
    assert!(confirmed.status.success(), "{}", text(&confirmed));
    cluster.start_node(wrong).await;
    cluster.nodes[wrong].wait_ready().await;
    cluster.equal_digests().await;
    remove(&mut cluster, wrong).await;
    let ended = cluster.nodes[wrong].process().ended_within(Duration::from_secs(30)).await;
    assert!(ended.is_some() && is_marked(&directory), "the removed node continues");
    let refused = readmit(&directory, &["--member", &member]);
    assert!(!refused.status.success() && text(&refused).contains("was removed"));
    // Without asking it starts, and stops after it has asked.
    assert!(readmit(&directory, &["--without-asking", &id.to_string()]).status.success());
    assert!(ends(&mut cluster, wrong).await && is_marked(&directory));
}

fn mark_stopped(cluster: &mut Cluster, index: usize, mark: impl Fn(&Path)) {
    cluster.nodes[index].process().kill();
    mark(&cluster.nodes[index].data());
}
