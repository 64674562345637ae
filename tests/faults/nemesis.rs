//! Chooses faults, injects them, and checks whether they had an effect.

use std::collections::HashMap;
use std::time::Duration;

use ironkv_tests::cluster::Cluster;
use tokio::time::{Instant, sleep};

/// A fault that is removed again after a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// SIGKILL, started again later.
    KillLeader,
    /// The same for a follower.
    KillFollower,
    /// All at once, as a power cut does.
    KillAll,
    /// SIGSTOP, for longer than an election takes.
    PauseLeader,
    /// The same for a follower.
    PauseFollower,
    /// Isolated from all others, in both directions.
    IsolateLeader,
    /// The same for a follower.
    IsolateFollower,
    /// The leader can send and receives nothing.
    DeafLeader,
    /// Leadership is transferred on request.
    Transfer,
}

impl Fault {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::KillLeader,
        Self::KillFollower,
        Self::KillAll,
        Self::PauseLeader,
        Self::PauseFollower,
        Self::IsolateLeader,
        Self::IsolateFollower,
        Self::DeafLeader,
        Self::Transfer,
    ];
}

/// How often each fault was injected and how often it had an effect.
#[derive(Debug, Default)]
pub struct Effects {
    counts: HashMap<Fault, (u32, u32)>,
}

impl Effects {
    /// Fails if a fault never had an effect.
    pub fn assert_all_had_effect(&self, faults: &[Fault]) {
        for fault in faults {
            let (done, effective) = self.counts.get(fault).copied().unwrap_or_default();
            // A fault of a long list may not have been injected; an injected one must have an
            // effect.
            assert!(done == 0 || effective > 0, "{fault:?} had no effect in {done} times");
        }
        assert!(!self.counts.is_empty(), "no fault was injected");
    }

    fn note(&mut self, fault: Fault, effective: bool) {
        let counts = self.counts.entry(fault).or_default();
        counts.0 += 1;
        counts.1 += u32::from(effective);
    }
}

/// Injects one fault after the other, each at least once if there is time.
pub async fn disturb(cluster: &mut Cluster, faults: &[Fault], how_long: Duration) -> Effects {
    let end = Instant::now() + how_long;
    let mut effects = Effects::default();
    let mut turn = 0;
    while Instant::now() < end {
        let fault = match faults.get(turn) {
            Some(fault) => *fault,
            None => faults[rand::random_range(0..faults.len())],
        };
        turn += 1;
        let leader = cluster.leader().await;
        let term = term(cluster).await;
        let held = cluster.links.held_back();
        inflict(cluster, fault, leader).await;
        sleep(Duration::from_millis(rand::random_range(1500..2500))).await;
        let effective = match fault {
            Fault::KillFollower | Fault::KillAll => true,
            Fault::PauseFollower => !answers(cluster, (leader + 1) % cluster.nodes.len()).await,
            Fault::IsolateFollower => cluster.links.held_back() > held,
            Fault::KillLeader | Fault::PauseLeader | Fault::IsolateLeader => {
                elected_without(cluster, leader, term).await
            }
            Fault::DeafLeader | Fault::Transfer => {
                cluster.links.held_back() > held || elected_without(cluster, leader, term).await
            }
        };
        effects.note(fault, effective);
        heal(cluster).await;
        sleep(Duration::from_millis(rand::random_range(300..1200))).await;
    }
    effects
}

/// Resumes all nodes and heals all links.
pub async fn heal(cluster: &mut Cluster) {
    cluster.links.heal();
    for node in &mut cluster.nodes {
        node.process().resume();
    }
    cluster.start_all().await;
}

/// Injects a fault and does not remove it.
pub async fn inflict(cluster: &mut Cluster, fault: Fault, leader: usize) {
    let nodes = cluster.nodes.len();
    let follower = (leader + 1) % nodes;
    match fault {
        Fault::KillLeader => cluster.nodes[leader].process().kill(),
        Fault::KillFollower => cluster.nodes[follower].process().kill(),
        Fault::KillAll => {
            cluster.kill_all();
            cluster.start_all().await;
        }
        Fault::PauseLeader => cluster.nodes[leader].process().pause(),
        Fault::PauseFollower => cluster.nodes[follower].process().pause(),
        Fault::IsolateLeader => cluster.links.isolate(&[leader], nodes),
        Fault::IsolateFollower => cluster.links.isolate(&[follower], nodes),
        Fault::DeafLeader => {
            for other in (0..nodes).filter(|other| *other != leader) {
                cluster.links.cut((other, leader));
            }
        }
        Fault::Transfer => {
            // Refused when the cluster is not stable; the next turn may try again.
            let _refused = cluster.nodes[leader].admin().transfer(0).await;
        }
    }
}

async fn term(cluster: &mut Cluster) -> u64 {
    cluster.statuses().await.iter().map(|(_, status)| status.term).max().unwrap_or_default()
}

async fn answers(cluster: &Cluster, index: usize) -> bool {
    cluster.nodes[index].admin().status().await.is_ok()
}

/// Whether another node leads in a later term.
async fn elected_without(cluster: &mut Cluster, old: usize, term: u64) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        let statuses = cluster.statuses().await;
        let leads = |(index, status): &(usize, _)| {
            *index != old && ironkv_tests::clients::admin::leads(status) && status.term > term
        };
        if statuses.iter().any(leads) {
            return true;
        }
        sleep(Duration::from_millis(50)).await;
    }
    false
}
