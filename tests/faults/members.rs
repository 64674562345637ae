//! The nemesis of the membership on real processes: members are added, promoted, demoted, removed
//! and replaced, and leadership is transferred, at random, during other faults.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use ironkv_proto::admin::v1::StatusResponse;
use ironkv_tests::clients::admin::Admin;
use ironkv_tests::cluster::{Cluster, SETTLE_LIMIT};
use ironkv_tests::process::is_long;
use tokio::time::{Instant, sleep, timeout};

use crate::load::Load;
use crate::nemesis::{Fault, inflict};

/// Voters with which the cluster begins, and machines that may join it.
const VOTERS: usize = 3;
const SPARES: usize = 2;

/// No change leaves fewer voters than this.
const VOTERS_MIN: usize = 3;

/// After this time the outcome of a change is unknown.
const CHANGE_WITHIN: Duration = Duration::from_secs(4);

const KINDS: [&str; 6] = ["add", "promote", "demote", "remove", "replace", "transfer"];

const FAULTS: [Fault; 6] = [
    Fault::KillLeader,
    Fault::KillFollower,
    Fault::PauseLeader,
    Fault::IsolateLeader,
    Fault::IsolateFollower,
    Fault::DeafLeader,
];

/// How many changes of each kind were made.
type Made = BTreeMap<&'static str, u32>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_come_and_go_under_faults_and_nothing_is_lost() {
    let how_long = Duration::from_secs(if is_long() { 300 } else { 15 });
    let mut cluster = Cluster::start(VOTERS).await;
    for _ in 0..SPARES {
        cluster.add_process().await;
    }
    let load = Load::start(&cluster, how_long);
    let mut made = Made::new();
    let end = Instant::now() + how_long;
    let mut turn = 0;
    // Each kind is requested until it was made once, then any; after the end without more faults.
    while Instant::now() < end || made.len() < KINDS.len() {
        assert!(Instant::now() < end + SETTLE_LIMIT, "only these changes were made: {made:?}");
        let leader = cluster.leader().await;
        let calm = turn % 2 == 0 || Instant::now() > end;
        if !calm {
            inflict(&mut cluster, FAULTS[rand::random_range(0..FAULTS.len())], leader).await;
        }
        for _ in 0..2 {
            let missing = KINDS.iter().find(|kind| calm && !made.contains_key(*kind));
            let kind = *missing.unwrap_or(&KINDS[rand::random_range(0..KINDS.len())]);
            if change(&mut cluster, kind).await {
                *made.entry(kind).or_default() += 1;
            }
            sleep(Duration::from_millis(rand::random_range(100..600))).await;
        }
        heal(&mut cluster).await;
        sleep(Duration::from_millis(rand::random_range(100..600))).await;
        turn += 1;
    }
    make_all_voters(&mut cluster).await;
    cluster.wait_writable().await;
    let recorded = load.finish(&mut cluster).await;
    cluster.equal_digests().await;
    recorded.check();
    eprintln!("{made:?}");
}

/// Requests a change; returns whether it was certainly made.
async fn change(cluster: &mut Cluster, kind: &str) -> bool {
    // Through the newest leader that answers; if it is isolated or paused, the change fails.
    let Some((index, leader)) = newest_leader(cluster).await else { return false };
    let admin = cluster.nodes[index].admin();
    let asked = timeout(CHANGE_WITHIN, ask(cluster, kind, &admin, &leader)).await;
    asked.unwrap_or(false)
}

async fn newest_leader(cluster: &mut Cluster) -> Option<(usize, StatusResponse)> {
    let statuses = cluster.statuses().await;
    let leaders =
        statuses.into_iter().filter(|(_, status)| ironkv_tests::clients::admin::leads(status));
    leaders.max_by_key(|(_, status)| status.term)
}

async fn ask(cluster: &mut Cluster, kind: &str, admin: &Admin, leader: &StatusResponse) -> bool {
    let voters = ironkv_tests::clients::admin::voters(leader);
    let learners: Vec<u64> = members(leader).filter(|id| !voters.contains(id)).collect();
    let followers: Vec<u64> = voters.iter().copied().filter(|id| *id != leader.node_id).collect();
    let removable: Vec<u64> = learners
        .iter()
        .chain(followers.iter().filter(|_| voters.len() > VOTERS_MIN))
        .copied()
        .collect();
    match kind {
        "add" => join_one(cluster, leader).await,
        "promote" => match pick(&learners) {
            Some(id) => admin.promote(id).await.is_ok(),
            None => false,
        },
        "demote" => match pick(&followers).filter(|_| voters.len() > VOTERS_MIN) {
            Some(id) => admin.demote_if(id, leader.membership).await.is_ok(),
            None => grow(cluster, admin, leader, &learners).await,
        },
        "remove" | "replace" => match pick(&removable) {
            Some(id) => {
                let machine = machine_of(cluster, id).await;
                let removed = admin.remove_if(id, leader.membership).await.is_ok();
                match machine.filter(|_| removed && kind == "replace") {
                    Some(index) => replace(cluster, index, leader).await,
                    None => removed && kind == "remove",
                }
            }
            None => grow(cluster, admin, leader, &learners).await,
        },
        _ => match pick(&followers) {
            Some(id) => admin.transfer(id).await.is_ok(),
            None => false,
        },
    }
}

/// Brings the cluster closer to a size at which a member can be spared, so that the next request
/// for such a change is possible. The change itself was not made.
async fn grow(
    cluster: &mut Cluster,
    admin: &Admin,
    leader: &StatusResponse,
    learners: &[u64],
) -> bool {
    match pick(learners) {
        Some(id) => drop(admin.promote(id).await),
        None => drop(join_one(cluster, leader).await),
    }
    false
}

fn members(status: &StatusResponse) -> impl Iterator<Item = u64> {
    status.members.iter().filter_map(|member| Some(member.member.as_ref()?.node_id))
}

fn pick(ids: &[u64]) -> Option<u64> {
    (!ids.is_empty()).then(|| ids[rand::random_range(0..ids.len())])
}

/// Lets a node that is not a member join, through any other that can help. A removed node that does
/// not know it yet is refused.
async fn join_one(cluster: &mut Cluster, leader: &StatusResponse) -> bool {
    let statuses = cluster.statuses().await;
    let is_member = |status: &StatusResponse| members(leader).any(|id| id == status.node_id);
    let outside = statuses.iter().filter(|(_, status)| !is_member(status));
    let Some((index, _)) = outside.min_by_key(|(_, status)| status.node_id) else { return false };
    for (seed, _) in statuses.iter().filter(|(_, status)| is_member(status)) {
        let seed = &cluster.nodes[*seed].peer_address;
        if cluster.nodes[*index].admin().join(seed).await.is_ok() {
            return true;
        }
    }
    false
}

/// The machine whose node has this id, if it answers.
async fn machine_of(cluster: &mut Cluster, id: u64) -> Option<usize> {
    let statuses = cluster.statuses().await;
    statuses.iter().find(|(_, status)| status.node_id == id).map(|(index, _)| *index)
}

/// Gives the machine of a removed node an empty disk and lets it join again.
async fn replace(cluster: &mut Cluster, index: usize, leader: &StatusResponse) -> bool {
    cluster.nodes[index].process().kill();
    empty_disk(cluster, index).await;
    join_one(cluster, leader).await
}

/// Gives the machine of a removed node an empty disk and starts it.
async fn empty_disk(cluster: &mut Cluster, index: usize) {
    fs::remove_dir_all(cluster.nodes[index].data()).expect("a data directory");
    cluster.start_node(index).await;
}

/// Resumes all nodes and heals all links; nodes that ended because they were removed get an empty
/// disk.
async fn heal(cluster: &mut Cluster) {
    cluster.links.heal();
    for node in &mut cluster.nodes {
        node.process().resume();
    }
    for index in 0..cluster.nodes.len() {
        if !cluster.nodes[index].is_running() {
            start_or_empty(cluster, index).await;
        }
    }
}

async fn start_or_empty(cluster: &mut Cluster, index: usize) {
    cluster.nodes[index].spawn();
    let pid = cluster.nodes[index].process().pid();
    cluster.links.set_owner(pid, index);
    let deadline = Instant::now() + SETTLE_LIMIT;
    while Instant::now() < deadline {
        if !cluster.nodes[index].is_running() {
            let tail = cluster.nodes[index].log_tail();
            let last = tail.lines().last().unwrap_or_default();
            assert!(last.contains("removed"), "node {index} does not start:\n{tail}");
            return empty_disk(cluster, index).await;
        }
        if cluster.nodes[index].admin().status().await.is_ok() {
            return;
        }
        sleep(Duration::from_millis(30)).await;
    }
    panic!("node {index} does not start:\n{}", cluster.nodes[index].log_tail());
}

/// Ends the changes: every machine becomes a voter.
async fn make_all_voters(cluster: &mut Cluster) {
    let deadline = Instant::now() + 2 * SETTLE_LIMIT;
    loop {
        heal(cluster).await;
        let index = cluster.leader().await;
        let statuses = cluster.statuses().await;
        let leader = statuses.iter().find(|(other, _)| *other == index);
        if let Some((_, leader)) = leader {
            let voters = ironkv_tests::clients::admin::voters(leader);
            let own: Vec<u64> = statuses.iter().map(|(_, status)| status.node_id).collect();
            if own.len() == cluster.nodes.len() && own.iter().all(|id| voters.contains(id)) {
                return;
            }
            for id in members(leader).filter(|id| !voters.contains(id)) {
                // Refused before it has caught up.
                let _refused = cluster.nodes[index].admin().promote(id).await;
            }
            join_one(cluster, leader).await;
        }
        assert!(Instant::now() < deadline, "not all become voters:\n{}", cluster.logs());
        sleep(Duration::from_millis(100)).await;
    }
}
